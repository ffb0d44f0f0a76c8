/** Levels of `${${x}}`, of functions in arguments, and of values that hold variables themselves. */
const MAX_DEPTH = 20;
/** Characters an expansion may grow to; what is longer is cut. */
const MAX_EXPANDED_LENGTH = 64 * 1024;

/** Finds a variable's value; null when it is not set. */
export type VariableLookup = (name: string) => string | null;
/** Runs `${name(argumentText)}`; null when there is no such function. */
export type VariableFunction = (name: string, argumentText: string) => string | null;

/**
 * Replaces `${name}`, `${name:offset:length}`, `${name[index]}`, `${${inner}}` and `${function(arguments)}` as FreeSWITCH does
 * (switch_channel_expand_variables). Unset variables become empty, `\$` stays a `$`.
 * A value may hold variables itself, but never runs a function: values come from the network (caller id names).
 */
export function expandVariables(text: string, lookup: VariableLookup, functions?: VariableFunction): string {
  return expandLevel(text, lookup, functions, 0);
}

function expandLevel(text: string, lookup: VariableLookup, functions: VariableFunction | undefined, depth: number): string {
  if (!text.includes('${')) return text;
  if (depth > MAX_DEPTH) return '';
  let result = '';
  let index = 0;
  while (index < text.length && result.length < MAX_EXPANDED_LENGTH) {
    const character = text[index];
    const next = text[index + 1];
    if (character === '\\' && (next === '$' || next === "'" || next === '\\')) {
      result += next;
      index += 2;
    } else if (character === '$' && next === '{') {
      const end = closingBrace(text, index + 2);
      if (end < 0) return (result + text.slice(index)).slice(0, MAX_EXPANDED_LENGTH);
      result += evaluate(text.slice(index + 2, end), lookup, functions, depth);
      index = end + 1;
    } else {
      result += character;
      index += 1;
    }
  }
  return result.slice(0, MAX_EXPANDED_LENGTH);
}

function closingBrace(text: string, from: number): number {
  let open = 1;
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === '{') open += 1;
    else if (text[index] === '}') {
      open -= 1;
      if (open === 0) return index;
    }
  }
  return -1;
}

function evaluate(body: string, lookup: VariableLookup, functions: VariableFunction | undefined, depth: number): string {
  const call = /^([A-Za-z_][\w-]*)(?:\(([\s\S]*)\)|\s+([\s\S]+))$/.exec(body);
  if (call !== null) {
    const argumentText = expandLevel(call[2] ?? call[3] ?? '', lookup, functions, depth + 1);
    return functions?.(call[1] ?? '', argumentText) ?? '';
  }
  const expanded = expandLevel(body, lookup, functions, depth + 1);
  const parts = /^(.*?)(?::(-?\d+)(?::(-?\d+))?)?$/s.exec(expanded);
  const written = parts?.[1] ?? expanded;
  const element = /^(.*)\[(\d+)\]$/s.exec(written);
  const name = element?.[1] ?? written;
  let value = lookup(name) ?? '';
  if (element !== null) value = arrayElement(value, Number(element[2]));
  value = expandLevel(value, lookup, undefined, depth + 1);
  return substring(value, parts?.[2], parts?.[3]);
}

/** `ARRAY::a|:b|:c`, FreeSWITCH's pushed variables. */
function arrayElement(value: string, index: number): string {
  const elements = value.startsWith('ARRAY::') ? value.slice('ARRAY::'.length).split('|:') : [value];
  return elements[index] ?? '';
}

function substring(value: string, offsetText: string | undefined, lengthText: string | undefined): string {
  if (offsetText === undefined) return value;
  const offset = Number(offsetText);
  const start = offset >= 0 ? offset : -offset <= value.length ? value.length + offset : 0;
  const rest = value.slice(start);
  const length = lengthText === undefined ? 0 : Number(lengthText);
  return length > 0 ? rest.slice(0, length) : rest;
}

/** The text that `expandVariables` turns into this one: nothing in it is a variable or a function. */
export function literalText(text: string): string {
  return text.replace(/[\\$]/g, '\\$&');
}
