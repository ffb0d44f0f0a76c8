/** The parts of a SIP URI that FreeSWITCH keeps in variables of their own. */
export interface UriParts {
  readonly user: string;
  readonly host: string;
  /** Empty when the URI has none. */
  readonly port: string;
  /** Without the leading `;`. */
  readonly parameters: string;
}

/** Splits `sip:user@host:port;parameters`; a scheme, brackets and headers may be there or not. Never throws. */
export function splitUri(uri: string): UriParts {
  const bare = uri.replace(/^sips?:/i, '');
  const question = bare.indexOf('?');
  const withoutHeaders = question === -1 ? bare : bare.slice(0, question);
  const at = withoutHeaders.lastIndexOf('@');
  const user = at === -1 ? '' : withoutHeaders.slice(0, at);
  const rest = withoutHeaders.slice(at + 1);
  const semicolon = rest.indexOf(';');
  const hostPort = semicolon === -1 ? rest : rest.slice(0, semicolon);
  const parameters = semicolon === -1 ? '' : rest.slice(semicolon + 1);
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(hostPort);
  return { user, host: match?.[1] ?? hostPort, port: match?.[2] ?? '', parameters };
}

/** A From, To or Contact value: display name, URI, and what follows. Never throws. */
export function splitNameAddress(value: string): { display: string; uri: string; tag: string | null; identity: string } {
  const open = findOpenBracket(value);
  const close = open === -1 ? -1 : value.indexOf('>', open);
  const display = open === -1 ? '' : value.slice(0, open).trim();
  const uri = open === -1 || close === -1 ? (value.split(';', 1)[0] ?? '').trim() : value.slice(open + 1, close);
  const parameters =
    open === -1 || close === -1 ? value.slice(value.indexOf(';') === -1 ? value.length : value.indexOf(';')) : value.slice(close + 1);
  const tag = /;\s*tag\s*=\s*([^;\s]+)/i.exec(parameters)?.[1] ?? null;
  const others = parameters.replace(/;\s*tag\s*=\s*[^;\s]*/i, '');
  const identity = open === -1 || close === -1 ? uri + others : value.slice(0, close + 1).trim() + others;
  return { display: unquote(display), uri, tag, identity };
}

/** The first `<` outside a quoted display name. */
function findOpenBracket(value: string): number {
  let isQuoted = false;
  for (let index = 0; index < value.length; index += 1) {
    const character = value[index];
    if (isQuoted && character === '\\') index += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === '<' && !isQuoted) return index;
  }
  return -1;
}

function unquote(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length >= 2 ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

/** Splits a list of Route or Record-Route values at the commas outside brackets and quotes. */
export function splitRoutes(value: string): string[] {
  const routes: string[] = [];
  let start = 0;
  let isQuoted = false;
  let isBracketed = false;
  for (let index = 0; index <= value.length; index += 1) {
    const character = value[index];
    if (character === '"' && !isBracketed) isQuoted = !isQuoted;
    else if (character === '<' && !isQuoted) isBracketed = true;
    else if (character === '>' && !isQuoted) isBracketed = false;
    else if (index === value.length || (character === ',' && !isQuoted && !isBracketed)) {
      const route = value.slice(start, index).trim();
      if (route !== '') routes.push(route);
      start = index + 1;
    }
  }
  return routes;
}
