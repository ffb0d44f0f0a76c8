import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import { optionsFor, type Parts, parts } from './memory-files.ts';

/** What a configuration that was made for FreeSWITCH brings along; nothing of it may be an error. */
const load = (part: Parts, extra: Record<string, string> = {}, localAddresses?: readonly string[]) =>
  loadConfig(optionsFor({ ...parts(part), ...extra }, localAddresses === undefined ? {} : { localAddresses }));

const extensionOf = (inner: string): string =>
  `<context name="default"><extension name="e"><condition>${inner}</condition></extension></context>`;

test('an application that does not exist here is one warning at its first place, however often it is used', () => {
  const config = load({
    dialplan: extensionOf(
      '\n<action application="log" data="x"/>\n<action application="fifo" data="a in"/>\n<action application="fifo" data="a out"/>\n<anti-action application="ivr" data="m"/>',
    ),
  });
  assert.deepEqual(
    config.warnings.map(({ position, message }) => `${position.line}: ${message}`),
    [
      '10: dialplan: the application fifo does not exist here (here and in 1 more places); a call that reaches it is hung up',
      '12: dialplan: the application ivr does not exist here; a call that reaches it is hung up',
    ],
  );
});

test('a directive that is switched off as XX-PRE-PROCESS does nothing and says nothing', () => {
  const config = load({ vars: '<XX-PRE-PROCESS cmd="set" data="a=1"/>\n<X-NO-PRE-PROCESS cmd="include" data="none/*.xml"/>' });
  assert.equal(config.variables.get('a'), undefined);
  assert.deepEqual(config.warnings, []);
});

test('an IPv6 profile is left out with one warning when this host has no such address', () => {
  const ipv6 =
    '<profile name="internal-ipv6"><settings>\n<param name="sip-ip" value="2001:db8::5"/><param name="rtp-ip" value="2001:db8::5"/></settings></profile>';
  const without = load({}, { 'sip_profiles/internal-ipv6.xml': ipv6 }, ['127.0.0.1']);
  assert.deepEqual([...without.profiles.keys()], ['internal-video']);
  assert.deepEqual(
    without.warnings.map(({ message }) => message),
    ['the profile "internal-ipv6" is left out: this host has no address 2001:db8::5'],
  );
  const present = load({}, { 'sip_profiles/internal-ipv6.xml': ipv6 }, ['127.0.0.1', '2001:db8::5']);
  assert.equal(present.profiles.size, 2);
});

test('a time and a field in one condition is warned of, since FreeSWITCH decides it otherwise', () => {
  const config = load({
    dialplan:
      '<context name="default"><extension name="e"><condition field="destination_number" expression="^1$" wday="2-6"><action application="log"/></condition></extension></context>',
  });
  assert.equal(config.warnings.length, 1);
});

test('regex, require-nested, mweek, loop: nothing is warned of', () => {
  const config = load({
    dialplan: `<context name="default"><extension name="e"><condition regex="xor" break="never" require-nested="false"><regex field="destination_number" expression="^1"/><regex wday="2"/><action application="log" data="x" loop="2"/><condition mweek="2" tz-offset="-5" dst="true"/></condition></extension></context>`,
  });
  assert.deepEqual(config.warnings, []);
});

for (const [what, attributes, message] of [
  ['regex mode', 'regex="some"', 'regex: found "some", expected all, any, xor'],
  ['loop', '', 'loop: found "twice", expected a whole number'],
] as const) {
  test(`a wrong ${what} is an error`, () => {
    const loop = what === 'loop' ? 'loop="twice"' : '';
    assert.throws(
      () =>
        load({
          dialplan: `<context name="default"><extension name="e"><condition ${attributes}><action application="log" ${loop}/></condition></extension></context>`,
        }),
      { message },
    );
  });
}

test('cidr of a user is kept, images_dir and sound_prefix are set', () => {
  const config = load({
    directory: '<domain name="d"><user id="1" cidr="192.0.2.0/24"/></domain>',
    vars: '<X-PRE-PROCESS cmd="set" data="p=$${images_dir}/a.png"/>',
  });
  assert.equal(config.directory.get('d')?.users.get('1')?.cidr, '192.0.2.0/24');
  assert.equal(config.variables.get('p'), '/state/images/a.png');
  assert.deepEqual(config.warnings, []);
});
