import {
  compileExpression,
  type DialplanAction,
  type DialplanCondition,
  type DialplanContext,
  type DialplanExtension,
} from '../config/index.ts';
import { expandVariables } from './expand.ts';
import { type LocalTime, timeMatches } from './time-match.ts';

/** Longer fields match no expression: a bound on the work that a caller can cause. */
const MAX_FIELD_LENGTH = 4096;
/** Actions one hunt collects at most. */
const MAX_ACTIONS = 2000;

export interface HuntInput {
  /** Caller profile field (`destination_number`, `caller_id_number`, `network_addr`, …) or channel variable; empty when unset. */
  field(name: string): string;
  /** Runs an `inline="true"` action at once, so that later conditions see what it set. `data` has its captures, variables are not expanded. */
  runInline(application: string, data: string): void;
  /** Local time of the call; without it conditions with time attributes do not match. */
  localTime?(): LocalTime;
}

export interface HuntedAction {
  readonly application: string;
  /** Captures (`$1`) are replaced, variables (`${…}`) are not yet. */
  readonly data: string;
}

export interface HuntResult {
  /** The extension that gave the first action; null when nothing matched. */
  readonly extension: string | null;
  /** Every extension that gave an action, in order. */
  readonly extensions: readonly string[];
  readonly actions: readonly HuntedAction[];
}

interface Hunt {
  readonly input: HuntInput;
  readonly actions: HuntedAction[];
  readonly extensions: string[];
  current: string;
}

/**
 * Walks a context as mod_dialplan_xml does: extensions in order until one proceeds without `continue`;
 * an extension named like the destination number is where the walk starts.
 */
export function hunt(context: DialplanContext, input: HuntInput): HuntResult {
  const state: Hunt = { input, actions: [], extensions: [], current: '' };
  const destination = input.field('destination_number');
  const named = context.extensions.findIndex((extension) => extension.name === destination && destination !== '');
  for (let index = Math.max(named, 0); index < context.extensions.length; index += 1) {
    const extension = context.extensions[index] as DialplanExtension;
    state.current = extension.name;
    if (walkConditions(extension.conditions, state) && !extension.continue) break;
  }
  return { extension: state.extensions[0] ?? null, extensions: state.extensions, actions: state.actions };
}

/** True when the extension is the one (parse_exten's `proceed`): decided by the last condition that was looked at. */
function walkConditions(conditions: readonly DialplanCondition[], state: Hunt): boolean {
  let proceed = false;
  for (const condition of conditions) {
    const match = evaluate(condition, state.input);
    proceed = match !== null;
    if (match !== null) {
      for (const action of condition.actions) add(action, match, state);
      if (condition.nested.length > 0) proceed = walkConditions(condition.nested, state);
      if (condition.break === 'on-true' || condition.break === 'always') break;
      if (!proceed && condition.break === 'on-false') break;
    } else {
      for (const action of condition.antiActions) {
        add(action, NO_CAPTURES, state);
        proceed = true;
      }
      if (condition.break === 'on-false' || condition.break === 'always') break;
    }
  }
  return proceed;
}

/** Captures of the expression; empty when `$1` must stay as written (no field or no parentheses). */
type Captures = readonly (string | undefined)[];
const NO_CAPTURES: Captures = [];

/** The captures when the condition holds, null when it does not. */
function evaluate(condition: DialplanCondition, input: HuntInput): Captures | null {
  if (condition.timeAttributes.size > 0) {
    const time = input.localTime?.();
    if (time === undefined || !timeMatches(condition.timeAttributes, time)) return null;
  }
  if (condition.field === null) return NO_CAPTURES;
  const lookup = (name: string): string => input.field(name);
  const value = condition.field.includes('$') ? expandVariables(condition.field, lookup) : input.field(condition.field);
  const written = condition.expression ?? '';
  const expression = written.includes('${') ? expandVariables(written, lookup) : written;
  const match = value.length > MAX_FIELD_LENGTH ? null : execute(expression, value);
  if (match === null) return null;
  return expression.includes('(') ? match : NO_CAPTURES;
}

/** An expression that variables made invalid matches nothing; the loader has checked all others. */
function execute(expression: string, value: string): RegExpExecArray | null {
  try {
    return compileExpression(expression).exec(value);
  } catch {
    return null;
  }
}

function add(action: DialplanAction, captures: Captures, state: Hunt): void {
  const data =
    captures.length === 0 ? action.data : action.data.replace(/\$(\d{1,5})/g, (_token, digits: string) => captures[Number(digits)] ?? '');
  if (action.inline) {
    state.input.runInline(action.application, data);
    return;
  }
  if (state.actions.length >= MAX_ACTIONS) return;
  if (state.extensions.at(-1) !== state.current) state.extensions.push(state.current);
  state.actions.push({ application: action.application, data });
}
