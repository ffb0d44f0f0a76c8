import { createSocket, type Socket } from 'node:dgram';
import { frameBytes, readMarker, Voice } from '../../tools/phone/sound.ts';

/** Packets kept; the oldest go first. */
const maximumKept = 60_000;
const frameMilliseconds = 20;

export interface HeardPacket {
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly payload: Buffer;
  readonly fromPort: number;
  /** `performance.now()` of its arrival. */
  readonly at: number;
}

let nextVoice = 1;

/** The RTP side of a scripted phone: sends a marked tone every 20 ms and keeps what it hears. */
export class Audio {
  readonly port: number;
  readonly voice: number;
  readonly heard: HeardPacket[] = [];
  readonly ssrc = Math.floor(Math.random() * 2 ** 32);
  sent = 0;
  readonly #socket: Socket;
  readonly #sound: Voice;
  #remotePort = 0;
  #sequence = Math.floor(Math.random() * 20_000);
  #timer: NodeJS.Timeout | null = null;
  #startedAt = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
    this.voice = nextVoice;
    nextVoice += 1;
    this.#sound = new Voice(this.voice, true);
    socket.on('error', () => undefined);
    socket.on('message', (bytes, from) => {
      if (bytes.length < 12) return;
      this.heard.push({
        payloadType: (bytes[1] ?? 0) & 0x7f,
        sequence: bytes.readUInt16BE(2),
        timestamp: bytes.readUInt32BE(4),
        ssrc: bytes.readUInt32BE(8),
        payload: Buffer.from(bytes.subarray(12)),
        fromPort: from.port,
        at: performance.now(),
      });
      if (this.heard.length > maximumKept) this.heard.shift();
    });
  }

  static open(port = 0): Promise<Audio> {
    return new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      socket.once('error', reject);
      socket.bind(port, '127.0.0.1', () => {
        socket.removeListener('error', reject);
        resolve(new Audio(socket));
      });
    });
  }

  /** Sends from now on to that port, 50 frames a second. */
  talk(remotePort: number): void {
    this.#remotePort = remotePort;
    if (this.#timer !== null) return;
    this.#startedAt = performance.now() - this.sent * frameMilliseconds;
    this.#timer = setInterval(() => {
      while (this.#startedAt + this.sent * frameMilliseconds <= performance.now()) this.#sendFrame();
    }, frameMilliseconds / 2);
  }

  hush(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One RFC 4733 event: a packet every 20 ms, the last three times with its end bit. */
  async pressKey(digit: string, payloadType: number, milliseconds = 100): Promise<void> {
    const event = '0123456789*#ABCD'.indexOf(digit);
    const timestamp = (this.sent * frameBytes) >>> 0;
    const steps = Math.round(milliseconds / frameMilliseconds);
    for (let step = 1; step <= steps + 2; step += 1) {
      const packet = this.#header(payloadType, timestamp, step === 1);
      const body = Buffer.alloc(4);
      body[0] = event;
      body[1] = (step >= steps ? 0x80 : 0) | 10;
      body.writeUInt16BE(Math.min(step, steps) * frameBytes, 2);
      this.#socket.send(Buffer.concat([packet, body]), this.#remotePort, '127.0.0.1');
      await new Promise((resolve) => setTimeout(resolve, frameMilliseconds));
    }
  }

  /** Waits until `count` further packets were heard that match. */
  async waitHeard(count: number, milliseconds = 5000, matches: (packet: HeardPacket) => boolean = () => true): Promise<HeardPacket[]> {
    const from = performance.now();
    const deadline = from + milliseconds;
    for (;;) {
      const found = this.heard.filter((packet) => packet.at >= from && matches(packet));
      if (found.length >= count) return found;
      if (performance.now() > deadline) {
        throw new Error(`heard ${found.length} matching packets of ${count} within ${milliseconds} ms (${this.heard.length} in all)`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Waits until `count` frames of that voice were heard from now on. */
  waitVoice(voice: number, count = 10, milliseconds = 5000): Promise<HeardPacket[]> {
    return this.waitHeard(count, milliseconds, (packet) => readMarker(packet.payload, 0)?.id === voice);
  }

  close(): void {
    this.hush();
    this.#socket.close();
  }

  #sendFrame(): void {
    const packet = Buffer.alloc(12 + frameBytes);
    this.#header(0, (this.sent * frameBytes) >>> 0, this.sent === 0).copy(packet);
    this.#sound.writeFrame(packet, 12, this.sent);
    this.#socket.send(packet, this.#remotePort, '127.0.0.1');
    this.sent += 1;
  }

  #header(payloadType: number, timestamp: number, marker: boolean): Buffer {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = payloadType | (marker ? 0x80 : 0);
    header.writeUInt16BE(this.#sequence & 0xffff, 2);
    header.writeUInt32BE(timestamp, 4);
    header.writeUInt32BE(this.ssrc, 8);
    this.#sequence += 1;
    return header;
  }
}

/** Frame counters of a voice, sorted, and those missing between the first and the last. */
export function missingFrames(packets: readonly HeardPacket[], voice: number): number[] {
  const counters = new Set(
    packets.flatMap((packet) => {
      const marker = readMarker(packet.payload, 0);
      return marker?.id === voice ? [marker.counter] : [];
    }),
  );
  const first = Math.min(...counters);
  const last = Math.max(...counters);
  const missing: number[] = [];
  for (let counter = first; counter < last; counter += 1) if (!counters.has(counter)) missing.push(counter);
  return missing;
}

/** The strongest frequency of some PCMU packets in Hz, to 10 Hz (a plain DFT between 100 and 3,500 Hz). */
export function strongestFrequency(packets: readonly HeardPacket[]): number {
  const samples = packets.flatMap((packet) => [...packet.payload].map(muLawToLinear));
  let best = { frequency: 0, power: -1 };
  for (let frequency = 100; frequency <= 3500; frequency += 10) {
    let real = 0;
    let imaginary = 0;
    for (const [index, sample] of samples.entries()) {
      const angle = (2 * Math.PI * frequency * index) / 8000;
      real += sample * Math.cos(angle);
      imaginary += sample * Math.sin(angle);
    }
    const power = real * real + imaginary * imaginary;
    if (power > best.power) best = { frequency, power };
  }
  return best.frequency;
}

function muLawToLinear(byte: number): number {
  const inverted = ~byte & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 132) << ((inverted >> 4) & 0x07)) - 132;
  return (inverted & 0x80) === 0 ? magnitude : -magnitude;
}
