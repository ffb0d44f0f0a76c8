import type { Command } from './command.ts';

const USAGE = '<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]';
const DEFAULT_TIMEOUT_SECONDS = 60;
const MAXIMUM_TIMEOUT_SECONDS = 3600;

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']', '<': '>', '(': ')' };

/**
 * Splits at blanks, but not inside `'…'`, `{…}`, `[…]`, `<…>` or `(…)`, so that variables and application arguments may hold blanks.
 * Quotes around a word are removed, those inside brackets stay for the dial-string parser. null when a quote or bracket is not closed.
 */
export function splitOriginate(text: string): string[] | null {
  const words: string[] = [];
  const open: string[] = [];
  let word = '';
  let started = false;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? '';
    if (character === '\\' && index + 1 < text.length) {
      word += character + (text[index + 1] ?? '');
      index += 1;
      started = true;
    } else if (character === "'") {
      quoted = !quoted;
      started = true;
      if (open.length > 0) word += character;
    } else if (quoted) {
      word += character;
    } else if (/\s/.test(character) && open.length === 0) {
      if (started) words.push(word);
      word = '';
      started = false;
    } else {
      const closing = CLOSING[character];
      if (closing !== undefined) open.push(closing);
      else if (character === open.at(-1)) open.pop();
      word += character;
      started = true;
    }
  }
  if (quoted || open.length > 0) return null;
  if (started) words.push(word);
  return words;
}

function given(word: string | undefined): string | null {
  return word === undefined || word === '' || word === 'undef' ? null : word;
}

/** `&app(arguments)`, `app:arguments` of the inline dialplan, or an extension. */
function target(word: string, dialplan: string | null): { application: string; data: string; extension: string | null } | null {
  const application = /^&([A-Za-z0-9_-]+)(?:\((.*)\))?$/s.exec(word);
  if (application !== null) return { application: application[1] ?? '', data: application[2] ?? '', extension: null };
  if (word.startsWith('&')) return null;
  if (dialplan?.toLowerCase() !== 'inline') return { application: '', data: '', extension: word };
  if (word.includes(',')) return null;
  const colon = word.indexOf(':');
  return colon < 0
    ? { application: word, data: '', extension: null }
    : { application: word.slice(0, colon), data: word.slice(colon + 1), extension: null };
}

export const originateCommands: readonly Command[] = [
  {
    name: 'originate',
    usage: USAGE,
    description: 'Originate a call',
    async run(argument, context) {
      const words = splitOriginate(argument);
      if (words === null) return '-ERR originate: a quote or bracket is not closed\n';
      const [dialString, destination, dialplan, dialContext, callerIdName, callerIdNumber, timeout, ...more] = words;
      if (dialString === undefined || destination === undefined || more.length > 0) return `-USAGE: ${USAGE}\n`;
      const plan = given(dialplan);
      if (plan !== null && !['xml', 'inline'].includes(plan.toLowerCase())) return `-ERR dialplan ${plan} is not supported yet\n`;
      const where = target(destination, plan);
      if (where === null) return `-ERR originate: cannot run ${destination}: one application, as &name(arguments)\n`;
      const seconds = given(timeout) === null ? DEFAULT_TIMEOUT_SECONDS : Number(timeout);
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAXIMUM_TIMEOUT_SECONDS) {
        return `-ERR originate: timeout must be 1 to ${MAXIMUM_TIMEOUT_SECONDS} seconds\n`;
      }
      const outcome = await context.view.originate({
        dialString,
        ...where,
        context: given(dialContext),
        callerIdName: given(callerIdName),
        callerIdNumber: given(callerIdNumber),
        timeoutSeconds: seconds,
      });
      return 'uuid' in outcome ? `+OK ${outcome.uuid}\n` : `-ERR ${outcome.cause}\n`;
    },
  },
];
