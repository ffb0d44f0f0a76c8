/** Sequence numbers reserved in the journal at a time; two crashes stay far below RFC 3550's MAX_DROPOUT of 3000. */
export const SEQUENCE_RESERVE = 250;

/** The stream that we make ourselves: one SSRC whose sequence and timestamp never go back, whatever makes its audio. */
export class OwnStream {
  readonly ssrc: number;
  readonly clockRate: number;
  nextSequence: number;
  /** Sequence number up to which the journal has reserved. */
  reserved: number;
  #timestamp: number;
  #sentAt: number;
  /** For the sender report (RFC 3550, 6.4.1). */
  packets = 0;
  octets = 0;

  /** `timestamp` is due at `now` (monotonic milliseconds). */
  constructor(ssrc: number, clockRate: number, sequence: number, timestamp: number, now: number) {
    this.ssrc = ssrc;
    this.clockRate = clockRate;
    this.nextSequence = sequence & 0xffff;
    this.reserved = this.nextSequence;
    this.#timestamp = timestamp >>> 0;
    this.#sentAt = now;
  }

  /** Timestamp of a frame that is due at `now`: it runs with real time, and never back. */
  timestampAt(now: number): number {
    const elapsed = Math.max(0, now - this.#sentAt);
    return (this.#timestamp + Math.round((elapsed * this.clockRate) / 1000)) >>> 0;
  }

  /** Notes a packet of `octets` payload bytes; returns its sequence number. */
  advance(timestamp: number, now: number, octets: number): number {
    const sequence = this.nextSequence;
    this.nextSequence = (sequence + 1) & 0xffff;
    if (((timestamp - this.#timestamp) | 0) > 0) {
      this.#timestamp = timestamp;
      this.#sentAt = now;
    }
    this.packets++;
    this.octets += octets;
    return sequence;
  }

  /** Notes an echoed packet, whose numbers follow the peer's; older ones (reordered) change nothing. */
  follow(sequence: number, timestamp: number, now: number, octets: number): void {
    if (((sequence - this.nextSequence) << 16) >> 16 >= 0) this.nextSequence = (sequence + 1) & 0xffff;
    if (((timestamp - this.#timestamp) | 0) > 0) {
      this.#timestamp = timestamp;
      this.#sentAt = now;
    }
    this.packets++;
    this.octets += octets;
  }

  /** True when the journal must reserve more before the next packet. */
  needsReserve(): boolean {
    return ((this.reserved - this.nextSequence) & 0xffff) === 0 || ((this.reserved - this.nextSequence) & 0xffff) > SEQUENCE_RESERVE;
  }
}
