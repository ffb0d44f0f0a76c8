import { UndropError } from '../base/index.ts';

/** FreeSWITCH's MAX_PEERS. */
const MAX_LEGS = 128;
const MAX_DIAL_STRING_LENGTH = 64 * 1024;

export type DialEndpoint =
  /** `sofia/profile/user@host:port;parameters`. */
  | {
      readonly kind: 'sofia';
      readonly profile: string;
      readonly scheme: 'sip' | 'sips';
      readonly user: string;
      /** No brackets around IPv6. */
      readonly host: string;
      readonly port: number | null;
      /** As written after the first `;`, without it. */
      readonly parameters: string;
    }
  /** `sofia/profile/user%domain`: what is registered there. */
  | { readonly kind: 'registered'; readonly profile: string; readonly user: string; readonly domain: string }
  | { readonly kind: 'gateway'; readonly gateway: string; readonly number: string }
  | { readonly kind: 'user'; readonly user: string; readonly domain: string | null }
  | { readonly kind: 'group'; readonly group: string; readonly domain: string | null; readonly order: 'all' | 'first' | 'enterprise' }
  | { readonly kind: 'loopback'; readonly destination: string; readonly context: string | null; readonly dialplan: string | null }
  | { readonly kind: 'error'; readonly cause: string };

export interface DialLeg {
  /** As written, without variables. */
  readonly text: string;
  /** `[name=value]` before this leg. */
  readonly variables: ReadonlyMap<string, string>;
  readonly endpoint: DialEndpoint;
}

export interface DialStringPlan {
  /** `{name=value}` or `<name=value>` at the front: for every leg. */
  readonly globalVariables: ReadonlyMap<string, string>;
  /** One after another (`|`); the legs of each at once (`,`). */
  readonly attempts: readonly (readonly DialLeg[])[];
}

/** Reads a dial string of bridge or originate (switch_ivr_originate). Throws UndropError `DIAL_STRING_INVALID`. */
export function parseDialString(text: string): DialStringPlan {
  if (text.length > MAX_DIAL_STRING_LENGTH)
    throw invalid(text.slice(0, 100), `it has ${text.length} characters, at most ${MAX_DIAL_STRING_LENGTH} are allowed`);
  const globalVariables = new Map<string, string>();
  let rest = text.trim();
  while (rest.startsWith('<')) rest = takeVariables(rest, '<', '>', globalVariables, text);
  const parts = splitOutside(rest, ':_:').map((part) => part.trim());
  const [only = ''] = parts;
  if (parts.length === 1) return { globalVariables, attempts: readAttempts(only, globalVariables, text) };
  return { globalVariables, attempts: [parts.flatMap((part) => readEnterprisePart(part, text))] };
}

/** One of the parts around `:_:`, which ring at once: its `{…}` are for its own legs only. */
function readEnterprisePart(part: string, whole: string): readonly DialLeg[] {
  const variables = new Map<string, string>();
  const attempts = readAttempts(part, variables, whole);
  if (attempts.length > 1) throw invalid(whole, 'a part of an enterprise originate (":_:") has "|" inside, which is not supported');
  return attempts.flat().map((leg) => ({ ...leg, variables: new Map([...variables, ...leg.variables]) }));
}

function readAttempts(part: string, variables: Map<string, string>, text: string): DialLeg[][] {
  let rest = part;
  while (rest.startsWith('{')) rest = takeVariables(rest, '{', '}', variables, text);
  const attempts: DialLeg[][] = [];
  let count = 0;
  for (const group of splitOutside(rest, '|')) {
    const legs = splitOutside(group, ',')
      .map((leg) => leg.trim())
      .filter((leg) => leg !== '')
      .map((leg) => parseLeg(leg, text));
    count += legs.length;
    if (count > MAX_LEGS) throw invalid(text.slice(0, 100), `it has more than ${MAX_LEGS} legs`);
    if (legs.length > 0) attempts.push(legs);
  }
  if (attempts.length === 0) throw invalid(text, 'it names nobody to call', 'write for example user/1000 or sofia/internal/1000@host');
  return attempts;
}

function invalid(text: string, problem: string, fix?: string): UndropError {
  return new UndropError(
    'DIAL_STRING_INVALID',
    `the dial string ${JSON.stringify(text)} cannot be used: ${problem}`,
    fix === undefined ? {} : { fix },
  );
}

/** Splits at `separator`, but not inside brackets in front of a leg, nor inside `${…}`, nor after a backslash. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] as string;
    if (character === '\\' && index + 1 < text.length) {
      part += character + text[index + 1];
      index += 1;
      continue;
    }
    if (character === '[' || character === '{') depth += 1;
    else if ((character === ']' || character === '}') && depth > 0) depth -= 1;
    if (depth === 0 && text.startsWith(separator, index)) {
      parts.push(part);
      part = '';
      index += separator.length - 1;
    } else part += character;
  }
  parts.push(part);
  return parts;
}

/** Takes one `{…}` or `[…]` from the front into `variables` and returns what follows it. */
function takeVariables(text: string, open: string, close: string, variables: Map<string, string>, whole: string): string {
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '\\') index += 1;
    else if (character === open) depth += 1;
    else if (character === close) {
      depth -= 1;
      if (depth === 0) {
        readVariables(text.slice(1, index), variables, whole);
        return text.slice(index + 1).trimStart();
      }
    }
  }
  throw invalid(whole, `the closing "${close}" is missing`);
}

/** `a=1,b='x,y',c=1\,2` or, with a separator of one's own, `^^:a=1,2:b=3`. */
function readVariables(body: string, variables: Map<string, string>, whole: string): void {
  let separator = ',';
  let rest = body;
  if (rest.startsWith('^^') && rest.length > 2) {
    separator = rest[2] as string;
    rest = rest.slice(3);
  }
  for (const item of splitQuoted(rest, separator)) {
    const equals = item.indexOf('=');
    const name = (equals < 0 ? item : item.slice(0, equals)).trim();
    if (name === '' && equals < 0) continue;
    if (name === '' || equals < 0) throw invalid(whole, `"${item.trim()}" is not of the form name=value`);
    variables.set(name, unquote(item.slice(equals + 1).trim(), separator));
  }
}

function splitQuoted(text: string, separator: string): string[] {
  const items: string[] = [];
  let item = '';
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] as string;
    if (character === '\\' && index + 1 < text.length) {
      item += character + text[index + 1];
      index += 1;
    } else if (character === separator && !quoted) {
      items.push(item);
      item = '';
    } else {
      if (character === "'") quoted = !quoted && text.indexOf("'", index + 1) > 0;
      item += character;
    }
  }
  items.push(item);
  return items;
}

function unquote(value: string, separator: string): string {
  const inner = value.length >= 2 && value.startsWith("'") && value.endsWith("'") ? value.slice(1, -1) : value;
  return inner.replace(/\\(.)/g, (token, character: string) =>
    character === separator || character === ',' || character === "'" ? character : token,
  );
}

function parseLeg(text: string, whole: string): DialLeg {
  const variables = new Map<string, string>();
  let rest = text;
  while (rest.startsWith('[')) rest = takeVariables(rest, '[', ']', variables, whole);
  return { text: rest, variables, endpoint: parseEndpoint(rest, whole) };
}

function parseEndpoint(text: string, whole: string): DialEndpoint {
  const slash = text.indexOf('/');
  const type = slash < 0 ? text : text.slice(0, slash);
  const rest = slash < 0 ? '' : text.slice(slash + 1);
  if (rest === '') throw invalid(whole, `"${text}" names no destination`, 'write for example user/1000 or sofia/internal/1000@host');
  switch (type.toLowerCase()) {
    case 'sofia':
      return parseSofia(rest, whole);
    case 'user': {
      const [user, domain] = splitOnce(rest, '@');
      if (user === '') throw invalid(whole, `"${text}" names no user`);
      return { kind: 'user', user, domain: domain === '' ? null : domain };
    }
    case 'group': {
      const [group, after] = splitOnce(rest, '@');
      const [domain, option] = splitOnce(after, '+');
      const order = option.toUpperCase() === 'F' ? 'first' : option.toUpperCase() === 'E' ? 'enterprise' : 'all';
      return { kind: 'group', group, domain: domain === '' ? null : domain, order };
    }
    case 'loopback': {
      const [destination = '', context, dialplan] = rest.split('/');
      return { kind: 'loopback', destination, context: context || null, dialplan: dialplan || null };
    }
    case 'error':
      return { kind: 'error', cause: rest.toUpperCase() };
    default:
      throw invalid(whole, `"${type}" is not an endpoint`, 'use sofia/, user/, group/, loopback/ or error/');
  }
}

function parseSofia(rest: string, whole: string): DialEndpoint {
  const [profile, destination] = splitOnce(rest, '/');
  if (profile === '' || destination === '') throw invalid(whole, `"sofia/${rest}" needs a profile and a destination`);
  if (profile === 'gateway') {
    const [gateway, number] = splitOnce(destination, '/');
    if (gateway === '' || number === '') throw invalid(whole, `"sofia/${rest}" needs a gateway and a number`);
    return { kind: 'gateway', gateway, number };
  }
  const scheme = /^sips:/i.test(destination) ? 'sips' : 'sip';
  const uri = destination.replace(/^sips?:/i, '');
  if (!uri.includes('@') && uri.includes('%')) {
    const [user, domain] = splitOnce(uri, '%');
    if (user === '' || domain === '') throw invalid(whole, `"sofia/${rest}" needs user%domain`);
    return { kind: 'registered', profile, user, domain };
  }
  const [address, parameters] = splitOnce(uri, ';');
  const at = address.lastIndexOf('@');
  const user = at < 0 ? '' : address.slice(0, at);
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(address.slice(at + 1));
  const port = match?.[3] === undefined ? null : Number(match[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || (port !== null && (port < 1 || port > 65535))) {
    throw invalid(whole, `"${address.slice(at + 1)}" is not host or host:port`);
  }
  return { kind: 'sofia', profile, scheme, user, host, port, parameters };
}

/** Both halves around the first `separator`; the second is empty without one. */
function splitOnce(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + separator.length)];
}
