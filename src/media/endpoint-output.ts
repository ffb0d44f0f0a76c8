import { CLOSED, type Endpoint } from './endpoint.ts';
import type { Journal } from './journal.ts';
import { SEQUENCE_RESERVE } from './own-stream.ts';
import type { PacketOutput } from './packet-io.ts';

/** What leaves an endpoint: packets to its peer, records to the journal. */
export class EndpointOutput {
  readonly #io: PacketOutput;
  readonly #journal: Journal;

  constructor(io: PacketOutput, journal: Journal) {
    this.#io = io;
    this.#journal = journal;
  }

  transmit(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number, wall: number): void {
    if (endpoint.source.port === 0) return;
    this.#io.send(endpoint.rtpSocket, bytes, offset, length, endpoint.source.ip, endpoint.source.port);
    endpoint.packetsOut++;
    endpoint.bytesOut += length;
    if (endpoint.firstOutAt === 0) endpoint.firstOutAt = wall;
    endpoint.lastOutAt = wall;
  }

  transmitRtcp(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number): void {
    if (endpoint.rtcpSocket === CLOSED || endpoint.source.port === 0) return;
    const { source, rtcpSource } = endpoint;
    if (rtcpSource.learnedPort === 0 && source.learnedPort !== 0 && source.learnedIp !== rtcpSource.remoteIp) {
      this.#io.send(endpoint.rtcpSocket, bytes, offset, length, source.learnedIp, source.learnedPort + 1);
    } else if (rtcpSource.port !== 0) {
      this.#io.send(endpoint.rtcpSocket, bytes, offset, length, rtcpSource.ip, rtcpSource.port);
    }
  }

  /** Reserves sequence numbers of our own stream in the journal; `timestamp` is due at `wall`. */
  reserve(endpoint: Endpoint, timestamp: number, wall: number): void {
    const { stream } = endpoint;
    stream.reserved = (stream.nextSequence + SEQUENCE_RESERVE) & 0xffff;
    this.#journal.writeSequence(endpoint.slot, stream.reserved, timestamp, wall);
  }

  save(endpoint: Endpoint): void {
    const saved = endpoint.saved(this.#io.ips);
    try {
      this.#journal.write(endpoint.slot, saved);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // A playback whose source is too long for the journal: after a crash silence, until the switch says it again.
      this.#journal.write(endpoint.slot, { ...saved, state: { ...saved.state, mode: { kind: 'idle' } } });
    }
  }
}
