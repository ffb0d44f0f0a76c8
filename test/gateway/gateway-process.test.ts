import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { cseqOf, header, tagOf, userOf } from '../../tools/phone/wire.ts';
import { Bench, type BenchOptions, eventually, sleep, timeout } from '../system/bench.ts';
import { EventClient } from '../system/event-client.ts';
import type { Received } from '../system/sip-client.ts';
import { Trunk } from './trunk-peer.ts';

const toTrunk = `
    <extension name="trunk">
      <condition field="destination_number" expression="^0(\\d+)$">
        <action application="bridge" data="sofia/gateway/trunk/$1"/>
      </condition>
    </extension>
    <extension name="failover">
      <condition field="destination_number" expression="^8(\\d+)$">
        <action application="bridge" data="sofia/gateway/dead/$1|sofia/gateway/internal::trunk/$1"/>
      </condition>
    </extension>
    <extension name="nowhere">
      <condition field="destination_number" expression="^7(\\d+)$">
        <action application="bridge" data="sofia/internal/$1@host.invalid|sofia/gateway/trunk/$1"/>
      </condition>
    </extension>
    <extension name="from-trunk">
      <condition field="destination_number" expression="^4711$">
        <action application="answer"/>
        <action application="echo"/>
      </condition>
    </extension>`;

interface Setting {
  readonly bench: Bench;
  readonly trunk: Trunk;
}

/** A switch that is registered at a trunk, which it knows by a host name. */
async function setUp(context: TestContext, gateways = '', options: BenchOptions = {}): Promise<Setting> {
  const trunk = await Trunk.open();
  context.after(() => trunk.close());
  const bench = await Bench.create(context, { extensions: toTrunk, start: false, ...options });
  bench.edit(
    'autoload_configs/sofia.conf.xml',
    '</settings>',
    `</settings>
      <gateways>
        <gateway name="trunk">
          <param name="username" value="alice"/>
          <param name="password" value="secret"/>
          <param name="realm" value="trunk.example"/>
          <param name="proxy" value="localhost:${trunk.port}"/>
          <param name="expire-seconds" value="600"/>
          <param name="extension" value="4711"/>
        </gateway>
        ${gateways}
      </gateways>`,
  );
  await bench.undrop.start();
  await registered(bench);
  return { bench, trunk };
}

async function registered(bench: Bench): Promise<void> {
  const status = await eventually(
    () => bench.cli('sofia status gateway trunk'),
    (text) => /^State\s+REGED$/m.test(text),
  );
  assert.match(status, /^State\s+REGED$/m);
}

function callIdOf(message: Received | undefined): string {
  assert.ok(message !== undefined, 'the message came');
  return header(message, 'call-id');
}

async function assertNothingLeft(bench: Bench, trunk: Trunk): Promise<void> {
  assert.equal(await bench.undrop.waitChannelCount(0), 0, 'channels');
  assert.equal(await bench.undrop.waitRecoveryRows(0), 0, 'rows');
  assert.deepEqual(trunk.faults, [], 'credentials');
}

describe('a call through a gateway', { timeout: 4 * timeout }, () => {
  test('registers, answers the challenge to its INVITE and to its BYE, and is counted', { timeout }, async (context) => {
    const { bench, trunk } = await setUp(context);
    assert.match(trunk.contact, /^<sip:gw\+trunk@127\.0\.0\.1:\d+;transport=udp;gw=trunk>$/);
    trunk.challenges.set('BYE', 401);
    const phone = await bench.phone({ user: '1000', sound: false });
    const dialog = await phone.call('0555');
    const invite = trunk.invite;
    assert.ok(invite !== null);
    const first = trunk.challenged.find((message) => message.method === 'INVITE');
    assert.equal(callIdOf(invite), callIdOf(first));
    assert.ok(first !== undefined);
    assert.equal(tagOf(header(invite, 'from')), tagOf(header(first, 'from')));
    assert.equal(cseqOf(invite).number, cseqOf(first).number + 1);
    assert.equal(invite.requestUri, `sip:555@localhost:${trunk.port}`);
    assert.match(header(invite, 'from'), /<sip:alice@trunk\.example>/);
    assert.match(header(invite, 'remote-party-id'), /<sip:1000@trunk\.example>;party=calling/);
    assert.equal(userOf(header(invite, 'contact').replace('<', '')), 'gw+trunk');
    const acknowledged = await trunk.client.wait(
      'ACK to the 200',
      (message) => message.method === 'ACK' && cseqOf(message).number === cseqOf(invite).number,
    );
    assert.equal(header(acknowledged, 'proxy-authorization'), header(invite, 'proxy-authorization'), 'the ACK repeats the credentials');
    assert.equal(await dialog.hangUp(), 200);
    await eventually(
      () => trunk.admittedOf('BYE').length,
      (count) => count === 1,
    );
    assert.equal(trunk.admittedOf('BYE').length, 1, 'the BYE came again with credentials');
    await assertNothingLeft(bench, trunk);
    assert.match(await bench.cli('sofia status gateway'), /internal::trunk\t +sip:alice@trunk\.example\tREGED\t +0\.00\t0\/0\t0\/1\n/);
    assert.match(await bench.cli('sofia status'), /internal::trunk\tgateway\t +sip:alice@trunk\.example\tREGED\n/);
    assert.match(await bench.cli('sofia status profile internal'), /^CALLS-OUT\s+1$/m);
    assert.match(await bench.cli('sofia status profile internal'), /^FAILED-CALLS-OUT\s+0$/m);
  });

  test('a wrong password ends the call, not the switch', { timeout }, async (context) => {
    const { bench, trunk } = await setUp(context);
    trunk.challenges.delete('REGISTER');
    trunk.challenges.set('INVITE', 401);
    bench.edit('autoload_configs/sofia.conf.xml', 'value="secret"', 'value="wrong"');
    await bench.undrop.killAll();
    await bench.undrop.start();
    await registered(bench);
    const phone = await bench.phone({ sound: false });
    const dialog = phone.dial('0555');
    const answer = await phone.finalOf(dialog);
    assert.ok(answer.status >= 400, `answered ${answer.status}`);
    assert.deepEqual(trunk.faults.length, 1, 'the password was tried once');
    assert.match(trunk.faults[0] ?? '', /^INVITE \d+: wrong response$/);
    assert.equal(await bench.undrop.waitChannelCount(0), 0);
    assert.match(await bench.cli('sofia status gateway trunk'), /^FailedCallsOUT\s+1$/m);
  });

  test('survives a kill of everything after its second INVITE, before the answer; BYE comes from the trunk', {
    timeout,
  }, async (context) => {
    const { bench, trunk } = await setUp(context);
    trunk.answers = false;
    const phone = await bench.phone({ sound: false });
    const dialog = phone.dial('0555');
    await eventually(
      () => trunk.invite,
      (invite) => invite !== null,
    );
    const before = trunk.admittedOf('REGISTER').at(-1);
    await bench.undrop.killAll();
    await bench.undrop.start();
    trunk.pickUp();
    await phone.connect(dialog);
    assert.equal(trunk.admittedOf('INVITE').length, 1, 'no second call was made');
    const again = await eventually(
      () => trunk.admittedOf('REGISTER').at(-1),
      (register) => register !== before,
    );
    assert.ok(before !== undefined && again !== undefined && again !== before, 'it registered again');
    assert.equal(callIdOf(again), callIdOf(before));
    assert.ok(cseqOf(again).number > cseqOf(before).number);
    trunk.sendBye();
    const answered = await trunk.client.wait('answer to BYE', (message) => message.method === null && cseqOf(message).method === 'BYE');
    assert.equal(answered.status, 200);
    await dialog.request('BYE');
    await assertNothingLeft(bench, trunk);
  });

  for (const delay of [0, 2]) {
    test(`survives a kill of everything ${delay} ms after the challenge`, { timeout }, async (context) => {
      const { bench, trunk } = await setUp(context);
      let killed: Promise<void> | null = null;
      trunk.onChallenge = (request) => {
        if (request.method !== 'INVITE' || killed !== null) return;
        killed = sleep(delay).then(() => bench.undrop.killAll());
      };
      const phone = await bench.phone({ sound: false });
      const dialog = phone.dial('0555');
      await eventually(
        () => killed,
        (begun) => begun !== null,
      );
      await killed;
      await bench.undrop.start();
      await phone.connect(dialog, 15_000);
      assert.equal(trunk.admittedOf('INVITE').length, 1, 'the trunk has one call');
      assert.equal(await dialog.hangUp(), 200);
      await eventually(
        () => trunk.admittedOf('BYE').length,
        (count) => count === 1,
      );
      assert.equal(trunk.admittedOf('BYE').length, 1);
      await assertNothingLeft(bench, trunk);
    });
  }

  test('an answered call survives a kill of everything; the challenge to its verification is answered', { timeout }, async (context) => {
    const { bench, trunk } = await setUp(context, '', { profileParameters: { 'recovery-refresh': 'reinvite' } });
    const phone = await bench.phone({ sound: false });
    const dialog = await phone.call('0555');
    await bench.undrop.killAll();
    await bench.undrop.start();
    const inside = () => trunk.admittedOf('INVITE').filter((message) => tagOf(header(message, 'to')) !== '').length;
    await eventually(inside, (count) => count === 1);
    assert.equal(inside(), 1, 'the re-INVITE came again with credentials');
    assert.equal(await bench.undrop.channelCount(), 2);
    assert.equal(await dialog.hangUp(), 200);
    await eventually(
      () => trunk.admittedOf('BYE').length,
      (count) => count === 1,
    );
    assert.equal(trunk.admittedOf('BYE').length, 1);
    await assertNothingLeft(bench, trunk);
  });
});

describe('a gateway', { timeout: 4 * timeout }, () => {
  test('that is down fails its attempt at once, and the next one is tried', { timeout }, async (context) => {
    const silent = await Trunk.open();
    silent.silent = true;
    context.after(() => silent.close());
    const { bench, trunk } = await setUp(
      context,
      `<gateway name="dead">
          <param name="username" value="alice"/><param name="password" value="secret"/>
          <param name="proxy" value="127.0.0.1:${silent.port}"/>
        </gateway>`,
    );
    const phone = await bench.phone({ sound: false });
    const dialog = await phone.call('8777');
    assert.equal(trunk.invite?.requestUri, `sip:777@localhost:${trunk.port}`);
    assert.deepEqual(
      silent.client.received.filter((message) => message.method === 'INVITE'),
      [],
      'nothing is sent to a gateway that is down',
    );
    assert.equal(await dialog.hangUp(), 200);
    await assertNothingLeft(bench, trunk);
  });

  test('is tried when the host name of the attempt before leads nowhere', { timeout }, async (context) => {
    const { bench, trunk } = await setUp(context);
    const phone = await bench.phone({ sound: false });
    const dialog = await phone.connect(phone.dial('7555'), 15_000);
    assert.equal(trunk.invite?.requestUri, `sip:555@localhost:${trunk.port}`);
    assert.equal(await dialog.hangUp(), 200);
    await assertNothingLeft(bench, trunk);
  });

  test('calls in without a password at the Contact it was given; strangers are challenged', { timeout }, async (context) => {
    const { bench, trunk } = await setUp(context, '', { profileParameters: { 'auth-calls': 'true' } });
    const stranger = await bench.phone({ sound: false });
    assert.equal((await stranger.finalOf(stranger.dial('9196'))).status, 407);
    const known = await bench.phone({ sound: false });
    const user = /^<sip:([^@]+)@/.exec(trunk.contact)?.[1] ?? '';
    const dialog = await known.call(user);
    assert.match(await bench.cli('show channels'), /,4711,/, 'the number is the extension of the gateway');
    assert.equal(await dialog.hangUp(), 200);
    assert.match(await bench.cli('sofia status gateway trunk'), /^CallsIN\s+1$/m);
  });

  test('is taken up by rescan after reloadxml and taken away by killgw, while a call through another goes on', {
    timeout,
  }, async (context) => {
    const { bench, trunk } = await setUp(context);
    const phone = await bench.phone({ sound: false });
    const dialog = await phone.call('0555');
    const added = '<gateway name="added"><param name="register" value="false"/><param name="proxy" value="127.0.0.1:9"/></gateway>';
    bench.edit('autoload_configs/sofia.conf.xml', '</gateways>', `${added}</gateways>`);
    assert.match(await bench.cli('reloadxml'), /^\+OK/);
    assert.equal(await bench.cli('sofia status gateway added'), 'Invalid Gateway!\n');
    await bench.cli('sofia profile internal rescan');
    assert.match(await bench.cli('sofia status gateway added'), /^State\s+NOREG$/m);
    await bench.cli('sofia profile internal killgw added');
    assert.match(await bench.cli('sofia status gateway'), /\n1 gateway: /);
    assert.equal(await dialog.hangUp(), 200);
    await assertNothingLeft(bench, trunk);
  });

  test('takes its registration back when the switch is shut down, and by command', { timeout }, async (context) => {
    const { bench, trunk } = await setUp(context);
    const events = await EventClient.open(bench.undrop.ports.eventSocket, 'event json CUSTOM sofia::gateway_state');
    context.after(() => events.close());
    assert.equal((await bench.cli('sofia profile internal unregister trunk')).trim(), '+OK');
    const removals = () => trunk.admittedOf('REGISTER').filter((message) => header(message, 'expires') === '0').length;
    await eventually(removals, (count) => count === 1);
    assert.equal(removals(), 1);
    assert.match(await bench.cli('sofia status gateway trunk'), /^State\s+NOREG$/m);
    const unregistered = await events.wait('gateway_state', (event) => event['State'] === 'NOREG');
    assert.equal(unregistered['Event-Subclass'], 'sofia::gateway_state');
    assert.equal(unregistered['Gateway'], 'trunk');
    assert.equal(unregistered['Status'], '200');
    assert.equal((await bench.cli('sofia profile internal register all')).trim(), '+OK');
    await registered(bench);
    await bench.cli('fsctl shutdown now');
    await eventually(removals, (count) => count === 2);
    assert.equal(removals(), 2);
  });
});
