import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DialContact, Leg } from '../../src/call/index.ts';
import { extension, TestEngine } from './engine-harness.ts';

const contact = (port: number, host = '127.0.0.1'): DialContact => ({
  uri: `sip:p@${host}:5060`,
  destination: { ip: '127.0.0.1', port },
  profile: 'internal-video',
});
const CONTACTS = { '1001@d.example': [contact(6001)], '1002@d.example': [contact(6002)], '1003@d.example': [contact(6003)] };
const user = (id: string, more = ''): string =>
  `<user id="${id}">${more}<variables><variable name="callgroup" value="tech"/><variable name="effective_caller_id_number" value="77${id}"/></variables></user>`;
const DIRECTORY = `<domain name="d.example">
<params><param name="dial-string" value="{^^:sip_invite_domain=\${dialed_domain}:presence_id=\${dialed_user}@\${dialed_domain}}\${sofia_contact(*/\${dialed_user}@\${dialed_domain})},\${verto_contact(\${dialed_user}@\${dialed_domain})}"/></params>
<groups><group name="default"><users>${user('1001')}${user('1002')}${user('1003', '<params><param name="dial-string" value="error/USER_BUSY"/></params>')}</users></group>
<group name="sales"><users><user id="1001" type="pointer"/><user id="1002" type="pointer"/></users></group></groups></domain>`;

function world(...actions: readonly string[]): TestEngine {
  return new TestEngine({ directory: DIRECTORY, contacts: CONTACTS, extensions: `${extension('1', ...actions)}${extension('9', 'park')}` });
}

/** Legs that a leg rings now. */
function ringing(engine: TestEngine, leg: Leg): Leg[] {
  return (leg.record.bridgeAttempt?.callees ?? []).map((uuid) => {
    const callee = engine.engine.legs.get(uuid);
    assert.ok(callee);
    return callee;
  });
}

const ports = (legs: readonly Leg[]): (number | undefined)[] => legs.map((leg) => leg.record.dialog?.peerAddress.port);

test('user/ rings what the dial-string of the directory says, with its variables, where the contact really is', () => {
  const engine = world('bridge user/1001@d.example');
  const [callee, ...others] = ringing(engine, engine.call('1'));
  assert.deepEqual(others, []);
  assert.equal(callee?.record.dialog?.peerAddress.port, 6001, 'packets go where the registration came from');
  assert.equal(callee?.record.dialog?.remoteTarget, 'sip:p@127.0.0.1:5060');
  assert.equal(callee?.record.variables['sip_invite_domain'], 'd.example');
  assert.equal(callee?.record.variables['presence_id'], '1001@d.example');
});

test('a user without a registration fails with USER_NOT_REGISTERED, one whose dial-string is error/ with its cause', () => {
  const absent = world('bridge user/1009@d.example');
  assert.equal(absent.call('1').record.hangupCause, 'USER_NOT_REGISTERED');
  const busy = world('bridge user/1003@d.example');
  assert.equal(busy.call('1').record.hangupCause, 'USER_BUSY');
});

test('group/ and group_call ring all members at once, +F one after another', () => {
  for (const dialString of ['group/sales@d.example', '${group_call(sales@d.example)}', 'group/sales@d.example+E']) {
    const engine = world(`bridge ${dialString}`);
    assert.deepEqual(ports(ringing(engine, engine.call('1'))), [6001, 6002], dialString);
  }
  const engine = world('bridge {leg_timeout=15}group/sales@d.example+F');
  const leg = engine.call('1');
  assert.deepEqual(ports(ringing(engine, leg)), [6001]);
  engine.fire(leg, 'originate');
  assert.deepEqual(ports(ringing(engine, leg)), [6002]);
});

test('enterprise originate: the parts ring at once, each with its own variables', () => {
  const engine = world('bridge <a=1>{b=2}user/1001@d.example:_:{b=3}[c=4]user/1002@d.example');
  const legs = ringing(engine, engine.call('1'));
  assert.deepEqual(
    legs.map(({ record }) => [record.variables['a'], record.variables['b'], record.variables['c']]),
    [
      ['1', '2', undefined],
      ['1', '3', '4'],
    ],
  );
});

test('caller id: origination_caller_id before effective_caller_id before what the caller said', () => {
  const said = (engine: TestEngine): string | undefined => ringing(engine, engine.call('1'))[0]?.record.caller.callerIdNumber;
  assert.equal(said(world('bridge user/1001@d.example')), '1000');
  assert.equal(said(world('set effective_caller_id_number=5', 'bridge user/1001@d.example')), '5');
  assert.equal(said(world('set effective_caller_id_number=5', 'bridge [origination_caller_id_number=6]user/1001@d.example')), '6');
});

test('effective_caller_id_number of the caller’s own user counts towards the callee only', () => {
  const engine = world('bridge user/1001@d.example');
  const found = engine.config.directory.get('d.example')?.users.get('1002');
  assert.ok(found);
  const leg = engine.call('1', found);
  assert.equal(leg.record.caller.callerIdNumber, '1000');
  assert.equal(leg.record.variables['domain_name'], 'd.example');
  assert.equal(ringing(engine, leg)[0]?.record.caller.callerIdNumber, '771002');
});

test('originate_timeout bounds the attempt, leg_timeout one leg of it, also after a crash', () => {
  const engine = world('bridge {originate_timeout=20}[leg_timeout=7]user/1001@d.example,user/1002@d.example');
  let leg = engine.call('1');
  assert.equal(engine.timer(leg, 'originate'), 20_000);
  const [first, second] = ringing(engine, leg);
  assert.ok(first && second);
  assert.equal(engine.timer(first, 'hangup'), 7000);
  assert.equal(engine.timer(second, 'hangup'), null);
  engine.now += 2_000_000;
  leg = engine.crash(leg);
  const again = engine.engine.legs.get(first.uuid);
  assert.ok(again);
  assert.equal(engine.timer(again, 'hangup'), 5000);
  engine.fire(again, 'hangup');
  assert.deepEqual(ports(ringing(engine, leg)), [6002]);
});

test('loopback/ alone sends the leg itself to the extension; app= runs that application', () => {
  const engine = world('bridge loopback/9/default');
  assert.equal(engine.ran(engine.call('1')).at(-1), 'park()');
  const other = world('bridge loopback/app=set:x=${caller_id_number}', 'park');
  const leg = other.call('1');
  assert.equal(leg.record.variables['x'], '1000');
  assert.equal(other.ran(leg).at(-1), 'park()');
});

test('loopback/ beside another leg is left out and told', () => {
  const engine = world('bridge loopback/9,user/1001@d.example');
  assert.deepEqual(ports(ringing(engine, engine.call('1'))), [6001]);
  assert.ok(engine.log.some((line) => line.includes('loopback/ is not possible here')));
});

test('functions of the directory: user_data, domain_exists, user_exists, in_group, sofia_contact', () => {
  const engine = world(
    'set a=${user_data(1001@d.example var callgroup)}',
    'set b=${domain_exists(d.example)}${domain_exists(x)}',
    'set c=${user_exists(id 1001 d.example)}${user_exists(id 1 d.example)}',
    'set d=${in_group(1002@d.example sales)}',
    'set e=${sofia_contact(1001@d.example)}',
    'set f=${sofia_contact(5@d.example)}',
    'set g=${cond(${user_data(1001@d.example var callgroup)} == tech ? yes : no)}',
    'park',
  );
  const { variables } = engine.call('1').record;
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => variables[name]),
    [
      'tech',
      'truefalse',
      'truefalse',
      'true',
      'sofia/internal-video/p@127.0.0.1:5060;fs_nat=yes;fs_path=sip%3A127.0.0.1%3A6001',
      'error/user_not_registered',
      'yes',
    ],
  );
});

test('absolute_codec_string chooses what is offered to the callee', () => {
  const engine = world('bridge [absolute_codec_string=PCMU]user/1001@d.example');
  const [callee] = ringing(engine, engine.call('1'));
  assert.ok(callee);
  engine.step({ kind: 'mediaDone', leg: callee.uuid, failure: null });
  assert.match(callee.record.media?.localSdp ?? '', /m=audio \d+ RTP\/AVP 0 101\r/);
});

test('loopback/app= replaces variables once: what a caller is called runs no function', () => {
  const engine = world('bridge loopback/app=set:x=${caller_id_name}', 'park');
  const leg = engine.call('1', null, '\\\\${global_getvar(domain)}');
  assert.equal(leg.record.caller.callerIdName, '\\${global_getvar(domain)}');
  assert.equal(leg.record.variables['x'], '${global_getvar(domain)}');
});

test('sofia/ALIAS/ finds the profile by its alias', () => {
  const engine = world('bridge sofia/d.example/5@127.0.0.1:6100');
  assert.deepEqual(ports(ringing(engine, engine.call('1'))), [6100]);
});
