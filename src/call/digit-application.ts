import { compileExpression } from '../config/index.ts';
import { type ApplicationTable, ensureMedia, type Outcome, setVariable, splitArguments } from './application-type.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { setApplicationMode } from './media-control.ts';
import { startPlayback } from './play-source.ts';

const MAXIMUM_DIGITS = 128;
const MAXIMUM_TRIES = 1000;
const MAXIMUM_TIMEOUT = 3_600_000;
const DEFAULT_TIMEOUT = 5000;

/** How digits are to be collected, read from the application's data. */
interface Collection {
  readonly minimum: number;
  readonly maximum: number;
  readonly tries: number;
  /** Milliseconds to wait for the first digit after the prompt, and for each further one. */
  readonly timeout: number;
  readonly digitTimeout: number;
  readonly terminators: string;
  readonly prompt: string;
  readonly invalidPrompt: string;
  readonly variable: string;
  readonly expression: string;
  /** `extension dialplan context` to go to when all tries failed. */
  readonly failure: string;
}

function whole(text: string | undefined, fallback: number, maximum: number): number {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), maximum) : fallback;
}

function terminatorsOf(text: string | undefined): string {
  return text === undefined || text === 'none' ? '' : text;
}

/** `min max sound variable timeout terminators [digit-timeout]`. */
function readArguments(data: string): Collection {
  const [minimum, maximum, prompt = '', variable = '', timeoutText, terminators, digitTimeout] = splitArguments(data);
  const timeout = whole(timeoutText, DEFAULT_TIMEOUT, MAXIMUM_TIMEOUT);
  return {
    minimum: whole(minimum, 1, MAXIMUM_DIGITS),
    maximum: Math.max(1, whole(maximum, MAXIMUM_DIGITS, MAXIMUM_DIGITS)),
    tries: 1,
    timeout,
    digitTimeout: whole(digitTimeout, timeout, MAXIMUM_TIMEOUT),
    terminators: terminatorsOf(terminators),
    prompt,
    invalidPrompt: '',
    variable,
    expression: '',
    failure: '',
  };
}

/** `min max tries timeout terminators file invalid-file variable expression [digit-timeout [failure]]`. */
function playAndGetArguments(data: string): Collection {
  const words = splitArguments(data);
  const [minimum, maximum, tries, timeoutText, terminators, prompt = '', invalidPrompt = '', variable = '', expression = ''] = words;
  const timeout = whole(timeoutText, DEFAULT_TIMEOUT, MAXIMUM_TIMEOUT);
  return {
    minimum: whole(minimum, 1, MAXIMUM_DIGITS),
    maximum: Math.max(1, whole(maximum, MAXIMUM_DIGITS, MAXIMUM_DIGITS)),
    tries: Math.max(1, whole(tries, 1, MAXIMUM_TRIES)),
    timeout,
    digitTimeout: whole(words[9], timeout, MAXIMUM_TIMEOUT),
    terminators: terminatorsOf(terminators),
    prompt,
    invalidPrompt,
    variable,
    expression,
    failure: words[10] ?? '',
  };
}

/** Where a collection stands; kept in the leg's record, so that it goes on after a crash. */
function stateOf(leg: Leg): NonNullable<NonNullable<Leg['record']['execution']>['collection']> | null {
  return leg.record.execution?.collection ?? null;
}

function begin(context: CallContext, leg: Leg, collection: Collection): Outcome {
  if (!ensureMedia(context, leg)) return 'gone';
  const { execution } = leg.record;
  if (execution === null) return 'gone';
  setVariable(leg, collection.variable, '');
  execution.collection = { digits: '', attempt: 1, phase: 'prompt' };
  say(context, leg, collection);
  return 'waiting';
}

/** Plays what belongs to the present phase, or waits for digits when that is nothing. */
function say(context: CallContext, leg: Leg, collection: Collection): void {
  const state = stateOf(leg);
  if (state === null) return;
  leg.dirty = true;
  const sound = state.phase === 'invalid' ? collection.invalidPrompt : collection.prompt;
  const silent = sound === '' || sound === 'silence' || sound === 'none';
  if (!silent && startPlayback(context, leg, sound, 0, `.${state.attempt}${state.phase}`)) return;
  promptOver(context, leg, collection);
}

function promptOver(context: CallContext, leg: Leg, collection: Collection): void {
  const state = stateOf(leg);
  if (state === null) return;
  if (state.phase === 'invalid') {
    state.phase = 'prompt';
    say(context, leg, collection);
    return;
  }
  state.phase = 'waiting';
  wait(context, leg, collection.timeout);
}

function wait(context: CallContext, leg: Leg, milliseconds: number): void {
  const { execution } = leg.record;
  if (execution === null) return;
  execution.deadline = context.wallMicroseconds() + milliseconds * 1000;
  leg.dirty = true;
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'application', delayMilliseconds: milliseconds });
}

function takeDigit(context: CallContext, leg: Leg, collection: Collection, digit: string): void {
  const state = stateOf(leg);
  if (state === null) return;
  // A digit ends the prompt.
  if (state.phase !== 'waiting') setApplicationMode(context, leg, { kind: 'idle' });
  state.phase = 'waiting';
  leg.dirty = true;
  if (collection.terminators.includes(digit)) {
    setVariable(leg, 'read_terminator_used', digit);
    finish(context, leg, collection, 'failure');
    return;
  }
  state.digits += digit;
  if (state.digits.length >= collection.maximum) finish(context, leg, collection, 'failure');
  else wait(context, leg, collection.digitTimeout);
}

function isValid(digits: string, collection: Collection): boolean {
  if (digits.length < collection.minimum) return false;
  if (collection.expression === '') return true;
  try {
    return compileExpression(collection.expression).test(digits);
  } catch {
    return false;
  }
}

/** No more digits come: they are what was asked for, or it is asked again, or given up as `failed`. */
function finish(context: CallContext, leg: Leg, collection: Collection, failed: 'failure' | 'timeout'): void {
  const state = stateOf(leg);
  const { execution } = leg.record;
  if (state === null || execution === null) return;
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'application', delayMilliseconds: null });
  const { digits } = state;
  const valid = isValid(digits, collection);
  if (!valid && state.attempt < collection.tries) {
    execution.collection = { digits: '', attempt: state.attempt + 1, phase: 'invalid' };
    say(context, leg, collection);
    return;
  }
  execution.collection = null;
  setApplicationMode(context, leg, { kind: 'idle' });
  if (valid) setVariable(leg, collection.variable, digits);
  else if (digits !== '') setVariable(leg, `${collection.variable}_invalid`, digits);
  setVariable(leg, 'read_result', valid ? 'success' : failed);
  if (valid || collection.failure === '') {
    context.applicationDone(leg);
    return;
  }
  const [extension = '', , dialplanContext] = collection.failure.split(/\s+/);
  context.transfer(leg, extension, dialplanContext ?? leg.record.caller.context);
}

function collector(parse: (data: string) => Collection): ApplicationTable[string] {
  return {
    run: (context, leg, data) => begin(context, leg, parse(data)),
    digit: (context, leg, data, digit) => takeDigit(context, leg, parse(data), digit),
    played: (context, leg, data) => promptOver(context, leg, parse(data)),
    timer: (context, leg, data) => finish(context, leg, parse(data), 'timeout'),
    resume: (context, leg, data) => {
      // `media` has the prompt with its position, and says when it is over.
      if (stateOf(leg)?.phase === 'waiting') {
        const left = (leg.record.execution?.deadline ?? 0) - context.wallMicroseconds();
        context.emit({ kind: 'timer', leg: leg.uuid, name: 'application', delayMilliseconds: Math.max(0, left / 1000) });
      } else if (leg.record.media?.endpoint?.mode.kind !== 'play') say(context, leg, parse(data));
    },
  };
}

/** Applications that collect digits: a prompt, then digits until a terminator, the maximum or a timeout. */
export const DIGIT_APPLICATIONS: ApplicationTable = {
  read: collector(readArguments),
  play_and_get_digits: collector(playAndGetArguments),
};
