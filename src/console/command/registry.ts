import { type Clock, type Random, UndropError } from '../../base/index.ts';
import { EventRenderer } from '../esl/render.ts';
import type { SwitchView } from '../switch-view.ts';
import { channelCommands } from './channel.ts';
import type { Command, CommandContext } from './command.ts';
import { conferenceCommands } from './conference.ts';
import { fsctlCommands } from './fsctl.ts';
import { completeLine, helpCommands } from './help.ts';
import { originateCommands } from './originate.ts';
import { recoveryCommands } from './recovery.ts';
import { showCommands } from './show.ts';
import { sofiaCommands } from './sofia.ts';
import { statusCommands } from './status.ts';
import { variableCommands } from './variable.ts';

/** Longest command line that is executed, in characters. */
export const MAXIMUM_COMMAND_LENGTH = 16_384;

export interface CommandRegistryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Version of this software, e.g. `0.1.0`. */
  readonly version: string;
}

export interface CommandRegistry {
  /** Numbers and renders events for everything that shows them. */
  readonly renderer: EventRenderer;
  readonly version: string;
  /** Runs one api command and resolves with its raw reply. Never rejects for bad input. */
  execute(line: string): Promise<string>;
  /** Candidates for the last word of `line`. */
  complete(line: string): readonly string[];
}

/** The api commands over one switch. */
export function createCommandRegistry(view: SwitchView, options: CommandRegistryOptions): CommandRegistry {
  const commands = new Map<string, Command>();
  for (const command of [
    ...showCommands,
    ...statusCommands,
    ...variableCommands,
    ...sofiaCommands,
    ...fsctlCommands,
    ...channelCommands,
    ...originateCommands,
    ...conferenceCommands,
    ...recoveryCommands,
    ...helpCommands,
  ]) {
    commands.set(command.name, command);
  }
  const renderer = new EventRenderer(view, options.clock);
  const context: CommandContext = { view, clock: options.clock, random: options.random, version: options.version, renderer, commands };
  return {
    renderer,
    version: options.version,
    execute: (line) => execute(line, context),
    complete: (line) => completeLine(line, context),
  };
}

async function execute(line: string, context: CommandContext): Promise<string> {
  const text = line.trim();
  if (text === '') return '-ERR no reply\n';
  if (text.length > MAXIMUM_COMMAND_LENGTH) return `-ERR command longer than ${MAXIMUM_COMMAND_LENGTH} characters\n`;
  const end = text.search(/\s/);
  const name = end < 0 ? text : text.slice(0, end);
  const command = context.commands.get(name.toLowerCase());
  if (command === undefined) return `-ERR ${text} Command not found!\n`;
  try {
    // Only completion cares about a blank at the end: it begins the next word.
    const argument = end < 0 ? '' : line.trimStart().slice(end).trimStart();
    const reply = await command.run(command.name === 'console_complete' ? argument.replace(/[\r\n]+$/, '') : argument.trim(), context);
    return reply === '' ? '-ERR no reply\n' : reply;
  } catch (error) {
    if (error instanceof UndropError) return `-ERR ${error.describe()}\n`;
    throw error;
  }
}
