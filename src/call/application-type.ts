import type { CallContext } from './context.ts';
import { preAnswer } from './inbound.ts';
import type { Leg } from './leg.ts';

/** What an application did: it is over, or it waits for something (`applicationDone` comes later), or the leg is going. */
export type Outcome = 'done' | 'waiting' | 'gone';

export interface Application {
  readonly run: (context: CallContext, leg: Leg, data: string) => Outcome;
  /** May run while the dialplan is still being hunted (`inline="true"`). */
  readonly inline?: boolean;
  /** While it waits: its timer is over (without this, the application is), */
  readonly timer?: (context: CallContext, leg: Leg, data: string) => void;
  /** its playback is over (without this, the application is), */
  readonly played?: (context: CallContext, leg: Leg, data: string) => void;
  /** the peer sent a digit. */
  readonly digit?: (context: CallContext, leg: Leg, data: string, digit: string) => void;
  /** After a crash while it waited. */
  readonly resume?: (context: CallContext, leg: Leg, data: string) => void;
}

export type ApplicationTable = Readonly<Record<string, Application>>;

/** `name=value`, or null without a name. */
export function assignment(data: string): readonly [string, string] | null {
  const index = data.indexOf('=');
  return index <= 0 ? null : [data.slice(0, index).trim(), data.slice(index + 1).trim()];
}

/** Sets a channel variable; an empty value unsets it. */
export function setVariable(leg: Leg, name: string, value: string): void {
  if (value === '') delete leg.record.variables[name];
  else leg.record.variables[name] = value;
  leg.dirty = true;
}

/** Early media or an answered leg: something to play to. */
export function ensureMedia(context: CallContext, leg: Leg): boolean {
  return leg.answered || leg.record.phase === 'early' || preAnswer(context, leg);
}

/** Splits at blanks, but not inside `'…'` (switch_separate_string); `\` takes the next character as it is before a quote or blank. */
export function splitArguments(data: string): string[] {
  const words: string[] = [];
  let word = '';
  let quoted = false;
  let open = false;
  for (let index = 0; index < data.length; index += 1) {
    const character = data[index] as string;
    const next = data[index + 1];
    if (character === '\\' && (next === "'" || next === ' ')) {
      word += next;
      open = true;
      index += 1;
    } else if (character === "'") {
      quoted = !quoted;
      open = true;
    } else if (!quoted && /\s/.test(character)) {
      if (open) words.push(word);
      word = '';
      open = false;
    } else {
      word += character;
      open = true;
    }
  }
  if (open) words.push(word);
  return words;
}
