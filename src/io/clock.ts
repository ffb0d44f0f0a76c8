import type { Clock } from '../base/index.ts';

/** The longest delay setTimeout takes; a longer one would fire at once. */
const maximumDelayMilliseconds = 0x7fff_ffff;

/** The machine's clock: monotonic milliseconds of this process, microseconds of wall time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMicroseconds: () => Math.round((performance.timeOrigin + performance.now()) * 1000) + wallStep(),
  setTimer: (delayMilliseconds, fire) => {
    const handle = setTimeout(fire, Math.min(Math.max(delayMilliseconds, 0), maximumDelayMilliseconds));
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * How far the wall clock has been stepped since this process started, in microseconds; zero when by less than 50 ms,
 * so that the finer resolution of the monotonic clock is kept.
 */
function wallStep(): number {
  const step = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(step) < 50 ? 0 : Math.round(step * 1000);
}
