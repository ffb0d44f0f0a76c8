import { dirname, isAbsolute, join } from 'node:path/posix';
import { UndropError } from '../base/index.ts';
import type { SourcePosition } from './config.ts';
import type { ConfigFiles } from './files.ts';
import { expandGlob, hasWildcard } from './glob.ts';
import type { ConfigReport } from './report.ts';

/** FreeSWITCH's limit for includes within includes. */
const MAX_INCLUDE_DEPTH = 100;
const MAX_EXPANDED_CHARACTERS = 64 * 1024 * 1024;
const MAX_FILES = 10_000;
const MAX_VARIABLES = 10_000;

/** The whole configuration as one text. */
export interface ExpandedText {
  readonly lines: readonly string[];
  /** Where line `index` (from 0) was written. */
  position(index: number): SourcePosition;
  readonly variables: ReadonlyMap<string, string>;
}

export interface PreprocessOptions {
  readonly files: ConfigFiles;
  readonly variables: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly report: ConfigReport;
}

/**
 * FreeSWITCH's preprocessor (switch_xml.c, preprocess): a line at a time, before any XML is read, so that a directive
 * inside an XML comment runs too. Throws UndropError when a file cannot be read or a limit is passed.
 */
export function preprocess(rootFile: string, options: PreprocessOptions): ExpandedText {
  const run = new Preprocessor(options);
  run.file(rootFile, null, 0);
  return {
    lines: run.lines,
    variables: run.variables,
    position: (index) => ({ file: run.fileNames[run.lineFiles[index] ?? 0] ?? rootFile, line: run.lineNumbers[index] ?? 1 }),
  };
}

interface Directive {
  readonly command: string;
  readonly data: string;
  readonly before: string;
  readonly after: string;
}

const X_PRE_PROCESS = /<x-pre-process\s+((?:[\w-]+\s*=\s*(?:"[^"]*"|'[^']*')\s*)*)\/?>(?:\s*<\/x-pre-process>)?/i;
const COMMENT_DIRECTIVE = /<!--#\s*([\w-]+)\s+(?:"([^"]*)"|(.*?))\s*-->/;

class Preprocessor {
  readonly lines: string[] = [];
  readonly fileNames: string[] = [];
  readonly lineFiles: number[] = [];
  readonly lineNumbers: number[] = [];
  readonly variables: Map<string, string>;
  readonly #options: PreprocessOptions;
  #inComment = false;
  #size = 0;

  constructor(options: PreprocessOptions) {
    this.#options = options;
    this.variables = new Map(options.variables);
  }

  file(path: string, from: SourcePosition | null, depth: number): void {
    const where = from === null ? path : `${from.file}:${from.line}`;
    if (depth > MAX_INCLUDE_DEPTH) {
      throw new UndropError('CONFIG_INCLUDE_DEPTH', `includes are nested deeper than ${MAX_INCLUDE_DEPTH} levels at ${path}`, {
        where,
        fix: 'a file probably includes itself; remove that include',
      });
    }
    if (this.fileNames.length >= MAX_FILES)
      throw new UndropError('CONFIG_TOO_LARGE', `more than ${MAX_FILES} files are included`, { where });
    let content: string;
    try {
      content = this.#options.files.readFile(path);
    } catch (error) {
      throw new UndropError('CONFIG_FILE_UNREADABLE', `cannot read ${path} (${error instanceof Error ? error.message : String(error)})`, {
        where,
        fix: 'check that the file exists and may be read',
        cause: error,
      });
    }
    this.fileNames.push(path);
    const fileIndex = this.fileNames.length - 1;
    const lines = content.split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    for (const [index, raw] of lines.entries())
      this.#line(index === 0 ? raw.replace(/^\uFEFF/, '') : raw, path, fileIndex, index + 1, depth);
  }

  #line(raw: string, path: string, fileIndex: number, number: number, depth: number): void {
    if (raw.includes('<include>') || raw.includes('</include>') || raw.includes('<?')) return;
    const position = { file: path, line: number };
    const text = raw.includes('$${') ? this.#substitute(raw, position) : raw;
    const directive = findDirective(text);
    if (directive === null) {
      this.#emit(text, fileIndex, number);
      return;
    }
    if (directive.before.trim() !== '') this.#emit(directive.before, fileIndex, number);
    this.#execute(directive, position, fileIndex, depth);
    if (directive.after.trim() !== '') this.#emit(directive.after, fileIndex, number);
  }

  #emit(text: string, fileIndex: number, number: number): void {
    this.#size += text.length + 1;
    if (this.#size > MAX_EXPANDED_CHARACTERS) {
      throw new UndropError('CONFIG_TOO_LARGE', `the configuration is larger than ${MAX_EXPANDED_CHARACTERS} characters`, {
        where: `${this.fileNames[fileIndex] ?? ''}:${number}`,
      });
    }
    this.lines.push(text);
    this.lineFiles.push(fileIndex);
    this.lineNumbers.push(number);
    this.#inComment = endsInComment(text, this.#inComment);
  }

  /** Replaces `$${name}`; an unset one becomes empty, as in FreeSWITCH, with a warning unless it stands in a comment. */
  #substitute(text: string, position: SourcePosition): string {
    return text.replace(/\$\$\{([^}]*)\}/g, (_token, name: string, offset: number) => {
      const value = this.variables.get(name);
      if (value === undefined && !endsInComment(text.slice(0, offset), this.#inComment)) {
        this.#options.report.warn(position, `$\${${name}} is not set and becomes empty`);
      }
      return value ?? '';
    });
  }

  #execute(directive: Directive, position: SourcePosition, fileIndex: number, depth: number): void {
    const { report, files } = this.#options;
    const equals = directive.data.indexOf('=');
    const name = directive.data.slice(0, Math.max(equals, 0)).trim();
    const value = directive.data.slice(equals + 1);
    const command = directive.command.toLowerCase();
    if (command !== 'include' && command !== 'exec' && name === '') {
      report.warn(position, `X-PRE-PROCESS ${command} needs data="name=value"; found "${directive.data}"`);
      return;
    }
    switch (command) {
      case 'set':
        this.#set(name, value.trim(), position);
        return;
      case 'include':
        this.#include(directive.data.trim(), position, depth);
        return;
      case 'env-set': {
        const variable = value.trim().replace(/^\$\{?|\}$/g, '');
        const found = this.#options.environment[variable];
        if (found === undefined) report.warn(position, `the environment variable ${variable} is not set`);
        else this.#set(name, found, position);
        return;
      }
      case 'exec':
      case 'exec-set':
        try {
          const output = files.run(command === 'exec' ? directive.data : value);
          if (command === 'exec-set') this.#set(name, output.replace(/\r?\n$/, ''), position);
          else for (const line of output.split(/\r?\n/)) this.#emit(line, fileIndex, position.line);
        } catch (error) {
          report.error(
            position,
            `the command of X-PRE-PROCESS ${command} failed (${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)})`,
            {
              code: 'CONFIG_COMMAND_FAILED',
            },
          );
        }
        return;
      case 'stun-set': {
        const local = this.variables.get('local_ip_v4') ?? '127.0.0.1';
        const literal = /^[0-9.]+$/.test(value.trim());
        if (!literal) report.warn(position, `stun-set is not supported yet: ${name} is set to ${local}`);
        this.#set(name, literal ? value.trim() : local, position);
        return;
      }
      default:
        report.warn(
          position,
          `X-PRE-PROCESS cmd="${directive.command}" is unknown; expected set, include, exec, exec-set, env-set or stun-set`,
        );
    }
  }

  #set(name: string, value: string, position: SourcePosition): void {
    if (this.variables.size >= MAX_VARIABLES && !this.variables.has(name)) {
      this.#options.report.error(position, `more than ${MAX_VARIABLES} variables are set`, { code: 'CONFIG_TOO_LARGE' });
      return;
    }
    this.variables.set(name, value);
  }

  #include(pattern: string, position: SourcePosition, depth: number): void {
    const path = isAbsolute(pattern) ? pattern : join(dirname(position.file), pattern);
    const found = hasWildcard(path) ? expandGlob(path, this.#options.files) : [path];
    for (const file of found) this.file(file, position, depth + 1);
  }
}

function findDirective(text: string): Directive | null {
  if (!/<x-pre-process|<!--#/i.test(text)) return null;
  const tag = X_PRE_PROCESS.exec(text);
  if (tag !== null) {
    const attributes = tag[1] ?? '';
    const after = text.slice(tag.index + tag[0].length);
    return { command: attribute(attributes, 'cmd'), data: attribute(attributes, 'data'), before: text.slice(0, tag.index), after };
  }
  const comment = COMMENT_DIRECTIVE.exec(text);
  if (comment === null) return null;
  const after = text.slice(comment.index + comment[0].length);
  return { command: comment[1] ?? '', data: comment[2] ?? comment[3] ?? '', before: text.slice(0, comment.index), after };
}

function attribute(text: string, name: string): string {
  const match = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(text);
  return match?.[1] ?? match?.[2] ?? '';
}

function endsInComment(text: string, startsInComment: boolean): boolean {
  let inside = startsInComment;
  let index = 0;
  for (;;) {
    const next = text.indexOf(inside ? '-->' : '<!--', index);
    if (next < 0) return inside;
    index = next + (inside ? 3 : 4);
    inside = !inside;
  }
}
