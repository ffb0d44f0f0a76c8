/** Zero crossings of the windowed sinc on each side: enough for telephony. */
const ZERO_CROSSINGS = 10;
/** Sample rates in use reduce to at most 441 phases; odd ones are rounded to this many. */
const MAXIMUM_PHASES = 512;

/**
 * Changes the sample rate with a low-pass at the lower of both Nyquist frequencies (Hann-windowed sinc, one
 * coefficient table for each phase).
 */
export function resample(samples: Int16Array, fromRate: number, toRate: number): Int16Array {
  if (fromRate === toRate) return samples;
  const divisor = greatestCommonDivisor(fromRate, toRate);
  const exactPhases = toRate / divisor;
  const phases = Math.min(exactPhases, MAXIMUM_PHASES);
  const cutoff = Math.min(1, toRate / fromRate);
  const reach = Math.ceil(ZERO_CROSSINGS / cutoff);
  const taps = 2 * reach;
  const coefficients = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const value = windowedSinc(tap - reach + 1 - phase / phases, cutoff, reach);
      coefficients[phase * taps + tap] = value;
      sum += value;
    }
    // Unity gain for every phase, so that a constant stays constant.
    for (let tap = 0; tap < taps; tap++) coefficients[phase * taps + tap] = (coefficients[phase * taps + tap] ?? 0) / sum;
  }

  // Silence at both ends: every tap then reads inside the array, which is several times faster.
  const padded = new Float32Array(samples.length + 2 * taps);
  padded.set(samples, taps);
  const result = new Int16Array(Math.floor((samples.length * toRate) / fromRate));
  for (let index = 0; index < result.length; index++) {
    const position = (index * fromRate) / toRate;
    const whole = Math.floor(position);
    const row = Math.min(phases - 1, Math.round((position - whole) * phases)) * taps;
    const first = taps + whole - reach + 1;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += (padded[first + tap] ?? 0) * (coefficients[row + tap] ?? 0);
    result[index] = Math.max(-32768, Math.min(32767, Math.round(sum)));
  }
  return result;
}

function windowedSinc(distance: number, cutoff: number, reach: number): number {
  if (Math.abs(distance) >= reach) return 0;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / reach);
  const angle = Math.PI * distance * cutoff;
  return window * cutoff * (angle === 0 ? 1 : Math.sin(angle) / angle);
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}
