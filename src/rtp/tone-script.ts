import { UndropError } from '../base/index.ts';

export const MAXIMUM_TONE_SCRIPT_LENGTH = 4096;
export const MAXIMUM_TONE_SEGMENTS = 1024;
export const MAXIMUM_TONE_FREQUENCIES = 18;
/** A day: longer is a mistake in the script. */
const MAXIMUM_TONE_MILLISECONDS = 86_400_000;
const MAXIMUM_TONE_LOOPS = 1_000_000;

/** Defaults of FreeSWITCH's libteletone (2000 and 500 samples at 8 kHz). */
const DEFAULT_DURATION_MILLISECONDS = 250;
const DEFAULT_WAIT_MILLISECONDS = 62.5;
const DEFAULT_VOLUME_DECIBELS = -7;
const MINIMUM_VOLUME_DECIBELS = -63;
/** Level of a full-scale sine in dBm0: libteletone's DBM0_MAX_POWER. */
const FULL_SCALE_DBM0 = 3.14 + 3.02;

const DTMF_ROWS = [697, 770, 852, 941];
const DTMF_COLUMNS = [1209, 1336, 1477, 1633];
const DTMF_KEYS = '123A456B789C*0#D';

/** A tone and the silence after it, over and over until the next segment starts. Lengths in samples. */
interface Segment {
  readonly start: number;
  readonly on: number;
  readonly period: number;
  readonly frequencies: readonly number[];
  readonly amplitude: number;
}

interface Settings {
  duration: number;
  wait: number;
  volume: number;
  repeats: number;
  passes: number;
}

/**
 * A tone script in FreeSWITCH's TGML (`tone_stream://…`, libteletone):
 * `%(on,off,f1,f2,…)` in milliseconds and hertz; DTMF digits; `d=` and `w=` tone and silence of a digit in milliseconds;
 * `v=` volume in dB (−63…0); `l=` repeats of each following tone; `L=` repeats of the whole; `loops=` the same, −1 endless.
 * `c=`, `r=` and the fades `>=`, `<=`, `+=` are accepted and have no effect.
 * A sample depends on its position only, so that playback can go on where it was after a crash.
 */
export class ToneScript {
  /** Whole length in samples, all loops included; null when endless. */
  readonly lengthSamples: number | null;
  readonly #segments: readonly Segment[];
  readonly #passLength: number;
  readonly #sampleRate: number;

  /** `sampleRate` in Hz. Throws `UndropError` (`TONE_SCRIPT`) that names the bad part. */
  constructor(script: string, sampleRate: number) {
    const { segments, passLength, passes } = parse(script, sampleRate);
    this.#segments = segments;
    this.#passLength = passLength;
    this.#sampleRate = sampleRate;
    this.lengthSamples = passes < 0 ? null : passLength * passes;
  }

  /** Fills `into` from `positionSamples` on; returns how many samples were written, fewer than asked only at the end. */
  read(into: Int16Array, positionSamples: number): number {
    const remaining = this.lengthSamples === null ? into.length : Math.max(0, this.lengthSamples - positionSamples);
    const count = Math.min(into.length, remaining);
    let done = 0;
    while (done < count) {
      const inPass = (positionSamples + done) % this.#passLength;
      const segment = this.#segmentAt(inPass);
      const inPeriod = (inPass - segment.start) % segment.period;
      const sounding = inPeriod < segment.on;
      const length = Math.min(count - done, (sounding ? segment.on : segment.period) - inPeriod);
      const part = into.subarray(done, done + length);
      if (sounding) this.#fillTone(part, segment, inPeriod);
      else part.fill(0);
      done += length;
    }
    return count;
  }

  #segmentAt(inPass: number): Segment {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const segment = this.#segments[middle];
      if (segment !== undefined && segment.start <= inPass) low = middle;
      else high = middle - 1;
    }
    const found = this.#segments[low];
    if (found === undefined) throw new Error('broken invariant: a tone script has at least one segment');
    return found;
  }

  /** Adds the sines by the recurrence s(n) = 2·cos(w)·s(n−1) − s(n−2): two sine calls a block, not one a sample. */
  #fillTone(part: Int16Array, segment: Segment, offset: number): void {
    const sum = new Float64Array(part.length);
    for (const frequency of segment.frequencies) {
      const step = (2 * Math.PI * frequency) / this.#sampleRate;
      const factor = 2 * Math.cos(step);
      let beforeLast = segment.amplitude * Math.sin(step * (offset - 2));
      let last = segment.amplitude * Math.sin(step * (offset - 1));
      for (let index = 0; index < part.length; index++) {
        const sample = factor * last - beforeLast;
        sum[index] = (sum[index] ?? 0) + sample;
        beforeLast = last;
        last = sample;
      }
    }
    for (let index = 0; index < part.length; index++) {
      part[index] = Math.max(-32768, Math.min(32767, Math.round(sum[index] ?? 0)));
    }
  }
}

function parse(script: string, sampleRate: number): { segments: Segment[]; passLength: number; passes: number } {
  const shown = script.length > 80 ? `${script.slice(0, 80)}…` : script;
  const fail = (problem: string): UndropError =>
    new UndropError('TONE_SCRIPT', `tone script "${shown}": ${problem}`, { fix: 'write it like "%(2000,4000,440,480);loops=2"' });
  if (!Number.isInteger(sampleRate) || sampleRate < 8000 || sampleRate > 192_000) throw fail(`sample rate ${sampleRate} is not usable`);
  if (script.length > MAXIMUM_TONE_SCRIPT_LENGTH) throw fail(`longer than ${MAXIMUM_TONE_SCRIPT_LENGTH} characters`);

  const settings: Settings = {
    duration: DEFAULT_DURATION_MILLISECONDS,
    wait: DEFAULT_WAIT_MILLISECONDS,
    volume: DEFAULT_VOLUME_DECIBELS,
    repeats: 1,
    passes: 1,
  };
  const segments: Segment[] = [];
  let passLength = 0;
  let fileLoops: number | null = null;

  const samples = (milliseconds: number): number => Math.round((milliseconds * sampleRate) / 1000);
  const milliseconds = (text: string, what: string): number => {
    const value = decimal(text);
    if (value === null || value < 0 || value > MAXIMUM_TONE_MILLISECONDS) throw fail(`"${text}" is not a ${what} in milliseconds`);
    return value;
  };
  const loops = (text: string): number => {
    const value = decimal(text);
    if (value === null || !Number.isInteger(value) || value < -1 || value > MAXIMUM_TONE_LOOPS) {
      throw fail(`"${text}" is not a number of loops (−1 endless, at most ${MAXIMUM_TONE_LOOPS})`);
    }
    return value;
  };
  const add = (on: number, off: number, frequencies: readonly number[]): void => {
    if (segments.length >= MAXIMUM_TONE_SEGMENTS) throw fail(`more than ${MAXIMUM_TONE_SEGMENTS} tones`);
    const period = samples(on) + samples(off);
    if (period === 0) return;
    const amplitude = 10 ** ((settings.volume - FULL_SCALE_DBM0) / 20) * 32768 * Math.SQRT2;
    segments.push({ start: passLength, on: samples(on), period, frequencies, amplitude });
    passLength += period * settings.repeats;
  };

  for (const raw of script.replace(/^tone_stream:\/\//, '').split(/[;\n]/)) {
    const part = raw.trim();
    const assignment = /^(loops|[a-zA-Z<>+])\s*=\s*(.*)$/.exec(part);
    if (assignment !== null) {
      const [, name = '', value = ''] = assignment;
      if (name === 'loops') fileLoops = loops(value);
      else set(settings, name, value, { milliseconds, loops, fail });
      continue;
    }
    let rest = part;
    while (rest !== '') {
      if (rest.startsWith('%')) {
        const tone = /^%\(([^()]*)\)/.exec(rest);
        if (tone === null) throw fail('"%" is not followed by "(on,off,frequency)"');
        const [on = '', off, ...frequencies] = (tone[1] ?? '').split(',').map((field) => field.trim());
        if (frequencies.length > MAXIMUM_TONE_FREQUENCIES) throw fail(`more than ${MAXIMUM_TONE_FREQUENCIES} frequencies in one tone`);
        add(
          milliseconds(on, 'tone length'),
          off === undefined ? 0 : milliseconds(off, 'silence'),
          frequencies.map((text) => {
            const frequency = decimal(text);
            if (frequency === null || frequency < 0 || frequency > sampleRate / 2)
              throw fail(`"${text}" is not a frequency from 0 to ${sampleRate / 2} Hz`);
            return frequency;
          }),
        );
        rest = rest.slice(tone[0].length).trimStart();
        continue;
      }
      const key = DTMF_KEYS.indexOf((rest[0] ?? '').toUpperCase());
      if (key < 0) throw fail(`"${rest.slice(0, 20)}" is neither a tone, a digit nor a setting`);
      add(settings.duration, settings.wait, [DTMF_ROWS[key >> 2] ?? 0, DTMF_COLUMNS[key & 3] ?? 0]);
      rest = rest.slice(1).trimStart();
    }
  }
  if (passLength === 0) throw fail('it holds no tone');
  if (passLength > samples(MAXIMUM_TONE_MILLISECONDS)) throw fail('one pass is longer than a day');
  const passes = fileLoops ?? settings.passes;
  return { segments, passLength, passes: passes === 0 ? 1 : passes };
}

interface Reader {
  milliseconds(text: string, what: string): number;
  loops(text: string): number;
  fail(problem: string): UndropError;
}

function set(settings: Settings, name: string, value: string, reader: Reader): void {
  switch (name) {
    case 'v': {
      const volume = decimal(value);
      if (volume === null || volume < MINIMUM_VOLUME_DECIBELS || volume > 0) {
        throw reader.fail(`volume "${value}" is not between ${MINIMUM_VOLUME_DECIBELS} and 0 dB`);
      }
      settings.volume = volume;
      return;
    }
    case 'd':
      settings.duration = reader.milliseconds(value, 'duration');
      return;
    case 'w':
      settings.wait = reader.milliseconds(value, 'wait');
      return;
    case 'l':
      settings.repeats = Math.max(1, reader.loops(value));
      return;
    case 'L':
      settings.passes = reader.loops(value);
      return;
    case 'c':
    case 'r':
    case '>':
    case '<':
    case '+':
      return;
    default:
      throw reader.fail(`unknown setting "${name}="`);
  }
}

function decimal(text: string): number | null {
  return /^[+-]?\d+(\.\d*)?$|^[+-]?\.\d+$/.test(text) ? Number(text) : null;
}
