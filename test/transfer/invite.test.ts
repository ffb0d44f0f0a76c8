import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cseqOf, header, tagOf, writeSip } from '../../tools/phone/wire.ts';
import { World } from './harness.ts';

const timeout = 60_000;

test('a 3xx is followed to its contacts, the preferred first, with the same Call-ID and a higher CSeq', { timeout }, async () => {
  const world = await World.start();
  const [alice, bob, carol, dave] = [world.phone(6001), world.phone(6002), world.phone(6003), world.phone(6004)];
  bob.answers = 302;
  bob.answerHeaders = [['contact', '<sip:6004@127.0.0.1:6004>;q=0.5, <sip:6003@127.0.0.1:6003>;q=0.9']];
  bob.respond = (call, request, status, headers = []) =>
    bob.transmit(
      writeSip(
        `SIP/2.0 ${status} Moved`,
        [
          ...request.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq'].includes(name)),
          ['to', `${header(request, 'to')};tag=${call.localTag}`],
          ...headers,
        ],
        '',
      ),
    );
  carol.answers = 486;
  const call = await alice.call('6002');
  assert.equal(carol.incoming().callId, bob.incoming().callId);
  assert.ok(
    dave.incoming().invite !== null && cseqOf(dave.incoming().invite as never).number === cseqOf(bob.incoming().invite as never).number + 2,
  );
  world.assertBridged(call, dave.incoming());
  await world.crash();
  await call.request('BYE');
  assert.equal(dave.incoming().requests('BYE').length, 1);
  await world.assertNothingLeft();
});

test('a redirect that is out when we die goes on to the next contact', { timeout }, async () => {
  const world = await World.start();
  const [alice, bob, carol, dave] = [world.phone(6001), world.phone(6002), world.phone(6003), world.phone(6004)];
  bob.answers = null;
  carol.answers = null;
  const call = alice.dial('6002');
  await world.settle();
  const invite = bob.incoming().invite as never;
  bob.transmit(redirect(invite, ['<sip:6003@127.0.0.1:6003>', '<sip:6004@127.0.0.1:6004>']));
  await world.settle();
  await world.crash();
  carol.incoming().answer(486);
  await world.settle();
  assert.equal(call.final('INVITE').status, 200);
  world.assertBridged(call, dave.incoming());
  await call.request('BYE');
  await world.assertNothingLeft();
});

function redirect(invite: Parameters<typeof header>[0], contacts: readonly string[]): Buffer {
  return writeSip(
    'SIP/2.0 302 Moved Temporarily',
    [
      ...invite.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq'].includes(name)),
      ['to', `${header(invite, 'to')};tag=moved`],
      ...contacts.map((contact) => ['contact', contact] as const),
    ],
    '',
  );
}

test('two servers that redirect to each other end with the limit; a redirect without a usable contact fails', { timeout }, async () => {
  const world = await World.start();
  const [alice, bob, carol] = [world.phone(6001), world.phone(6002), world.phone(6003)];
  let invites = 0;
  for (const [phone, other] of [
    [bob, 6003],
    [carol, 6002],
  ] as const) {
    phone.receive = (bytes) => {
      const text = Buffer.from(bytes).toString();
      if (!text.startsWith('INVITE')) return;
      invites += 1;
      const headers = text
        .split('\r\n\r\n')[0]
        ?.split('\r\n')
        .slice(1)
        .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)] as const);
      phone.transmit(redirect({ headers: headers ?? [] } as never, [`<sip:x@127.0.0.1:${other}>`]));
    };
  }
  const call = alice.dial('6002');
  await world.settle();
  await world.settle();
  assert.equal(invites, 6, 'the call and five redirects');
  assert.equal(call.final('INVITE').status >= 300, true);
  invites = 0;
  bob.receive = (bytes) => {
    const text = Buffer.from(bytes).toString();
    if (!text.startsWith('INVITE')) return;
    invites += 1;
    const headers = text
      .split('\r\n')
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)] as const);
    bob.transmit(redirect({ headers } as never, ['<sip:x@nowhere.invalid>']));
  };
  const second = alice.dial('6002');
  await world.settle();
  assert.equal(invites, 1);
  assert.ok(second.final('INVITE').status >= 300);
  await world.assertNothingLeft();
});

test('late offer in: our offer in the 200, the answer in the ACK; the bridge is connected then', { timeout }, async () => {
  const world = await World.start();
  const [alice, bob] = [world.phone(6001), world.phone(6002)];
  const call = await alice.call('6002', [], '');
  await world.settle();
  assert.match(call.final('INVITE').body, /m=audio/);
  world.assertBridged(call, bob.incoming());
  // And within the dialog, which is how some trunks refresh.
  const again = await call.request('INVITE');
  assert.equal(again.status, 200);
  assert.match(again.body, /m=audio/);
  await world.settle();
  world.assertBridged(call, bob.incoming());
  await call.request('BYE');
  await world.assertNothingLeft();
});

for (const crash of [false, true]) {
  test(`a second 2xx of a fork is acknowledged and ended${crash ? ', also after a SIGKILL' : ''}`, { timeout }, async () => {
    const world = await World.start();
    const [alice, bob] = [world.phone(6001), world.phone(6002)];
    bob.answers = null;
    const call = alice.dial('6002');
    await world.settle();
    const b = bob.incoming();
    b.answer();
    await world.settle();
    if (crash) await world.crash();
    bob.transmit(
      writeSip(
        'SIP/2.0 200 OK',
        [
          ...(b.invite?.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq'].includes(name)) ?? []),
          ['to', `${header(b.invite as never, 'to')};tag=other`],
          ['contact', '<sip:6002@127.0.0.1:6002>'],
        ],
        '',
      ),
    );
    await world.settle();
    const of = (method: string): number => b.requests(method).filter((message) => tagOf(header(message, 'to')) === 'other').length;
    assert.deepEqual([of('ACK'), of('BYE')], [1, 1]);
    world.assertBridged(call, b);
    await call.request('BYE');
    await world.assertNothingLeft();
  });
}

test('CANCEL races: a 200 that crossed our CANCEL gets ACK and BYE; a CANCEL after our 200 changes nothing', { timeout }, async () => {
  const world = await World.start();
  const [alice, bob] = [world.phone(6001), world.phone(6002)];
  bob.answers = 180;
  const call = alice.dial('6002');
  await world.settle();
  const b = bob.incoming();
  bob.react = (request) => (request.method === 'CANCEL' ? 'silence' : null);
  call.send('CANCEL');
  await world.settle();
  assert.equal(call.final('INVITE').status, 487);
  b.answer();
  await world.settle();
  assert.equal(b.requests('ACK').length, 1);
  assert.equal(b.requests('BYE').length, 1);
  bob.react = () => null;
  const echo = await alice.call('9196');
  echo.send('CANCEL');
  await world.settle();
  assert.equal(echo.requests('BYE').length, 0);
  assert.deepEqual(world.mode(echo), { kind: 'echo' });
  await echo.request('BYE');
  await world.assertNothingLeft();
});
