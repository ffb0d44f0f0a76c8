import type { Random } from '../base/index.ts';
import type { Config } from '../config/index.ts';

/** Even RTP ports of `rtp-start-port` … `rtp-end-port`; RTCP takes the odd one above. */
export class PortRange {
  readonly #config: () => Config;
  readonly #random: Random;
  readonly #taken = new Set<number>();
  #next: number | null = null;

  constructor(config: () => Config, random: Random) {
    this.#config = config;
    this.#random = random;
  }

  /** Walks through the range, so that a port rests as long as it can before it is used again; null when all are taken. */
  allocate(): number | null {
    const { rtpStartPort, rtpEndPort } = this.#config();
    const first = rtpStartPort + (rtpStartPort % 2);
    const count = Math.floor((rtpEndPort - first + 1) / 2);
    if (count <= 0) return null;
    this.#next ??= this.#random.uint32() % count;
    for (let tried = 0; tried < count; tried += 1) {
      const port = first + 2 * (this.#next % count);
      this.#next += 1;
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      return port;
    }
    return null;
  }

  take(port: number): void {
    this.#taken.add(port);
  }

  release(port: number): void {
    this.#taken.delete(port);
  }
}
