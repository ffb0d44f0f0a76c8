import { SaxesParser } from 'saxes';

export interface CdrElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: CdrElement[];
  text: string;
}

const MAXIMUM_DEPTH = 24;
const MAXIMUM_ELEMENTS = 20_000;

/** Parses a CDR document into a tree. Throws an `Error` with line and column, or when it is larger than a CDR can be. */
export function parseCdr(xml: string): CdrElement {
  const parser = new SaxesParser();
  const stack: CdrElement[] = [];
  let root: CdrElement | null = null;
  let count = 0;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('doctype', () => {
    throw new Error('a document type is not allowed');
  });
  parser.on('opentag', (tag) => {
    count += 1;
    if (count > MAXIMUM_ELEMENTS) throw new Error(`more than ${MAXIMUM_ELEMENTS} elements`);
    if (stack.length >= MAXIMUM_DEPTH) throw new Error(`elements nested deeper than ${MAXIMUM_DEPTH}`);
    const element: CdrElement = { name: tag.name, attributes: tag.attributes, children: [], text: '' };
    const parent = stack.at(-1);
    if (parent === undefined) root = element;
    else parent.children.push(element);
    stack.push(element);
  });
  parser.on('closetag', () => {
    stack.pop();
  });
  const addText = (text: string): void => {
    const element = stack.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.write(xml).close();
  if (root === null) throw new Error('no element');
  return root;
}

export function child(element: CdrElement | undefined, name: string): CdrElement | undefined {
  return element?.children.find((candidate) => candidate.name === name);
}

/** Text of a child, empty when it is not there. */
export function childText(element: CdrElement | undefined, name: string): string {
  return child(element, name)?.text ?? '';
}
