import { SaxesParser } from 'saxes';
import { UndropError } from '../base/index.ts';
import type { SourcePosition } from './config.ts';
import type { ExpandedText } from './preprocess.ts';

const MAX_DEPTH = 100;
const MAX_ELEMENTS = 1_000_000;

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  /** Text directly inside, trimmed. */
  text: string;
  readonly position: SourcePosition;
}

/** Parses the expanded text. Throws UndropError `CONFIG_XML` that names the user's file and line. */
export function parseXml(expanded: ExpandedText): XmlElement {
  const parser = new SaxesParser();
  const stack: XmlElement[] = [];
  let root: XmlElement | null = null;
  let startLine = 1;
  let count = 0;
  let closing: XmlElement | undefined;
  const here = (): SourcePosition => expanded.position(Math.max(0, Math.min(parser.line, expanded.lines.length) - 1));
  const fail = (position: SourcePosition, message: string, fix?: string): never => {
    throw new UndropError('CONFIG_XML', message, { where: `${position.file}:${position.line}`, ...(fix === undefined ? {} : { fix }) });
  };
  parser.on('error', (error) => fail(here(), explain(error.message, closing ?? stack.at(-1)), 'correct the XML there'));
  parser.on('opentagstart', () => {
    closing = undefined;
    startLine = parser.line;
  });
  parser.on('opentag', (tag) => {
    const element: XmlElement = {
      name: tag.name,
      attributes: tag.attributes,
      children: [],
      text: '',
      position: expanded.position(startLine - 1),
    };
    count += 1;
    if (count > MAX_ELEMENTS) fail(element.position, `more than ${MAX_ELEMENTS} elements`);
    if (stack.length >= MAX_DEPTH) fail(element.position, `elements are nested deeper than ${MAX_DEPTH} levels`);
    const parent = stack.at(-1);
    if (parent !== undefined) parent.children.push(element);
    else root = element;
    stack.push(element);
  });
  const addText = (text: string): void => {
    closing = undefined;
    const element = stack.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = stack.pop();
    // The parser closes what is open first and complains of a wrong closing tag afterwards.
    closing = element;
    if (element !== undefined) element.text = element.text.trim();
  });
  parser.write(withoutComments(expanded, fail));
  const open = stack.at(-1);
  if (open !== undefined) {
    fail(
      expanded.position(Math.max(0, expanded.lines.length - 1)),
      `the configuration ends before </${open.name}>, which was opened at ${open.position.file}:${open.position.line}`,
      `the file is cut off, or </${open.name}> is missing`,
    );
  }
  parser.close();
  if (root === null) fail(expanded.position(0), 'the configuration is empty: expected <document type="freeswitch/xml">');
  return root as unknown as XmlElement;
}

/** The parser's message in our words, with the element that is open. */
function explain(message: string, open: XmlElement | undefined): string {
  const reason = message.replace(/^[^ ]*\d+:\d+: /, '').replace(/\.$/, '');
  if (open === undefined) return `not well-formed XML: ${reason}`;
  const element = `<${open.name}> of ${open.position.file}:${open.position.line}`;
  if (reason.includes('clos')) return `not well-formed XML: ${reason}; the element open here is ${element}, expected its </${open.name}>`;
  return `not well-formed XML: ${reason}, inside ${element}; within a value, < is written &lt; and & is written &amp;`;
}

/** Comments become blank, so that `--` inside one is no error (FreeSWITCH's parser allows it); lines keep their numbers. */
function withoutComments(expanded: ExpandedText, fail: (position: SourcePosition, message: string, fix?: string) => never): string {
  const text = expanded.lines.join('\n');
  let result = '';
  let index = 0;
  // Searched again only when passed: once a comment would be quadratic.
  let cdata = text.indexOf('<![CDATA[');
  for (;;) {
    const comment = text.indexOf('<!--', index);
    if (cdata >= 0 && cdata < index) cdata = text.indexOf('<![CDATA[', index);
    if (cdata >= 0 && (comment < 0 || cdata < comment)) {
      const end = text.indexOf(']]>', cdata);
      if (end < 0) return result + text.slice(index);
      result += text.slice(index, end + 3);
      index = end + 3;
      continue;
    }
    if (comment < 0) return result + text.slice(index);
    const end = text.indexOf('-->', comment + 4);
    if (end < 0) {
      const line = text.slice(0, comment).split('\n').length - 1;
      return fail(expanded.position(line), 'a comment starts here with <!-- and never ends', 'close it with -->');
    }
    result += text.slice(index, comment) + text.slice(comment, end + 3).replace(/[^\n]+/g, '');
    index = end + 3;
  }
}

export function childrenNamed(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}
