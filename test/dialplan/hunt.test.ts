import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import { expandVariables, type HuntResult, hunt, type LocalTime } from '../../src/dialplan/index.ts';
import { optionsFor, parts } from '../config/memory-files.ts';

const NOON: LocalTime = {
  year: 2026,
  month: 11,
  dayOfMonth: 24,
  dayOfYear: 328,
  weekday: 3,
  hour: 12,
  minute: 0,
  second: 0,
  offsetMinutes: 60,
  daylightSaving: false,
};

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

const many = (mode: string): string =>
  `<extension name="e"><condition regex="${mode}"><regex field="destination_number" expression="^1"/><regex field="caller_id_number" expression="(5)$"/>${action('yes $1')}${anti('no')}</condition></extension>`;

test('regex="all" wants every <regex>, "any" one of them, "xor" exactly one', () => {
  const outcome = (mode: string, number: string, caller: string): string =>
    dial(many(mode), number, { fields: { caller_id_number: caller } }).data.join();
  assert.equal(outcome('all', '12', '95'), 'yes 5');
  assert.equal(outcome('all', '12', '96'), 'no');
  assert.equal(outcome('any', '22', '95'), 'yes 5');
  assert.equal(outcome('any', '12', '96'), 'yes $1', 'no parentheses in the expression that held: $1 stays');
  assert.equal(outcome('any', '22', '96'), 'no');
  assert.equal(outcome('xor', '12', '95'), 'no');
  assert.equal(outcome('xor', '22', '95'), 'yes 5');
});

test('a <regex> may have time attributes and an <expression> child', () => {
  const hours = `<extension name="e"><condition regex="all"><regex hour="9-17"/><regex field="destination_number"><expression><![CDATA[^(<7>|8)$]]></expression></regex>${action('$1')}</condition></extension>`;
  assert.deepEqual(dial(hours, '8', { time: NOON }).data, ['8']);
  assert.deepEqual(dial(hours, '8', { time: { ...NOON, hour: 18 } }).data, []);
});

test('captures are told as DP_MATCH and DP_REGEX_MATCH_n', () => {
  const config = loadConfig(
    optionsFor(
      parts({
        dialplan: `<context name="default"><extension name="e"><condition field="destination_number" expression="^(1)(2)?$" break="never"/><condition regex="any"><regex field="destination_number" expression="^(.).*$"/></condition></extension></context>`,
      }),
    ),
  );
  const told: [string, readonly string[]][] = [];
  const context = config.dialplan.get('default');
  assert.ok(context);
  hunt(context, {
    field: (name) => (name === 'destination_number' ? '1' : ''),
    runInline: () => undefined,
    captured: (name, values) => told.push([name, values]),
  });
  assert.deepEqual(told, [
    ['DP_MATCH', ['1', '1', '']],
    ['DP_REGEX_MATCH_1', ['1', '1']],
    ['DP_MATCH', ['1', '1']],
  ]);
});

test('require-nested="false": nested conditions give actions, their outcome does not count', () => {
  const inner = `<condition field="destination_number" expression="^12$">${action('inner')}</condition>`;
  const both = (more: string): string =>
    `<extension name="e"><condition field="destination_number" expression="^1" ${more}>${action('outer')}${inner}</condition></extension><extension name="f"><condition>${action('other')}</condition></extension>`;
  assert.deepEqual(dial(both('require-nested="false"'), '13').data, ['outer']);
  assert.deepEqual(dial(both('require-nested="true"'), '13').data, ['outer', 'other']);
  assert.deepEqual(dial(both('break="on-true"'), '12').data, ['outer'], 'on-true ends before the nested ones');
});

test('after a nested failure the extension ends, unless its condition says break="never"', () => {
  const nested = (mode: string): string =>
    `<extension name="e"><condition field="destination_number" expression="^1" ${mode}><condition field="destination_number" expression="^2">${action('inner')}</condition></condition><condition>${action('second')}</condition></extension>`;
  assert.deepEqual(dial(nested(''), '1').data, []);
  assert.deepEqual(dial(nested('break="never"'), '1').data, ['second']);
});

test('the walk starts at the extension named like the destination only with auto_hunt', () => {
  const two = `<extension name="a"><condition>${action('a')}</condition></extension><extension name="b"><condition>${action('b')}</condition></extension>`;
  assert.deepEqual(dial(two, 'b').data, ['a']);
  assert.deepEqual(dial(two, 'b', { fields: { auto_hunt: 'true' } }).data, ['b']);
});

test('loop collects an action several times', () => {
  const loop = '<extension name="e"><condition><action application="log" data="x" loop="3"/></condition></extension>';
  assert.deepEqual(dial(loop, '1').data, ['x', 'x', 'x']);
});

test('mweek, week, tz-offset and dst count as FreeSWITCH does', () => {
  const matches = (attributes: string, more: Partial<LocalTime> = {}): boolean =>
    dial(`<extension name="e"><condition ${attributes}>${action('a')}</condition></extension>`, '1', { time: { ...NOON, ...more } }).data
      .length > 0;
  // Monday, January 19th 2026: the fourth week that has days of January, its weeks beginning on Sunday.
  const monday = { month: 1, dayOfMonth: 19, dayOfYear: 19, weekday: 2 };
  assert.ok(matches('wday="2" mweek="4" mon="1"', monday));
  assert.ok(!matches('mweek="3"', monday));
  assert.ok(matches('mweek="1"', { dayOfMonth: 1, weekday: 7 }));
  assert.ok(matches('mweek="6"', { dayOfMonth: 31, weekday: 2 }));
  assert.ok(matches('week="1"', { dayOfYear: 7 }));
  assert.ok(matches('week="2"', { dayOfYear: 8 }));
  assert.ok(matches('week="47"'));
  assert.ok(matches('tz-offset="1"'));
  assert.ok(!matches('tz-offset="2"'));
  assert.ok(matches('dst="false"'));
  assert.ok(!matches('dst="true"'));
  assert.ok(matches('minute-of-day="721"'));
  assert.ok(matches('mon="1-3,nov"'));
  assert.ok(matches('date-time="2026-11-24 11:00:00~2026-11-24 13:00:00"'));
});

test('tod_tz_offset and timezone of the call choose the time zone', () => {
  const config = loadConfig(
    optionsFor(parts({ dialplan: `<context name="default"><extension name="e"><condition hour="3"/></extension></context>` })),
  );
  const context = config.dialplan.get('default');
  assert.ok(context);
  const zones: unknown[] = [];
  hunt(context, {
    field: (name) => ({ tod_tz_offset: '-5', timezone: 'Europe/Berlin' })[name] ?? '',
    runInline: () => undefined,
    localTime: (zone) => {
      zones.push(zone);
      return NOON;
    },
  });
  assert.deepEqual(zones, [{ offsetHours: -5, name: 'Europe/Berlin' }]);
});

test('functions in field and expression are expanded', () => {
  const config = loadConfig(
    optionsFor(
      parts({
        dialplan: `<context name="default"><extension name="e"><condition field="\${domain_exists(a.example)}" expression="^\${yes}$">${action('a')}</condition></extension></context>`,
      }),
    ),
  );
  const context = config.dialplan.get('default');
  assert.ok(context);
  const found = hunt(context, {
    field: () => '',
    expand: (text) => text.replace('${domain_exists(a.example)}', 'true').replace('${yes}', 'true'),
    runInline: () => undefined,
  });
  assert.equal(found.actions.length, 1);
});

test('what a caller dials never becomes a variable or a function', () => {
  const extension = `<extension name="e"><condition field="destination_number" expression="^(.*)$">${action('a=$1 b=${known}')}${action('$1')}</condition></extension>`;
  for (const dialled of ['${global_getvar(secret)}', '\\${global_getvar(secret)}', '\\\\${known}', "\\'${x", '$', '\\']) {
    const [both = '', alone = ''] = dial(extension, dialled).data;
    const expand = (text: string): string =>
      expandVariables(
        text,
        (name) => (name === 'known' ? 'K' : 'LEAK'),
        () => 'RUN',
      );
    assert.equal(expand(both), `a=${dialled} b=K`);
    assert.equal(expand(alone), dialled);
  }
});
