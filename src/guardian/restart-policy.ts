/** So many deaths within the window are answered at once: ten crashes in ten seconds must cost no call its audio. */
const freeDeaths = 10;
const windowMilliseconds = 10_000;
const firstDelayMilliseconds = 100;
const maximumDelayMilliseconds = 5_000;
/** A life of this length ends a crash loop. */
const healthyLifeMilliseconds = 30_000;

/** When to restart a process that died: at once, or, in a crash loop, after delays that double from 100 ms to 5 s. */
export class RestartPolicy {
  #deaths: number[] = [];
  #delay = 0;

  /** `now` and `bornAt`: monotonic milliseconds. Returns the delay before the restart, in milliseconds. */
  died(now: number, bornAt: number): number {
    if (now - bornAt >= healthyLifeMilliseconds) {
      this.#deaths = [];
      this.#delay = 0;
    }
    this.#deaths = this.#deaths.filter((at) => now - at < windowMilliseconds);
    this.#deaths.push(now);
    if (this.#delay === 0 && this.#deaths.length <= freeDeaths) return 0;
    this.#delay = Math.min(this.#delay === 0 ? firstDelayMilliseconds : this.#delay * 2, maximumDelayMilliseconds);
    return this.#delay;
  }
}
