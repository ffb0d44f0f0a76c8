import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/index.ts';
import { CallEngine, type DialGateway, type Effect } from '../../src/call/index.ts';
import { createResponse, headerValues, type SipRequest } from '../../src/sip/index.ts';
import { VirtualClock } from '../sip/virtual-clock.ts';
import { configuration, counting } from './bench.ts';

const config = configuration({ register: 'false' });
const PROXY = '<sip:198.51.100.9;lr>';
const address = { ip: '198.51.100.9', port: 5060 };
const trunk: DialGateway = {
  name: 'trunk',
  profile: 'external',
  up: true,
  contact: 'sip:gw+trunk@192.0.2.1',
  account: { username: 'u', password: 'p' },
  routes: [PROXY],
  requestUri: (number) => `sip:${number}@carrier.example`,
  nextHop: () => address,
  from: () => '<sip:u@carrier.example>',
  identityHeaders: () => [{ name: 'P-Asserted-Identity', value: '<sip:2@192.0.2.1>' }],
};

function inviteOf(effects: readonly Effect[]): Extract<Effect, { kind: 'request' }> & { request: SipRequest } {
  const found = effects.find((effect) => effect.kind === 'request' && effect.request.method === 'INVITE');
  assert.ok(found?.kind === 'request');
  return found;
}

test('an INVITE said again for a 422 goes through the proxy of the trunk, not where a provisional response pointed', () => {
  const engine = new CallEngine({
    config: () => config,
    clock: new VirtualClock(),
    random: counting(),
    logger: silentLogger,
    coreUuid: 'core',
    contactsFor: () => [],
    gateway: () => trunk,
    onEvent: () => undefined,
    onRecoveryOutcome: () => undefined,
  });
  const profile = config.profiles.get('external');
  assert.ok(profile !== undefined);
  const { leg } = engine.originate(
    {
      profile,
      target: 'sip:1@carrier.example',
      destination: address,
      gateway: trunk,
      destinationNumber: '1',
      originator: null,
      variables: new Map(),
      callerIdName: '',
      callerIdNumber: '2',
      applications: [{ application: 'echo', data: '' }],
      context: 'public',
    },
    60,
  );
  const first = inviteOf(engine.step({ kind: 'mediaDone', leg: leg.uuid, failure: null }).effects);
  assert.deepEqual(headerValues(first.request, 'Route'), [PROXY]);
  const answer = (status: number, headers: readonly { name: string; value: string }[]): readonly Effect[] =>
    engine.step({
      kind: 'response',
      leg: leg.uuid,
      branch: first.branch,
      method: 'INVITE',
      response: createResponse(first.request, status, { toTag: 't', headers }),
      source: address,
    }).effects;
  answer(180, [
    { name: 'Contact', value: '<sip:1@203.0.113.5>' },
    { name: 'Record-Route', value: '<sip:203.0.113.6;lr>' },
  ]);
  const second = inviteOf(answer(422, [{ name: 'Min-SE', value: '600' }]));
  assert.equal(second.request.uri, 'sip:1@carrier.example');
  assert.deepEqual(headerValues(second.request, 'Route'), [PROXY]);
  assert.deepEqual(headerValues(second.request, 'P-Asserted-Identity'), ['<sip:2@192.0.2.1>']);
  assert.deepEqual(second.destination, address);
});
