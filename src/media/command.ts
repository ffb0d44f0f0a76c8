import { isInteger, isObject } from './endpoint-state.ts';
import type { MediaCommand } from './protocol.ts';

/** Longest run of digits in one `sendDtmf`. */
const MAX_DIGITS_TEXT = 256;

/** A command out of one line, or what is wrong with it. The endpoints in a `set` are judged one by one by the plane. */
export function parseCommand(
  line: string,
): { readonly command: MediaCommand } | { readonly problem: string; readonly request: number | null } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { problem: 'not JSON', request: null };
  }
  if (!isObject(value) || !isInteger(value['request'], 0, Number.MAX_SAFE_INTEGER)) return { problem: 'no request number', request: null };
  const problem = shapeProblem(value);
  // The shape was just checked.
  return problem === null ? { command: value as unknown as MediaCommand } : { problem, request: value['request'] };
}

function shapeProblem(value: Record<string, unknown>): string | null {
  switch (value['kind']) {
    case 'hello':
      return typeof value['version'] === 'number' ? null : 'hello needs a version';
    case 'set':
      return Array.isArray(value['endpoints']) ? null : 'set needs endpoints';
    case 'close':
      return isTexts(value['ids']) ? null : 'close needs ids';
    case 'list':
      return value['ids'] === null || isTexts(value['ids']) ? null : 'list needs ids or null';
    case 'sendDtmf': {
      const digits = value['digits'];
      const good = typeof value['id'] === 'string' && typeof digits === 'string' && digits.length <= MAX_DIGITS_TEXT;
      return good && typeof value['durationMilliseconds'] === 'number' ? null : 'sendDtmf needs id, digits and durationMilliseconds';
    }
    default:
      return `unknown command ${JSON.stringify(value['kind'])}`;
  }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
