import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DECISION_TABLE } from '../../src/checkpoint/index.ts';

const text = readFileSync(new URL('../../docs/recovery.md', import.meta.url), 'utf8');
const section = text.split('\n## ').find((part) => part.startsWith('Decision table'));

test('docs/recovery.md has the lines of the decision table, in their order, and no other', () => {
  assert.ok(section !== undefined, 'there is a section "Decision table"');
  const lines = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| row |'));
  const rows = lines.map((line) => line.split('|')[1]?.trim());
  assert.deepEqual(
    rows,
    DECISION_TABLE.map((line) => line.row),
  );
});
