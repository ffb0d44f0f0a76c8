import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkAccess, loadConfig } from '../../src/config/index.ts';
import { compileAcl } from '../../src/console/esl/acl.ts';
import { optionsFor, type Parts, parts } from './memory-files.ts';

const load = (part: Parts, localIpv4 = '192.0.2.5') => loadConfig(optionsFor(parts(part), { localIpv4 }));
const ACL = `<configuration name="acl.conf"><network-lists>
<list name="lan" default="allow"><node type="deny" cidr="198.51.100.0/24"/><node type="allow" cidr="198.51.100.42/32"/></list>
<list name="domains" default="deny"><node type="allow" domain="d.example"/><node type="allow" host="203.0.113.0" mask="255.255.255.0"/><node type="allow" cidr="2001:db8::/32"/></list>
</network-lists></configuration>`;
const DIRECTORY = '<domain name="d.example"><user id="brian" cidr="192.0.2.64/26,198.51.100.7"/><user id="1000"/></domain>';

function allowed(name: string, ip: string): boolean {
  const list = load({ configuration: ACL, directory: DIRECTORY }).accessLists?.get(name);
  assert.ok(list, name);
  return checkAccess(list, ip).allowed;
}

test('the longest network decides, else the default of the list', () => {
  assert.ok(!allowed('lan', '198.51.100.1'));
  assert.ok(allowed('lan', '198.51.100.42'));
  assert.ok(allowed('lan', '8.8.8.8'));
  assert.ok(allowed('domains', '203.0.113.9'), 'host and mask');
  assert.ok(!allowed('domains', '203.0.114.9'));
  assert.ok(allowed('domains', '2001:db8:1::1'));
  assert.ok(!allowed('domains', '2001:db9::1'));
  assert.ok(!allowed('domains', 'no address'));
});

test('domain= allows the networks of the directory’s users, and says which user', () => {
  const list = load({ configuration: ACL, directory: DIRECTORY }).accessLists?.get('domains');
  assert.ok(list);
  assert.deepEqual(checkAccess(list, '192.0.2.65'), { allowed: true, user: { id: 'brian', domain: 'd.example' } });
  assert.deepEqual(checkAccess(list, '198.51.100.7').user?.id, 'brian');
  assert.deepEqual(checkAccess(list, '192.0.2.1'), { allowed: false, user: null });
});

test('the automatic lists know the local network', () => {
  assert.ok(allowed('loopback.auto', '127.0.0.9'));
  assert.ok(allowed('localnet.auto', '192.0.2.200'));
  assert.ok(!allowed('localnet.auto', '192.0.3.1'));
  assert.ok(allowed('nat.auto', '10.1.2.3'));
  assert.ok(!allowed('nat.auto', '192.0.2.9'));
  assert.ok(allowed('wan.auto', '8.8.8.8'));
  assert.ok(!allowed('wan.auto', '192.168.1.1'));
  assert.ok(allowed('rfc1918.auto', '172.31.0.1'));
});

test('the local network is that of the interface', () => {
  const config = loadConfig(optionsFor(parts({}), { localIpv4: '192.0.2.5', localNetwork: '192.0.2.5/29' }));
  const list = config.accessLists?.get('localnet.auto');
  assert.ok(list);
  assert.ok(checkAccess(list, '192.0.2.7').allowed);
  assert.ok(!checkAccess(list, '192.0.2.9').allowed);
  assert.equal(config.variables.get('local_mask_v4'), '255.255.255.248');
});

test('the event socket takes the lists of acl.conf by name', () => {
  const config = load({ configuration: ACL, directory: DIRECTORY });
  const check = compileAcl('domains', config.eventSocket.accessLists);
  assert.ok(check('203.0.113.9'));
  assert.ok(check('::ffff:203.0.113.9'));
  assert.ok(!check('127.0.0.1'));
  assert.throws(() => compileAcl('nobody', config.eventSocket.accessLists), { code: 'ESL_ACL_UNKNOWN' });
});

test('apply-inbound-acl: all of several count, an unknown list is warned of once', () => {
  const config = load({
    configuration: ACL,
    directory: DIRECTORY,
    profile:
      '<param name="apply-inbound-acl" value="domains"/>\n<param name="apply-inbound-acl" value="nowhere"/>\n<param name="apply-inbound-acl" value="192.0.2.0/24"/>',
  });
  assert.deepEqual(config.profiles.get('internal-video')?.inboundAccessLists, ['domains', 'nowhere', '192.0.2.0/24']);
  assert.deepEqual(
    config.warnings.map(({ message }) => message),
    ['sip profile: apply-inbound-acl: acl.conf has no list "nowhere"; it allows nobody'],
  );
});

test('a wrong network is an error with its place', () => {
  const wrong = ACL.replace('198.51.100.0/24', '198.51.100.0/40');
  assert.throws(() => load({ configuration: wrong, directory: DIRECTORY }), {
    code: 'CONFIG_INVALID_VALUE',
    where: '/conf/freeswitch.xml:7',
  });
});

test('networks are compared as the kernel compares them', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
  const ipv6 = fc.ipV6();
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), fc.oneof(ipv4, ipv6), fc.integer({ min: 0, max: 128 }), (network, address, bits) => {
      const family = (ip: string): 'ipv4' | 'ipv6' => (ip.includes(':') ? 'ipv6' : 'ipv4');
      const prefix = family(network) === 'ipv4' ? bits % 33 : bits;
      const kernel = new BlockList();
      kernel.addSubnet(network, prefix, family(network));
      const list = { name: 'l', allowByDefault: false, entries: [{ network: `${network}/${prefix}`, allow: true, user: null }] };
      // BlockList lets IPv4 addresses match networks of IPv4-mapped IPv6 addresses; an access list does not.
      if (family(network) !== family(address) || /^(0*:)*:?ffff:/i.test(address)) return;
      assert.equal(checkAccess(list, address).allowed, kernel.check(address, family(address)));
    }),
    { numRuns: 300 },
  );
});
