import type { Random } from '../../src/base/index.ts';
import {
  type EndpointMode,
  type EndpointState,
  JOURNAL_BYTES,
  Journal,
  type MediaCommand,
  type MediaEvent,
  MediaPlane,
  type MediaReply,
} from '../../src/media/index.ts';
import { type SentPacket, SimulatedPacketIo } from './simulated-packet-io.ts';

export const LOCAL = '10.0.0.1';
export const PCMU = { payloadType: 0, name: 'PCMU', clockRate: 8000, packetTime: 20, telephoneEvent: 101 } as const;
export const PCMA = { payloadType: 8, name: 'PCMA', clockRate: 8000, packetTime: 20, telephoneEvent: 101 } as const;

/** A media plane on virtual time that can be killed and started again from its journal. */
export class Bench {
  now = 1000;
  wall = 1_700_000_000_000_000;
  readonly sent: SentPacket[] = [];
  readonly events: MediaEvent[] = [];
  readonly bytes = new Uint8Array(JOURNAL_BYTES);
  readonly files = new Map<string, Uint8Array>();
  io: SimulatedPacketIo;
  plane: MediaPlane;
  #seed = 7;
  #request = 0;

  constructor() {
    [this.io, this.plane] = this.#start();
  }

  #start(): [SimulatedPacketIo, MediaPlane] {
    const io = new SimulatedPacketIo((packet) => this.sent.push(packet));
    const random: Random = {
      uint32: () => (this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0),
      uuid: () => `runtime-${this.#seed}`,
      token: () => 'token',
    };
    const plane = new MediaPlane({
      io,
      clock: { now: () => this.now, wallMicroseconds: () => this.wall },
      journal: new Journal(this.bytes),
      random,
      emit: (event) => this.events.push(event),
      readFile: (path) => {
        const bytes = this.files.get(path);
        if (bytes === undefined) throw new Error(`no file ${path}`);
        return bytes;
      },
      pid: 1,
    });
    return [io, plane];
  }

  /** SIGKILL, then a fresh process `milliseconds` later, on the same journal. `taken` ports are held by someone else. */
  crash(milliseconds: number, taken: readonly string[] = []) {
    this.now += milliseconds;
    this.wall += milliseconds * 1000;
    [this.io, this.plane] = this.#start();
    for (const port of taken) this.io.taken.add(port);
    return this.plane.restore();
  }

  /** Lets time pass in steps of at most 5 ms; `each` runs every 20 ms. */
  run(milliseconds: number, each: () => void = () => undefined): void {
    for (let elapsed = 0; elapsed < milliseconds; elapsed += 5) {
      if (elapsed % 20 === 0) each();
      this.now += 5;
      this.wall += 5000;
      if (this.plane.nextTickAt <= this.now) this.plane.tick();
    }
  }

  command(command: MediaCommand): MediaReply {
    return this.plane.handleCommand(command);
  }

  set(...endpoints: EndpointState[]) {
    const reply = this.command({ kind: 'set', request: ++this.#request, endpoints });
    if (reply.kind !== 'done') throw new Error('expected done');
    return reply.failed;
  }

  report(id: string) {
    const reply = this.command({ kind: 'list', request: ++this.#request, ids: [id] });
    const report = reply.kind === 'report' ? reply.endpoints[0] : undefined;
    if (report === undefined) throw new Error(`no report of ${id}`);
    return report;
  }

  /** A datagram from a peer; false when the port is closed. */
  arrive(port: number, bytes: Uint8Array, fromPort: number, fromIp = '10.9.0.1'): boolean {
    const socket = this.io.socketAt(LOCAL, port);
    if (socket === undefined) return false;
    const copy = Uint8Array.from(bytes);
    this.plane.handlePacket(socket, copy, 0, copy.length, this.io.ips.toNumber(fromIp), fromPort);
    return true;
  }

  /** Packets sent to a port of a peer since the last call of `take` for it. */
  take(toPort: number): SentPacket[] {
    const taken = this.sent.filter((packet) => packet.toPort === toPort);
    for (const packet of taken) this.sent.splice(this.sent.indexOf(packet), 1);
    return taken;
  }
}

export function endpoint(id: string, localPort: number, mode: EndpointMode, more: Partial<EndpointState> = {}): EndpointState {
  return {
    id,
    localIp: LOCAL,
    localPort,
    remote: { ip: '10.9.0.1', port: localPort + 10_000 },
    remoteRtcp: null,
    learned: null,
    format: PCMU,
    ssrc: 0x1000_0000 + localPort,
    send: true,
    receive: true,
    rtpTimeout: 0,
    mode,
    ...more,
  };
}

export function rtp(
  sequence: number,
  timestamp: number,
  options: { payloadType?: number; marker?: boolean; ssrc?: number; payload?: Uint8Array } = {},
): Uint8Array {
  const payload = options.payload ?? new Uint8Array(160).fill(0x55);
  const bytes = new Uint8Array(12 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80;
  bytes[1] = (options.marker ? 128 : 0) | (options.payloadType ?? 0);
  view.setUint16(2, sequence & 0xffff);
  view.setUint32(4, timestamp >>> 0);
  view.setUint32(8, options.ssrc ?? 0xabcd);
  bytes.set(payload, 12);
  return bytes;
}

export function parse(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    payloadType: view.getUint8(1) & 127,
    marker: view.getUint8(1) >= 128,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    payload: bytes.subarray(12),
  };
}

export function digit(event: number, end: boolean, duration: number): Uint8Array {
  return Uint8Array.of(event, end ? 0x8a : 0x0a, duration >> 8, duration & 255);
}
