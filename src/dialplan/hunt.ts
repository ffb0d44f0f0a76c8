import {
  compileExpression,
  type DialplanAction,
  type DialplanCondition,
  type DialplanContext,
  type DialplanExtension,
  type DialplanRegex,
} from '../config/index.ts';
import { expandVariables, literalText } from './expand.ts';
import { type LocalTime, type TimeZoneChoice, timeMatches } from './time-match.ts';

/** Longer fields match no expression: a bound on the work that a caller can cause. */
const MAX_FIELD_LENGTH = 4096;
/** Actions one hunt collects at most. */
const MAX_ACTIONS = 2000;

export interface HuntInput {
  /** Caller profile field (`destination_number`, `caller_id_number`, `network_addr`, …) or channel variable; empty when unset. */
  field(name: string): string;
  /** Replaces `${…}` with variables and functions; without it only variables are replaced, by `field`. */
  expand?(text: string): string;
  /** Runs an `inline="true"` action at once, so that later conditions see what it set. `data` has its captures, variables are not expanded. */
  runInline(application: string, data: string): void;
  /** Local time of the call; without it conditions with time attributes do not match. */
  localTime?(zone: TimeZoneChoice): LocalTime;
  /** What an expression with parentheses captured: `DP_MATCH`, and `DP_REGEX_MATCH_1`… for `<regex>`; index 0 is the whole match. */
  captured?(name: string, values: readonly string[]): void;
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
 * Walks a context as mod_dialplan_xml does: extensions in order until one proceeds without `continue`. With the
 * variable `auto_hunt` the walk starts at an extension named like the destination number, where there is one.
 */
export function hunt(context: DialplanContext, input: HuntInput): HuntResult {
  const state: Hunt = { input, actions: [], extensions: [], current: '' };
  const destination = input.field('destination_number');
  const named = /^(true|yes|on|1)$/i.test(input.field('auto_hunt'))
    ? context.extensions.findIndex((extension) => extension.name === destination)
    : -1;
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
    proceed = match !== null || condition.antiActions.length > 0;
    if (match === null) for (const action of condition.antiActions) add(action, NO_CAPTURES, state);
    else for (const action of condition.actions) add(action, match, state);
    if (condition.break === 'always' || (match === null ? condition.break === 'on-false' : condition.break === 'on-true')) break;
    if (!proceed || condition.nested.length === 0) continue;
    proceed = walkConditions(condition.nested, state) || condition.requireNested === false;
    if (!proceed && condition.break !== 'never') return false;
  }
  return proceed;
}

/** Captures of the expression; empty when `$1` must stay as written (no field or no parentheses). */
type Captures = readonly (string | undefined)[];
const NO_CAPTURES: Captures = [];

/** The captures when the condition holds, null when it does not. */
function evaluate(condition: DialplanCondition, input: HuntInput): Captures | null {
  if (condition.regex === undefined) {
    const { field, expression, timeAttributes } = condition;
    const match = test({ field, expression: expression ?? '', timeAttributes }, input);
    if (match !== null) tellCaptures('DP_MATCH', match, input);
    return match;
  }
  if (!timeHolds(condition.timeAttributes, input)) return null;
  const { mode, tests } = condition.regex;
  let passed = 0;
  let captures = NO_CAPTURES;
  for (const [index, each] of tests.entries()) {
    const match = test(each, input);
    if (match !== null) {
      passed += 1;
      if (match.length > 0) captures = match;
      tellCaptures(`DP_REGEX_MATCH_${index + 1}`, match, input);
      if (mode === 'any') break;
    } else if (mode === 'all') return null;
  }
  if (mode === 'all' ? passed !== tests.length : mode === 'any' ? passed === 0 : passed !== 1) return null;
  tellCaptures('DP_MATCH', captures, input);
  return captures;
}

function tellCaptures(name: string, captures: Captures, input: HuntInput): void {
  if (captures.length > 0)
    input.captured?.(
      name,
      captures.map((each) => each ?? ''),
    );
}

function timeHolds(attributes: ReadonlyMap<string, string>, input: HuntInput): boolean {
  if (attributes.size === 0) return true;
  const offset = input.field('tod_tz_offset');
  const time = input.localTime?.({
    offsetHours: /^[+-]?\d{1,2}$/.test(offset) ? Number(offset) : null,
    name: input.field('timezone') || null,
  });
  return time !== undefined && timeMatches(attributes, time);
}

function test(regex: DialplanRegex, input: HuntInput): Captures | null {
  if (!timeHolds(regex.timeAttributes, input)) return null;
  if (regex.field === null) return NO_CAPTURES;
  const expand = (text: string): string => input.expand?.(text) ?? expandVariables(text, (name) => input.field(name));
  const value = regex.field.includes('$') ? expand(regex.field) : input.field(regex.field);
  const expression = regex.expression.includes('${') ? expand(regex.expression) : regex.expression;
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

/** Replaces `$1`…; what was captured comes from the network and must not become a variable or a function of the data. */
function withCaptures(data: string, captures: Captures): string {
  const replace = (literal: (text: string) => string): string =>
    data.replace(/\$(\d{1,5})/g, (_token, digits: string) => literal(captures[Number(digits)] ?? ''));
  const plain = replace((text) => text);
  return plain.includes('${') ? replace(literalText) : plain;
}

function add(action: DialplanAction, captures: Captures, state: Hunt): void {
  const data = captures.length === 0 ? action.data : withCaptures(action.data, captures);
  for (let times = action.loop ?? 1; times > 0; times -= 1) {
    if (action.inline) {
      state.input.runInline(action.application, data);
      continue;
    }
    if (state.actions.length >= MAX_ACTIONS) return;
    if (state.extensions.at(-1) !== state.current) state.extensions.push(state.current);
    state.actions.push({ application: action.application, data });
  }
}
