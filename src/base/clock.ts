/** A pending timer; cancelling twice, or after it fired, is harmless. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the protocol code sees it. The real one lives in `io/`, the simulated one in `test/simulator/`,
 * so that every protocol decision can be replayed from a seed.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin; for intervals within one process life. */
  now(): number;
  /** Microseconds since the Unix epoch; for what is stored, since a monotonic origin dies with its process. */
  wallMicroseconds(): number;
  /** Calls `fire` once, `delayMilliseconds` from now, never synchronously. */
  setTimer(delayMilliseconds: number, fire: () => void): Timer;
}
