import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import { type HuntResult, hunt, type LocalTime } from '../../src/dialplan/index.ts';
import { optionsFor, parts } from '../config/memory-files.ts';

const NOON: LocalTime = { year: 2026, month: 11, dayOfMonth: 24, dayOfYear: 328, week: 48, weekday: 3, hour: 12, minute: 0, second: 0 };

function dial(
  extensions: string,
  number: string,
  more: { fields?: Record<string, string>; time?: LocalTime } = {},
): HuntResult & { data: string[] } {
  const config = loadConfig(optionsFor(parts({ dialplan: `<context name="default">${extensions}</context>` })));
  const context = config.dialplan.get('default');
  assert.ok(context);
  const fields: Record<string, string> = { destination_number: number, ...more.fields };
  const { time } = more;
  const result = hunt(context, {
    field: (name) => fields[name] ?? '',
    runInline: (application, data) => {
      const [name = '', value = ''] = data.split(/=(.*)/s);
      if (application === 'set') fields[name] = value;
    },
    ...(time === undefined ? {} : { localTime: () => time }),
  });
  return { ...result, data: result.actions.map((action) => action.data) };
}

const action = (data: string): string => `<action application="log" data="${data}"/>`;
const anti = (data: string): string => `<anti-action application="log" data="${data}"/>`;

test('Local_Extension: captures of the expression replace $1', () => {
  const result = dial(
    '<extension name="Local_Extension"><condition field="destination_number" expression="^(10[01][0-9])$"><action application="export" data="dialed_extension=$1"/><action application="bridge" data="user/$1@${domain_name}"/></condition></extension>',
    '1005',
  );
  assert.equal(result.extension, 'Local_Extension');
  assert.deepEqual(result.actions, [
    { application: 'export', data: 'dialed_extension=1005' },
    { application: 'bridge', data: 'user/1005@${domain_name}' },
  ]);
});

test('$1 stays as written without parentheses or without a field', () => {
  assert.deepEqual(
    dial(
      `<extension name="e"><condition field="destination_number" expression="^5$">${action('$1')}</condition><condition>${action('$1')}</condition></extension>`,
      '5',
    ).data,
    ['$1', '$1'],
  );
});

test('nothing matches: no extension, no action', () => {
  assert.deepEqual(
    dial(`<extension name="e"><condition field="destination_number" expression="^1$">${action('a')}</condition></extension>`, '2')
      .extension,
    null,
  );
});

test('continue goes on to the following extensions, the first without it ends the hunt', () => {
  const extension = (name: string, more = ''): string =>
    `<extension name="${name}" ${more}><condition>${action(name)}</condition></extension>`;
  const result = dial(extension('a', 'continue="true"') + extension('b', 'continue="yes"') + extension('c') + extension('d'), '1');
  assert.deepEqual(result.data, ['a', 'b', 'c']);
  assert.deepEqual(result.extensions, ['a', 'b', 'c']);
});

const two = (mode: string): string =>
  `<extension name="e"><condition field="destination_number" expression="^1$" ${mode}>${action('yes')}${anti('no')}</condition><condition>${action('second')}</condition></extension>`;

test('break on-false is the default: a false condition ends the extension', () => {
  assert.deepEqual(dial(two(''), '2').data, ['no']);
  assert.deepEqual(dial(two(''), '1').data, ['yes', 'second']);
});

test('break on-true ends after a true condition, never does not end, always does', () => {
  assert.deepEqual(dial(two('break="on-true"'), '1').data, ['yes']);
  assert.deepEqual(dial(two('break="on-true"'), '2').data, ['no', 'second']);
  assert.deepEqual(dial(two('break="never"'), '2').data, ['no', 'second']);
  assert.deepEqual(dial(two('break="always"'), '1').data, ['yes']);
  assert.deepEqual(dial(two('break="always"'), '2').data, ['no']);
});

test('inline actions run during the hunt, so that later conditions see what they set', () => {
  const result = dial(
    `<extension name="e"><condition field="destination_number" expression="^(\\d+)$"><action application="set" data="kind=k$1" inline="true"/></condition><condition field="\${kind}" expression="^k7$">${action('seen')}</condition></extension>`,
    '7',
  );
  assert.deepEqual(result.data, ['seen']);
});

test('nested conditions decide and give their actions', () => {
  const nested = `<extension name="e"><condition field="destination_number" expression="^1">${action('outer')}<condition field="destination_number" expression="^12$">${action('inner')}</condition></condition></extension><extension name="f"><condition>${action('other')}</condition></extension>`;
  assert.deepEqual(dial(nested, '12').data, ['outer', 'inner']);
  assert.deepEqual(dial(nested, '13').data, ['outer', 'other']);
  assert.deepEqual(dial(nested, '2').data, ['other']);
});

test('time attributes decide by the local time', () => {
  const hours = `<extension name="e"><condition wday="2-6" time-of-day="09:00-17:00">${action('open')}${anti('closed')}</condition></extension>`;
  assert.deepEqual(dial(hours, '1', { time: NOON }).data, ['open']);
  assert.deepEqual(dial(hours, '1', { time: { ...NOON, weekday: 1 } }).data, ['closed']);
  assert.deepEqual(dial(hours, '1', { time: { ...NOON, hour: 17, minute: 1 } }).data, ['closed']);
  const night = `<extension name="e"><condition time-of-day="22:00-06:00">${action('night')}</condition></extension>`;
  assert.deepEqual(dial(night, '1', { time: { ...NOON, hour: 23 } }).data, ['night']);
  assert.deepEqual(dial(night, '1', { time: NOON }).data, []);
});

test('PCRE spellings: (?i), /…/i, POSIX classes, Asterisk patterns', () => {
  const match = (expression: string, value: string): boolean =>
    dial(
      `<extension name="e"><condition field="destination_number" expression="${expression}">${action('a')}</condition></extension>`,
      value,
    ).actions.length > 0;
  assert.ok(match('(?i)^bob$', 'BOB'));
  assert.ok(match('/^bob$/i', 'BOB'));
  assert.ok(match('^[[:digit:]]+$', '123'));
  assert.ok(match('_4XX', '407'));
  assert.ok(!match('_4XX', '4077'));
});

test('a regex="any" condition never matches instead of matching everything', () => {
  assert.deepEqual(
    dial(
      `<extension name="e"><condition regex="any"><regex field="destination_number" expression="^1$"/>${action('a')}</condition></extension>`,
      '1',
    ).data,
    [],
  );
});
