import { UndropError } from '../base/index.ts';

/** Reads `--name value` and `--flag` words. Throws UndropError `USAGE` for anything else. */
export function readArguments(words: readonly string[], values: readonly string[], flags: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const [name = '', inline] = word.startsWith('--') ? word.slice(2).split(/=(.*)/s) : [''];
    if (flags.includes(name) && inline === undefined) {
      found.set(name, '');
    } else if (values.includes(name)) {
      if (inline === undefined) index += 1;
      const value = inline ?? words[index];
      if (value === undefined || value === '') throw new UndropError('USAGE', `${word} needs a value`);
      found.set(name, value);
    } else {
      throw new UndropError('USAGE', `"${word}" is not understood here`, { fix: 'See: undrop --help' });
    }
  }
  return found;
}

/** A value that must be there. Throws UndropError `USAGE`. */
export function required(found: ReadonlyMap<string, string>, name: string): string {
  const value = found.get(name);
  if (value === undefined) throw new UndropError('USAGE', `--${name} is missing`, { fix: 'See: undrop --help' });
  return value;
}
