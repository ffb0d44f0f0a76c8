import { UndropError } from '../base/index.ts';

/** Compiled expressions kept; the cache starts again when it is full. */
const MAX_CACHED_EXPRESSIONS = 2000;
const MAX_EXPRESSION_LENGTH = 8192;

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: ' \\t',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};

const cache = new Map<string, RegExp>();

/**
 * Compiles an expression as FreeSWITCH writes it (switch_regex.c): a PCRE pattern, `/pattern/flags`,
 * or an Asterisk pattern after `_`. What JavaScript spells otherwise is translated (`(?i)` in front, `\A`, `\z`,
 * `(?P<name>`, `[[:digit:]]`, `\h`); what it cannot do (atomic groups, possessive quantifiers, recursion) is an error.
 * Throws UndropError `REGULAR_EXPRESSION_INVALID`.
 */
export function compileExpression(expression: string): RegExp {
  const known = cache.get(expression);
  if (known !== undefined) return known;
  if (expression.length > MAX_EXPRESSION_LENGTH) {
    throw new UndropError(
      'REGULAR_EXPRESSION_INVALID',
      `the expression has ${expression.length} characters, at most ${MAX_EXPRESSION_LENGTH} are allowed`,
    );
  }
  let compiled: RegExp;
  try {
    compiled = compile(expression);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UndropError(
      'REGULAR_EXPRESSION_INVALID',
      `the expression ${JSON.stringify(expression)} is not a valid regular expression (${reason})`,
      {
        fix: 'correct the expression; atomic groups, possessive quantifiers and recursion of PCRE are not available here',
        cause: error,
      },
    );
  }
  if (cache.size >= MAX_CACHED_EXPRESSIONS) cache.clear();
  cache.set(expression, compiled);
  return compiled;
}

function compile(expression: string): RegExp {
  if (expression.startsWith('_')) return new RegExp(asteriskPattern(expression.slice(1)));
  let pattern = expression;
  let flags = '';
  if (pattern.startsWith('/')) {
    const end = pattern.lastIndexOf('/');
    if (end <= 0) throw new Error('the closing / is missing');
    flags = keepFlags(pattern.slice(end + 1));
    pattern = pattern.slice(1, end);
  }
  const inline = /^\(\?([imsx]+)\)/.exec(pattern);
  if (inline !== null) {
    flags += keepFlags(inline[1] ?? '');
    pattern = pattern.slice(inline[0].length);
  }
  return new RegExp(translate(pattern), [...new Set(flags)].join(''));
}

function keepFlags(flags: string): string {
  for (const flag of flags) if (!'ims'.includes(flag)) throw new Error(`the flag ${flag} is not available`);
  return flags;
}

function translate(pattern: string): string {
  return pattern.replace(
    /\\[\s\S]|\(\?P<|\[:(\^?)([a-z]+):\]|[*+?}]\+|\(\?>/g,
    (token, negated: string | undefined, name: string | undefined) => {
      switch (token) {
        case '\\A':
          return '^';
        case '\\z':
        case '\\Z':
          return '$';
        case '\\h':
          return '[ \\t]';
        case '(?P<':
          return '(?<';
        case '(?>':
          throw new Error('an atomic group');
        default:
      }
      if (/^[*+?}]\+$/.test(token)) throw new Error('a possessive quantifier');
      if (name === undefined) return token;
      const characters = POSIX_CLASSES[name];
      if (characters === undefined || negated === '^') throw new Error(`the class [:${negated ?? ''}${name}:] is not available`);
      return characters;
    },
  );
}

/** switch_ast2regex: X 0-9, Z 1-9, N 2-9, `.` one or more of anything. */
function asteriskPattern(pattern: string): string {
  let result = '^';
  for (const character of pattern) {
    if (character === 'X') result += '[0-9]';
    else if (character === 'Z') result += '[1-9]';
    else if (character === 'N') result += '[2-9]';
    else if (character === '.') result += '.+';
    else result += /[\\^$*+?()|{}]/.test(character) ? `\\${character}` : character;
  }
  return `${result}$`;
}
