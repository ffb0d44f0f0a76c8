import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('every test file that docs/faults.md names exists', () => {
  const named = [...new Set([...read('docs/faults.md').matchAll(/`(test\/[^`]*\.test\.ts)`/g)].map((match) => match[1] ?? ''))];
  assert.ok(named.length > 10, `docs/faults.md names only ${named.length} test files`);
  assert.deepEqual(
    named.filter((file) => !existsSync(join(root, file))),
    [],
  );
});

test('every test that docs/faults.md names by its whole name is in the file it names', () => {
  const missing: string[] = [];
  let checked = 0;
  for (const line of read('docs/faults.md').split('\n')) {
    const [, , file, names] = line.split('|').map((cell) => cell.trim());
    const path = /^`(test\/[^`]*\.test\.ts)`$/.exec(file ?? '')?.[1];
    if (path === undefined || names === undefined) continue;
    const source = read(path).replaceAll("\\'", "'");
    for (const name of names.split('; ')) {
      if (/…|\(/.test(name) || name.includes(' after kill -9: another port')) continue;
      checked += 1;
      if (!source.includes(name)) missing.push(`${path}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(checked > 10, `only ${checked} names were checked`);
});

test('every link between the documents leads to a file, and to a heading where it names one', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
  const broken: string[] = [];
  let links = 0;
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      links += 1;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? document : normalize(join(dirname(document), path));
      const isThere = existsSync(join(root, file)) && (anchor === undefined || anchors(read(file)).has(anchor));
      if (!isThere) broken.push(`${document}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(links > 10, `only ${links} links were found`);
});

/** The anchors that a Markdown reader gives to the headings. */
function anchors(text: string): Set<string> {
  const headings = text.split('\n').filter((line) => line.startsWith('#'));
  return new Set(
    headings.map((line) =>
      line
        .replace(/^#+\s*/, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
