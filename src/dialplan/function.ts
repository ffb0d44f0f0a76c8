import { createHash } from 'node:crypto';
import { compileExpression } from '../config/index.ts';
import { evaluateArithmetic } from './arithmetic.ts';
import { formatTime } from './strftime.ts';
import type { LocalTime } from './time-match.ts';

/** Longer subjects match no expression of `${regex(…)}`. */
const MAX_SUBJECT_LENGTH = 4096;

export interface FunctionEnvironment {
  /** Wall clock in microseconds. */
  readonly wallMicroseconds: number;
  readonly localTime: LocalTime;
}

/** `${name(argumentText)}` of the functions that need nothing but their arguments and the time; null when there is no such one. */
export function callPureFunction(name: string, argumentText: string, environment: () => FunctionEnvironment): string | null {
  switch (name) {
    case 'cond':
      return choose(argumentText);
    case 'regex':
      return matchRegex(argumentText);
    case 'expr':
      return evaluateArithmetic(argumentText) ?? '-ERR';
    case 'strftime': {
      const { localTime, wallMicroseconds } = environment();
      return formatTime(argumentText === '' ? '%Y-%m-%d %T' : argumentText, localTime, wallMicroseconds);
    }
    case 'strepoch':
      return String(Math.floor(environment().wallMicroseconds / 1_000_000));
    case 'toupper':
      return argumentText.toUpperCase();
    case 'tolower':
      return argumentText.toLowerCase();
    case 'url_encode':
      return encodeURIComponent(argumentText);
    case 'url_decode':
      return decode(argumentText);
    case 'md5':
      return createHash('md5').update(argumentText).digest('hex');
    case 'eval':
      return argumentText;
    default:
      return null;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `a == b ? yes : no` (mod_commands, cond): numbers are compared as numbers, everything else as text. */
function choose(text: string): string {
  const match = /^(.*?)\s*(==|!=|>=|<=|>|<)\s*(.*?)\s*\?\s*(.*?)\s*:\s*(.*)$/s.exec(text.trim());
  if (match === null) return '-ERR';
  const [, left = '', operator = '', right = '', yes = '', no = ''] = match;
  return unquote(compare(unquote(left), operator, unquote(right)) ? yes : no);
}

function unquote(text: string): string {
  const inner = /^(['"])(.*)\1$/s.exec(text.trim());
  return inner?.[2] ?? text.trim();
}

function compare(left: string, operator: string, right: string): boolean {
  const numeric = /^-?\d+(\.\d+)?$/;
  const order =
    numeric.test(left) && numeric.test(right) ? Math.sign(Number(left) - Number(right)) : left < right ? -1 : left > right ? 1 : 0;
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
    case '>=':
      return order >= 0;
    default:
      return order <= 0;
  }
}

function compile(pattern: string): RegExp | null {
  try {
    return compileExpression(pattern);
  } catch {
    return null;
  }
}

/**
 * `data|pattern[|%1…[|n|b]]` (mod_commands, regex): the substitution, or `true` and `false` without one. Without a match
 * the data itself comes back, with `n` nothing, with `b` always `true` or `false`. `m:~…` chooses another separator.
 */
function matchRegex(text: string): string {
  const chosen = /^m:(.)/s.exec(text);
  const separator = chosen?.[1] ?? '|';
  const [data = '', ...rest] = (chosen === null ? text : text.slice(3)).split(separator);
  const flag = rest.length > 2 && (rest.at(-1) === 'n' || rest.at(-1) === 'b') ? rest.pop() : '';
  if (data.length > MAX_SUBJECT_LENGTH) return '-ERR';
  // The separator may stand inside the pattern as its alternative: what is before the last one must then be a pattern.
  const whole = compile(rest.join(separator));
  const front = rest.length > 1 ? compile(rest.slice(0, -1).join(separator)) : null;
  const expression = front ?? whole;
  if (expression === null) return '-ERR';
  const match = expression.exec(data);
  const substitution = front === null ? undefined : rest.at(-1);
  if (substitution === undefined || flag === 'b') return String(match !== null);
  if (match === null) return flag === 'n' ? '' : data;
  const captures = match;
  return substitution.replace(/[%$](\d{1,2})/g, (_token, digits: string) => captures[Number(digits)] ?? '');
}
