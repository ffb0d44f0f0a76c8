import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Address } from '../../src/base/index.ts';
import { parseMessage, serializeMessage, withHeader } from '../../src/sip/index.ts';
import { SimulatedWorld, type WorldOptions } from './simulated-world.ts';

/** A world in which something is done wrong must be told so. */
async function expectViolation(
  pattern: RegExp,
  spoil: (world: SimulatedWorld) => void,
  options: Partial<WorldOptions> = {},
): Promise<void> {
  const world = new SimulatedWorld({ seed: 5, ...options });
  spoil(world);
  await world.run(120_000);
  assert.ok(
    world.violations.some((violation) => pattern.test(violation)),
    `${pattern} in ${JSON.stringify(world.violations)}`,
  );
}

describe('what the simulator checks is noticed when it is wrong', { timeout: 60_000 }, () => {
  test('a call that is forgotten', () =>
    expectViolation(
      /forgotten/,
      (world) => {
        world.phone(1).call('9196', { hangupAfter: 6000, actions: [{ after: 4000, act: (call) => call.request('OPTIONS') }] });
        world.schedule.setTimer(2000, () => world.node.crash('all'));
      },
      { profileParameters: { 'track-calls': 'false' } },
    ));

  test('sound that stops', () =>
    expectViolation(/no sound/, (world) => {
      world.phone(1).call('9196', { hangupAfter: 6000 });
      world.schedule.setTimer(3000, () => {
        world.rtp.send = () => undefined;
      });
    }));

  test('sound from another address', () =>
    expectViolation(/sound from 10\.0\.9\.9/, (world) => {
      const call = world.phone(1).call('9196', { hangupAfter: 4000 });
      const packet = Uint8Array.from([0x80, 0, 0, 1, ...new Array(168).fill(7)]);
      world.schedule.setTimer(2000, () => world.rtp.send({ ip: '10.0.9.9', port: 4000 }, call.local, packet));
    }));

  test('sound whose sequence goes back', () =>
    expectViolation(/went back/, (world) => {
      const call = world.phone(1).call('9196', { hangupAfter: 4000 });
      const send = world.rtp.send.bind(world.rtp);
      world.rtp.send = (source: Address, destination: Address, bytes: Uint8Array) => {
        send(source, destination, bytes);
        if (destination.port === call.local.port && world.schedule.now() > 2000) send(source, destination, bytes);
      };
    }));

  test('another SSRC', () =>
    expectViolation(/2 SSRCs/, (world) => {
      const call = world.phone(1).call('9196', { hangupAfter: 4000 });
      const send = world.rtp.send.bind(world.rtp);
      world.rtp.send = (source: Address, destination: Address, bytes: Uint8Array) => {
        const copy = Uint8Array.from(bytes);
        if (destination.port === call.local.port && world.schedule.now() > 2000) copy[8] = (copy[8] ?? 0) ^ 0xff;
        send(source, destination, copy);
      };
    }));

  test('a CSeq that goes back', () =>
    expectViolation(/with CSeq 0 after/, (world) => {
      world.phone(1).call('2002', { hangupAfter: 4000 });
      spoilRequests(world, 'BYE', (request) => withHeader(request, 'CSeq', '0 BYE'));
    }));

  test('a wrong tag', () =>
    expectViolation(/with tags/, (world) => {
      world.phone(1).call('2002', { hangupAfter: 4000 });
      spoilRequests(world, 'BYE', (request) => withHeader(request, 'To', '<sip:2002@10.0.1.2>;tag=wrong'));
    }));

  test('a 100 that nothing follows', () =>
    expectViolation(/not over|no final response/, (world) => {
      const send = world.sip.send.bind(world.sip);
      world.sip.send = (source, destination, bytes) => {
        if (source.ip !== '10.0.0.1' || /^SIP\/2.0 100/.test(Buffer.from(bytes).toString('latin1'))) send(source, destination, bytes);
      };
      world.phone(1).call('9196');
    }));

  test('a CDR that is missing', () =>
    expectViolation(/has no CDR/, (world) => {
      world.node.cdrs.set = () => world.node.cdrs;
      world.phone(1).call('9196', { hangupAfter: 2000 });
    }));

  test('an endpoint that is left', () =>
    expectViolation(/not over.*"endpoints":1/, (world) => {
      world.phone(1).call('9196', { hangupAfter: 2000 });
      world.schedule.setTimer(1000, () => {
        world.node.media?.plane.handleCommand({
          kind: 'set',
          request: 1,
          endpoints: [
            {
              id: 'stray',
              localIp: '10.0.0.1',
              localPort: 20_000,
              remote: null,
              remoteRtcp: null,
              learned: null,
              format: null,
              ssrc: 1,
              send: true,
              receive: true,
              rtpTimeout: 0,
              mode: { kind: 'idle' },
            },
          ],
        });
      });
    }));

  test('a call that the switch ends by itself', () =>
    expectViolation(/the switch ended the call/, (world) => {
      world.phone(1).call('9196');
      world.schedule.setTimer(2000, () => world.node.core?.hangupAll('MANAGER_REQUEST'));
    }));

  test('an exception in the switch', () =>
    expectViolation(/exception: .*deliberate/, (world) => {
      world.phone(1).call('9196', { hangupAfter: 2000 });
      world.schedule.setTimer(1000, () => {
        throw new Error('deliberate');
      });
    }));
});

function spoilRequests(
  world: SimulatedWorld,
  method: string,
  change: (request: Extract<ReturnType<typeof parseMessage>, { kind: 'message' }>['message']) => Parameters<typeof serializeMessage>[0],
): void {
  const send = world.sip.send.bind(world.sip);
  world.sip.send = (source, destination, bytes) => {
    const parsed = parseMessage(bytes);
    const isMeant =
      source.ip === '10.0.0.1' && parsed.kind === 'message' && parsed.message.kind === 'request' && parsed.message.method === method;
    send(source, destination, isMeant ? serializeMessage(change(parsed.message)) : bytes);
  };
}
