/** Sound for real phones, and how to find it again in what they recorded. 16-bit linear samples at 8000 Hz. */
export const toneFrequency = 440;
const rate = 8000;
const audible = 500;
const frameSamples = 160;

export function makeTone(seconds: number): Int16Array {
  return Int16Array.from({ length: seconds * rate }, (_, index) =>
    Math.round(8000 * Math.sin((2 * Math.PI * toneFrequency * index) / rate)),
  );
}

/** Share of the energy at the tone's frequency, 0…1 (Goertzel). */
export function toneShare(samples: Int16Array, frequency = toneFrequency): number {
  const factor = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  let last = 0;
  let beforeLast = 0;
  let energy = 0;
  for (const sample of samples) {
    const next = sample + factor * last - beforeLast;
    beforeLast = last;
    last = next;
    energy += sample * sample;
  }
  const power = last * last + beforeLast * beforeLast - factor * last * beforeLast;
  return energy === 0 ? 0 : (2 * power) / (samples.length * energy);
}

/** How often it falls silent for at least `frames` frames of 20 ms after the first sound. */
export function countSilences(samples: Int16Array, frames: number): number {
  let heard = false;
  let silent = 0;
  let silences = 0;
  for (let from = 0; from + frameSamples <= samples.length; from += frameSamples) {
    const loud = samples.subarray(from, from + frameSamples).some((sample) => Math.abs(sample) > audible);
    if (loud) {
      heard = true;
      silent = 0;
      continue;
    }
    silent += 1;
    if (heard && silent === frames) silences += 1;
  }
  return silences;
}
