import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { UndropError } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { optionsFor, type Parts, parts } from './memory-files.ts';

const load = (part: Parts, extra: Record<string, string> = {}) => loadConfig(optionsFor({ ...parts(part), ...extra }));

function failure(run: () => unknown): UndropError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof UndropError, String(error));
    return error;
  }
  return assert.fail('no error was thrown');
}

test('the sample configuration loads without a warning', () => {
  const directory = resolve(import.meta.dirname, '../../conf');
  const config = loadConfig({ directory, stateDirectory: '/state', hostname: 'h', localIpv4: '192.0.2.1', localIpv6: '::1' });
  assert.deepEqual(config.warnings, []);
  const profile = config.profiles.get('internal');
  assert.equal(profile?.sipIp, '127.0.0.1');
  assert.equal(profile?.trackCalls, true);
  assert.equal(profile?.authCalls, true);
  assert.deepEqual([...(config.directory.get('127.0.0.1')?.users.keys() ?? [])], ['1000', '1001', '1002', '1003', '1004']);
  assert.equal(config.directory.get('127.0.0.1')?.users.get('1000')?.password, '1234');
  assert.ok(config.directory.get('127.0.0.1')?.users.get('1000')?.parameters.has('dial-string'), 'users inherit from the domain');
  assert.deepEqual(config.directory.get('127.0.0.1')?.groups?.get('default')?.length, 5);
  assert.deepEqual(config.apiOnStartup, []);
});

test('the lines of the recovery how-to work verbatim: track-calls, switchname, api_on_startup, a profile named internal-video', () => {
  const config = load({
    vars: '<X-PRE-PROCESS cmd="set" data="api_on_startup=fsctl recover"/>',
    switch: '<param name="switchname" value="freeswitch01"/>',
    profile: '<param name="track-calls" value="true"/>',
  });
  assert.deepEqual(config.apiOnStartup, ['fsctl recover']);
  assert.equal(config.switchname, 'freeswitch01');
  assert.equal(config.profiles.get('internal-video')?.trackCalls, true);
  assert.deepEqual(config.warnings, []);
});

for (const dsn of [
  'odbc://dsn:user:hidden',
  'dsn:user:hidden',
  'pgsql://host=127.0.0.1 password=hidden',
  'postgresql://a:hidden@h/d',
  'postgres://a:hidden@h/d',
  'mariadb://Pwd=hidden;',
]) {
  test(`core-db-dsn ${dsn.split(':')[0]} is an error that names the line and not the password`, () => {
    const error = failure(() => load({ switch: `<param name="core-db-dsn" value="${dsn}"/>` }));
    assert.equal(error.code, 'CONFIG_DSN_UNSUPPORTED');
    assert.equal(error.where, '/conf/autoload_configs/switch.conf.xml:2');
    assert.ok(!error.describe().includes('hidden'));
  });
}

test('core-db-dsn sqlite:// and core-db-name move the SQLite file', () => {
  assert.equal(load({ switch: '<param name="core-db-dsn" value="sqlite:///var/x.db"/>' }).coreDatabase.path, '/var/x.db');
  assert.equal(load({ switch: '<param name="core-db-name" value="other"/>' }).coreDatabase.path, '/state/db/other.db');
  assert.equal(load({ switch: '<param name="core-db-name" value="/dev/shm/core.db"/>' }).coreDatabase.path, '/dev/shm/core.db');
  assert.equal(load({}).coreDatabase.path, null);
});

test('without switchname the hostname owns the calls', () => {
  assert.equal(load({}).switchname, 'host-a');
});

test('a wrong value names file, line, what was found and what is expected', () => {
  const error = failure(() => load({ profile: '<param name="context" value="public"/>\n<param name="sip-port" value="70000"/>' }));
  assert.equal(error.where, '/conf/sip_profiles/internal.xml:3');
  assert.match(error.message, /sip-port: found "70000", expected a whole number from 1 to 65535/);
});

test('all errors are told at once', () => {
  const error = failure(() =>
    load({ switch: '<param name="max-sessions" value="many"/>', profile: '<param name="sip-ip" value="my.host"/>' }),
  );
  assert.match(error.message, /max-sessions/);
  assert.match(error.message, /internal\.xml:2: sip-ip: found "my\.host", expected an IP address or auto/);
});

test('rtp-start-port must be below rtp-end-port', () => {
  const error = failure(() => load({ switch: '<param name="rtp-start-port" value="30000"/>\n<param name="rtp-end-port" value="20000"/>' }));
  assert.equal(error.where, '/conf/autoload_configs/switch.conf.xml:3');
});

test('booleans are those of switch_true', () => {
  for (const value of ['true', 'YES', 'on', 'enabled', 'active', 'allow', '1', '7']) {
    assert.equal(load({ profile: `<param name="track-calls" value="${value}"/>` }).profiles.get('internal-video')?.trackCalls, true, value);
  }
  for (const value of ['false', 'no', 'off', '0']) {
    assert.equal(
      load({ profile: `<param name="track-calls" value="${value}"/>` }).profiles.get('internal-video')?.trackCalls,
      false,
      value,
    );
  }
  assert.match(
    failure(() => load({ profile: '<param name="track-calls" value="ture"/>' })).message,
    /found "ture", expected true or false/,
  );
});

test('sip-ip and rtp-ip auto mean the local address', () => {
  const profile = load({ profile: '<param name="sip-ip" value="auto"/>' }).profiles.get('internal-video');
  assert.equal(profile?.sipIp, '127.0.0.7');
  assert.equal(profile?.rtpIp, '127.0.0.7');
});

test('an unknown parameter gives exactly one warning with its line; a known one of FreeSWITCH none', () => {
  const config = load({ profile: '<param name="manage-presence" value="true"/>\n<param name="trak-calls" value="true"/>' });
  assert.deepEqual(config.warnings, [
    {
      position: { file: '/conf/sip_profiles/internal.xml', line: 3 },
      message: 'sip profile: the parameter "trak-calls" is unknown and ignored',
    },
  ]);
});

test('a parameter whose effect is missing is warned of only when it is on', () => {
  assert.equal(load({ profile: '<param name="inbound-bypass-media" value="false"/>' }).warnings.length, 0);
  assert.equal(load({ profile: '<param name="inbound-bypass-media" value="true"/>' }).warnings.length, 1);
});

test('an unknown configuration gives one warning, one of FreeSWITCH none', () => {
  const config = load({
    configuration: '<configuration name="acl.conf"/><configuration name="made_up.conf"/><configuration name="made_up.conf"/>',
  });
  assert.equal(config.warnings.length, 1);
  assert.match(config.warnings[0]?.message ?? '', /made_up\.conf/);
});

test('two profiles on one address and port are an error', () => {
  const error = failure(() => load({}, { 'sip_profiles/other.xml': '<profile name="other"><settings/></profile>' }));
  assert.match(error.message, /"other" uses 127\.0\.0\.7 port 5060, as does "internal-video"/);
});

test('a gateway over anything but UDP is left out, an unknown parameter is warned of', () => {
  const gateways = ['tcp', 'udp'].map(
    (transport) =>
      `<gateway name="${transport}"><param name="register" value="false"/><param name="register-transport" value="${transport}"/><param name="made-up" value="1"/></gateway>`,
  );
  const external = `<profile name="external"><gateways>${gateways.join('')}</gateways><settings><param name="sip-port" value="5080"/></settings></profile>`;
  const config = load({}, { 'sip_profiles/external.xml': external });
  assert.deepEqual([...(config.profiles.get('external')?.gateways?.keys() ?? [])], ['udp']);
  assert.match(config.warnings.map(({ message }) => message).join('\n'), /"made-up" is unknown[\s\S]*gateway "tcp" is left out: only UDP/);
});

test('gateways are read; one that cannot register is left out with a warning', () => {
  const gateway =
    '<profile name="external"><gateways>\n<gateway name="a"><param name="Proxy" value="x"/><param name="username" value="u"/><param name="password" value="p"/></gateway><gateway name="b"/><gateway name="c"><param name="register" value="false"/></gateway></gateways><settings><param name="sip-port" value="5080"/></settings></profile>';
  const config = load({}, { 'sip_profiles/external.xml': gateway });
  assert.equal(config.profiles.get('external')?.gateways?.get('a')?.parameters.get('proxy'), 'x');
  assert.deepEqual([...(config.profiles.get('external')?.gateways?.keys() ?? [])], ['a', 'c']);
  assert.equal(config.warnings.length, 1);
  assert.match(config.warnings[0]?.message ?? '', /gateway "b".*username/);
});

test('codec preferences understand FreeSWITCH spellings', () => {
  const profile = load({ profile: '<param name="inbound-codec-prefs" value="PCMU@20i,mod_bcg729.G729,pcma@8000h@30i"/>' }).profiles.get(
    'internal-video',
  );
  assert.deepEqual(profile?.inboundCodecs, [
    { name: 'PCMU', packetTime: 20, rate: null },
    { name: 'G729', packetTime: null, rate: null },
    { name: 'PCMA', packetTime: 30, rate: 8000 },
  ]);
});

test('an invalid expression is an error at load with its line', () => {
  const error = failure(() =>
    load({
      dialplan: '<context name="c">\n<extension name="e">\n<condition field="destination_number" expression="^(1"/></extension></context>',
    }),
  );
  assert.equal(error.code, 'REGULAR_EXPRESSION_INVALID');
  assert.equal(error.where, '/conf/freeswitch.xml:10');
});

test('a truncated file says which element never ends', () => {
  const error = failure(() => load({ dialplan: '<context name="c">' }));
  assert.equal(error.code, 'CONFIG_XML');
  assert.match(error.message, /<context>/);
  const cut = failure(() => loadConfig(optionsFor({ 'freeswitch.xml': '<document>\n<section name="dialplan">\n' })));
  assert.match(cut.message, /ends before <\/section>, which was opened at \/conf\/freeswitch\.xml:2/);
});

test('a missing freeswitch.xml is a clear error', () => {
  assert.equal(failure(() => loadConfig(optionsFor({}))).code, 'CONFIG_FILE_UNREADABLE');
});

test('-- inside a comment is allowed, as in FreeSWITCH', () => {
  assert.equal(load({ configuration: '<!-- a -- b --->' }).warnings.length, 0);
});
