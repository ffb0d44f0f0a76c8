import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/index.ts';
import { CallEngine, type Effect, type LegRecord } from '../../src/call/index.ts';
import { VirtualClock } from '../sip/virtual-clock.ts';
import { configuration, counting } from './bench.ts';

const config = configuration({ register: 'false' });

function engine(): CallEngine {
  return new CallEngine({
    config: () => config,
    clock: new VirtualClock(),
    random: counting(),
    logger: silentLogger,
    coreUuid: 'core',
    contactsFor: () => [],
    gateway: () => null,
    onEvent: () => undefined,
    onRecoveryOutcome: () => undefined,
  });
}

function call(from: CallEngine): { record: LegRecord; effects: readonly Effect[] } {
  const profile = config.profiles.get('external');
  assert.ok(profile !== undefined);
  const { leg, result } = from.originate(
    {
      profile,
      target: 'sip:1@carrier.example:5070',
      destination: null,
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
  return { record: leg.record, effects: result.effects };
}

function kinds(effects: readonly Effect[]): string[] {
  return effects.map((effect) => effect.kind);
}

test('a call to a host name asks for its address first, then opens its port, then sends', () => {
  const calls = engine();
  const { record, effects } = call(calls);
  assert.deepEqual(effects.slice(0, 1), [{ kind: 'resolve', leg: record.uuid, host: 'carrier.example', port: 5070 }]);
  const address = { ip: '198.51.100.3', port: 5070 };
  const resolved = calls.step({ kind: 'resolved', leg: record.uuid, resolution: { kind: 'addresses', addresses: [address] } });
  assert.deepEqual(kinds(resolved.effects), ['media']);
  const [request] = calls.step({ kind: 'mediaDone', leg: record.uuid, failure: null }).effects;
  assert.ok(request?.kind === 'request');
  assert.deepEqual(request.destination, address);
  assert.equal(request.request.uri, 'sip:1@carrier.example:5070');
});

test('a name that leads nowhere ends the call', () => {
  const calls = engine();
  const { record } = call(calls);
  calls.step({ kind: 'resolved', leg: record.uuid, resolution: { kind: 'failed', reason: 'ENOTFOUND' } });
  assert.equal(record.hangupCause, 'NETWORK_OUT_OF_ORDER');
  assert.equal(calls.legs.size, 0);
});

test('a call that was hung up during the look-up stays ended', () => {
  const calls = engine();
  const { record } = call(calls);
  calls.step({ kind: 'hangup', leg: record.uuid, cause: 'NORMAL_CLEARING' });
  const late = calls.step({
    kind: 'resolved',
    leg: record.uuid,
    resolution: { kind: 'addresses', addresses: [{ ip: '198.51.100.3', port: 5060 }] },
  });
  assert.deepEqual(late.effects, []);
});

test('a crash during the look-up: the next life asks again', () => {
  const { record } = call(engine());
  const next = engine();
  const stored = JSON.parse(JSON.stringify(record)) as LegRecord;
  assert.deepEqual(kinds(next.restoreMedia([stored]).effects), []);
  assert.deepEqual(
    kinds(next.restoreSignalling([stored.uuid]).effects),
    ['resolve', 'timer'],
    'and it still rings no longer than it was to',
  );
  const resolution = { kind: 'addresses', addresses: [{ ip: '198.51.100.3', port: 5070 }] } as const;
  assert.deepEqual(kinds(next.step({ kind: 'resolved', leg: stored.uuid, resolution }).effects), ['media']);
});
