import type { Clock, Random } from '../../base/index.ts';
import type { EventRenderer } from '../esl/render.ts';
import type { SwitchView } from '../switch-view.ts';

/** What every command may use. */
export interface CommandContext {
  readonly view: SwitchView;
  readonly clock: Clock;
  readonly random: Random;
  /** Version of this software, e.g. `0.1.0`. */
  readonly version: string;
  readonly renderer: EventRenderer;
  /** All commands, for `help` and completion. */
  readonly commands: ReadonlyMap<string, Command>;
}

/** One api command. `run` gets everything after the name, trimmed, and returns the raw reply (FreeSWITCH's bytes). */
export interface Command {
  readonly name: string;
  /** The argument syntax, as FreeSWITCH prints it after `-USAGE: `. */
  readonly usage: string;
  readonly description: string;
  run(argument: string, context: CommandContext): string | Promise<string>;
  /** Candidates for the word being typed; `words` are the words before it, without the command's name. */
  complete?(words: readonly string[], context: CommandContext): readonly string[];
}

export const NO_SUCH_CHANNEL = '-ERR No such channel!\n';

/** Says honestly that a command of FreeSWITCH is known here but does nothing yet. */
export function notSupportedYet(what: string): string {
  return `-ERR ${what} is not supported yet\n`;
}

/** Words separated by blanks. */
export function splitWords(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === '' ? [] : trimmed.split(/\s+/);
}

/** Splits off the first `count` words; the last element is the rest, untouched. */
export function splitFirst(text: string, count: number): string[] {
  const parts: string[] = [];
  let rest = text.trim();
  for (let index = 0; index < count; index++) {
    const match = /^(\S+)\s*/.exec(rest);
    if (match === null) break;
    parts.push(match[1] ?? '');
    rest = rest.slice(match[0].length);
  }
  if (rest !== '') parts.push(rest);
  return parts;
}

export function channelUuids(context: CommandContext): string[] {
  return context.view.channels().map((channel) => channel.uuid);
}
