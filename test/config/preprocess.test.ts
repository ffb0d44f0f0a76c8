import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UndropError } from '../../src/base/index.ts';
import { preprocess } from '../../src/config/preprocess.ts';
import { ConfigReport } from '../../src/config/report.ts';
import { memoryFiles } from './memory-files.ts';

function run(contents: Record<string, string>, environment: Record<string, string> = {}) {
  const report = new ConfigReport();
  const expanded = preprocess('/conf/freeswitch.xml', {
    files: memoryFiles(contents),
    variables: new Map([['local_ip_v4', '127.0.0.1']]),
    environment,
    report,
  });
  return { ...expanded, expanded, report };
}

test('set defines a variable that later lines see', () => {
  const { lines, variables } = run({
    'freeswitch.xml': '<X-PRE-PROCESS cmd="set" data="a=1"/>\n<X-PRE-PROCESS cmd="set" data="b=$${a}2"/>\n<p v="$${b}"/>',
  });
  assert.deepEqual(lines, ['<p v="12"/>']);
  assert.equal(variables.get('b'), '12');
});

test('a value may hold = and >', () => {
  assert.equal(run({ 'freeswitch.xml': '<X-PRE-PROCESS cmd="set" data="a=x=1>0"/>' }).variables.get('a'), 'x=1>0');
});

test('the older comment form sets too', () => {
  assert.equal(run({ 'freeswitch.xml': '<!--#set "a=b c"-->' }).variables.get('a'), 'b c');
});

test('a directive inside an XML comment runs', () => {
  assert.equal(run({ 'freeswitch.xml': '<!--\n<X-PRE-PROCESS cmd="set" data="a=1"/>\n-->' }).variables.get('a'), '1');
  assert.equal(run({ 'freeswitch.xml': '<!-- <X-PRE-PROCESS cmd="set" data="a=1"/> -->' }).variables.get('a'), '1');
});

test('includes follow the alphabet, relative to the including file, and keep the line map', () => {
  const { lines, expanded } = run({
    'freeswitch.xml': '<d>\n<X-PRE-PROCESS cmd="include" data="sub/list.xml"/>\n</d>',
    'sub/list.xml': '<X-PRE-PROCESS cmd="include" data="../items/*.xml"/>',
    'items/b.xml': '<include>\n<b/>\n</include>',
    'items/a.xml': '<?xml version="1.0"?>\n\n<a/>',
    'items/c.txt': '<c/>',
  });
  assert.deepEqual(lines, ['<d>', '', '<a/>', '<b/>', '</d>']);
  assert.deepEqual(expanded.position(2), { file: '/conf/items/a.xml', line: 3 });
  assert.deepEqual(expanded.position(3), { file: '/conf/items/b.xml', line: 2 });
  assert.deepEqual(expanded.position(4), { file: '/conf/freeswitch.xml', line: 3 });
});

test('whole lines with <include> or <? are dropped', () => {
  assert.deepEqual(run({ 'freeswitch.xml': '<?xml version="1.0"?>\n<include><x/>\n<a/>' }).lines, ['<a/>']);
});

test('a file that includes itself is an error, not an endless loop', () => {
  assert.throws(
    () => run({ 'freeswitch.xml': '<X-PRE-PROCESS cmd="include" data="freeswitch.xml"/>' }),
    (error: unknown) => error instanceof UndropError && error.code === 'CONFIG_INCLUDE_DEPTH',
  );
});

test('exec inserts output and exec-set sets it', () => {
  const { lines, variables } = run({
    'freeswitch.xml': '<X-PRE-PROCESS cmd="exec-set" data="x=echo one"/>\n<X-PRE-PROCESS cmd="exec" data="echo two"/>',
  });
  assert.equal(variables.get('x'), 'one');
  assert.ok(lines.includes('two'));
});

test('env-set reads the environment and warns of what is not there', () => {
  const { variables, report } = run(
    { 'freeswitch.xml': '<X-PRE-PROCESS cmd="env-set" data="x=$KEY"/>\n<X-PRE-PROCESS cmd="env-set" data="y=NONE"/>' },
    { KEY: 'v' },
  );
  assert.equal(variables.get('x'), 'v');
  assert.equal(report.warnings.length, 1);
});

test('an unset variable becomes empty with a warning, but not in a comment', () => {
  const { lines, report } = run({ 'freeswitch.xml': '<a v="$${none}"/>\n<!-- $${none}\n $${none} -->' });
  assert.equal(lines[0], '<a v=""/>');
  assert.equal(report.warnings.length, 1);
});
