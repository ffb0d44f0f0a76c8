import type { Command, CommandContext } from './command.ts';

function candidatesFor(before: readonly string[], typed: string, context: CommandContext): readonly string[] {
  const [name, ...words] = before;
  const all =
    name === undefined ? [...context.commands.keys()] : (context.commands.get(name.toLowerCase())?.complete?.(words, context) ?? []);
  return [...new Set(all)].filter((candidate) => candidate.startsWith(typed)).sort();
}

/** Candidates for the last word of `line`. */
export function completeLine(line: string, context: CommandContext): readonly string[] {
  const words = line.trimStart().split(/\s+/);
  const typed = words.pop() ?? '';
  return candidatesFor(words, typed, context);
}

function commonPrefix(words: readonly string[]): string {
  let prefix = words[0] ?? '';
  for (const word of words) while (!word.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix;
}

/** What fs_cli's Tab expects: the candidates, then how many characters to delete before the cursor and what to write there. */
function consoleComplete(argument: string, context: CommandContext): string {
  const match = /^c=(\d+);(.*)$/s.exec(argument);
  const cursor = match === null ? argument.length : Number(match[1]);
  const line = (match === null ? argument : (match[2] ?? '')).slice(0, cursor);
  const typed = /\S*$/.exec(line)?.[0] ?? '';
  const candidates = completeLine(line, context);
  let list = '';
  for (const [index, candidate] of candidates.entries()) list += `[${candidate.padStart(20)}]${index % 4 === 3 ? '\n' : '\t'}`;
  const text = candidates.length === 1 ? `${candidates[0] ?? ''} ` : candidates.length === 0 ? typed : commonPrefix(candidates);
  return `${list}\n\nwrite=${typed.length}:${text}`;
}

export const helpCommands: readonly Command[] = [
  {
    name: 'help',
    usage: '[command]',
    description: 'Show help for all the api commands',
    run(argument, context) {
      const names = argument === '' ? [...context.commands.keys()].sort() : [argument.toLowerCase()];
      const commands = names.map((name) => context.commands.get(name)).filter((command) => command !== undefined);
      if (commands.length === 0) return `-ERR ${argument} Command not found!\n`;
      const lines = commands.map((command) => `${command.name},${command.usage},${command.description},undrop\n`);
      return argument === '' ? `\nValid Commands:\n\n${lines.join('')}` : lines.join('');
    },
    complete: (words, context) => (words.length === 0 ? [...context.commands.keys()] : []),
  },
  {
    name: 'console_complete',
    usage: '[c=<cursor>;]<line>',
    description: 'Complete a command line',
    run: consoleComplete,
  },
];
