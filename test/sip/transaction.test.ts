import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address } from '../../src/base/index.ts';
import {
  createCancel,
  createResponse,
  headerValue,
  parseMessage,
  RepeatUntilAcknowledged,
  type ServerTransaction,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  serializeMessage,
  TransactionLayer,
  withFirstHeader,
  withHeader,
} from '../../src/sip/index.ts';
import { INVITE_TEXT, parsedRequest } from './samples.ts';
import { VirtualClock } from './virtual-clock.ts';

const TIMERS = { t1: 500, t2: 4000, t4: 5000, t1x64: 32_000 };
const PEER: Address = { ip: '192.0.2.20', port: 5062 };
const INVITE = parsedRequest(INVITE_TEXT);
const OPTIONS: SipRequest = withHeader({ ...INVITE, method: 'OPTIONS', body: '' }, 'CSeq', '7 OPTIONS');
const VIA = headerValue(INVITE, 'Via') ?? '';

function acknowledgeFor(response: SipResponse, branch?: string): SipRequest {
  const via = branch === undefined ? VIA : VIA.replace(/branch=.*/, `branch=${branch}`);
  const request: SipRequest = { ...INVITE, method: 'ACK', body: '' };
  return withHeader(withHeader(withFirstHeader(request, 'Via', via), 'CSeq', '21543 ACK'), 'To', headerValue(response, 'To') ?? '');
}

function setUp(maximumTransactions = 100) {
  const clock = new VirtualClock();
  const sent: { at: number; text: string; message: SipMessage; destination: Address }[] = [];
  const requests: ServerTransaction[] = [];
  const acknowledges: SipRequest[] = [];
  const strays: SipResponse[] = [];
  const acknowledgeTimeouts: ServerTransaction[] = [];
  const layer = new TransactionLayer({
    clock,
    timers: TIMERS,
    maximumTransactions,
    sender: {
      send: (bytes, destination) => {
        const result = parseMessage(bytes);
        assert.equal(result.kind, 'message');
        if (result.kind !== 'message') return;
        const first = result.message;
        const text = first.kind === 'request' ? first.method : String(first.status);
        sent.push({ at: clock.now(), text, message: first, destination });
      },
    },
    user: {
      request: (transaction) => requests.push(transaction),
      acknowledge: (request) => acknowledges.push(request),
      strayResponse: (response) => strays.push(response),
      acknowledgeTimeout: (transaction) => acknowledgeTimeouts.push(transaction),
    },
  });
  const responses: number[] = [];
  let timeouts = 0;
  const user = { response: (response: SipResponse) => void responses.push(response.status), timeout: () => void timeouts++ };
  return {
    clock,
    layer,
    sent,
    requests,
    acknowledges,
    strays,
    acknowledgeTimeouts,
    responses,
    timeouts: () => timeouts,
    times: (text: string) => sent.filter((entry) => entry.text === text).map((entry) => entry.at),
    start: (request: SipRequest) => layer.startClient(request, serializeMessage(request), PEER, user),
    restore: (request: SipRequest, provisional: number) => layer.restoreClient(request, serializeMessage(request), PEER, provisional, user),
    answer: (request: SipRequest, status: number, toTag = 'b') => layer.receive(createResponse(request, status, { toTag }), PEER),
    request: (request: SipRequest) => layer.receive(request, PEER),
    /** The server transaction opened last responds. */
    respond: (status: number): SipResponse => {
      const transaction = requests.at(-1);
      assert.ok(transaction);
      const response = createResponse(transaction.request, status, { toTag: 'ours' });
      transaction.respond(status, serializeMessage(response));
      return response;
    },
  };
}

test('INVITE client: repeats at T1 doubling without a cap and times out after 64*T1 (§17.1.1.2)', () => {
  const t = setUp();
  const transaction = t.start(INVITE);
  t.clock.advance(31_999);
  assert.equal(t.timeouts(), 0);
  t.clock.advance(1);
  assert.deepEqual(t.times('INVITE'), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
  assert.equal(t.timeouts(), 1);
  assert.ok(transaction.terminated);
  assert.equal(t.layer.size + t.clock.pendingTimers, 0);
});

test('INVITE client: a provisional response stops retransmission, and Proceeding holds no timer', () => {
  const t = setUp();
  t.start(INVITE);
  t.answer(INVITE, 100);
  t.answer(INVITE, 180);
  assert.equal(t.clock.pendingTimers, 0);
  t.clock.advance(600_000);
  assert.deepEqual(t.times('INVITE'), [0]);
  assert.deepEqual([t.responses, t.timeouts(), t.layer.size], [[100, 180], 0, 1]);
});

test('INVITE client: it acknowledges a non-2xx itself, again on each retransmission, tells its user once, ends after timer D', () => {
  const t = setUp();
  t.start(INVITE);
  t.answer(INVITE, 486);
  t.clock.advance(1000);
  t.answer(INVITE, 486);
  assert.deepEqual(t.times('ACK'), [0, 1000]);
  const acknowledge = t.sent.find((entry) => entry.text === 'ACK')?.message;
  assert.ok(acknowledge !== undefined);
  assert.equal(headerValue(acknowledge, 'Via'), VIA);
  assert.deepEqual(t.responses, [486]);
  t.clock.advance(30_999);
  assert.equal(t.layer.size, 1);
  t.clock.advance(1);
  assert.equal(t.layer.size + t.clock.pendingTimers, 0);
});

test('INVITE client: it MUST NOT generate an ACK to a 2xx; retransmissions and forks go up for 64*T1 (RFC 6026 §7.2)', () => {
  const t = setUp();
  t.start(INVITE);
  t.answer(INVITE, 200, 'a');
  t.answer(INVITE, 200, 'a');
  t.answer(INVITE, 200, 'fork');
  t.answer(INVITE, 486);
  assert.deepEqual(t.responses, [200, 200, 200]);
  assert.deepEqual(t.times('ACK'), []);
  t.clock.advance(32_000);
  assert.equal(t.layer.size, 0);
  t.answer(INVITE, 200, 'late');
  assert.equal(t.strays.length, 1);
});

test('INVITE client: without a final response within 64*T1 of its CANCEL it ends as timed out (§9.1)', () => {
  const t = setUp();
  t.start(INVITE);
  t.answer(INVITE, 180);
  t.clock.advance(5000);
  const cancel = createCancel(INVITE);
  t.start(cancel);
  t.answer(cancel, 200);
  assert.deepEqual(t.responses, [180, 200]);
  t.clock.advance(31_999);
  assert.equal(t.timeouts(), 0);
  t.clock.advance(1);
  assert.equal(t.timeouts(), 1);
  assert.equal(t.layer.size + t.clock.pendingTimers, 0);
});

test('INVITE client: 487 after the CANCEL ends it without a timeout', () => {
  const t = setUp();
  t.start(INVITE);
  t.answer(INVITE, 180);
  t.start(createCancel(INVITE));
  t.answer(createCancel(INVITE), 200);
  t.answer(INVITE, 487);
  t.clock.advance(64_000);
  assert.deepEqual([t.responses, t.timeouts(), t.layer.size], [[180, 200, 487], 0, 0]);
});

test('non-INVITE client: repeats at T1 doubling to T2, then times out after 64*T1 (§17.1.2.2)', () => {
  const t = setUp();
  t.start(OPTIONS);
  t.clock.advance(32_000);
  assert.deepEqual(t.times('OPTIONS'), [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
  assert.deepEqual([t.timeouts(), t.layer.size, t.clock.pendingTimers], [1, 0, 0]);
});

test('non-INVITE client: a provisional response makes it repeat at T2, and timer F still ends it', () => {
  const t = setUp();
  t.start(OPTIONS);
  t.answer(OPTIONS, 100);
  t.clock.advance(32_000);
  assert.deepEqual(t.times('OPTIONS'), [0, 500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500]);
  assert.equal(t.timeouts(), 1);
});

test('non-INVITE client: the final response goes up once, retransmissions of it are absorbed for T4', () => {
  const t = setUp();
  t.start(OPTIONS);
  t.answer(OPTIONS, 200);
  t.answer(OPTIONS, 200);
  assert.deepEqual(t.responses, [200]);
  t.clock.advance(5000);
  assert.deepEqual([t.layer.size, t.strays.length, t.clock.pendingTimers], [0, 0, 0]);
});

test('§17.1.3: a response matches by branch and CSeq method', () => {
  const t = setUp();
  t.start(INVITE);
  t.answer(withHeader(INVITE, 'CSeq', '21543 CANCEL'), 200);
  t.answer(withFirstHeader(INVITE, 'Via', `${VIA}x`), 180);
  assert.deepEqual([t.responses, t.strays.length], [[], 2]);
});

test('INVITE server: a retransmission gets the last provisional response again, and nothing while there is none: the call is not durable yet', () => {
  const t = setUp();
  t.request(INVITE);
  t.request(INVITE);
  t.respond(180);
  t.request(INVITE);
  assert.deepEqual([t.sent.map((entry) => entry.text), t.requests.length, t.clock.pendingTimers], [['180', '180'], 1, 0]);
});

test('INVITE server: a non-2xx repeats at T1 doubling to T2 until timer H tells the user (§17.2.1)', () => {
  const t = setUp();
  t.request(INVITE);
  t.respond(486);
  t.clock.advance(32_000);
  assert.deepEqual(t.times('486'), [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
  assert.deepEqual([t.acknowledgeTimeouts.length, t.layer.size, t.clock.pendingTimers], [1, 0, 0]);
});

test('INVITE server: a retransmission after a non-2xx gets it again at once', () => {
  const t = setUp();
  t.request(INVITE);
  t.respond(486);
  t.clock.advance(100);
  t.request(INVITE);
  assert.deepEqual(t.times('486'), [0, 100]);
});

test('INVITE server: the ACK to a non-2xx stops it, is absorbed for T4, and never reaches the user', () => {
  const t = setUp();
  t.request(INVITE);
  const busy = t.respond(486);
  t.clock.advance(600);
  t.request(acknowledgeFor(busy));
  t.request(acknowledgeFor(busy));
  t.request(INVITE);
  t.clock.advance(4999);
  assert.deepEqual([t.times('486'), t.layer.size], [[0, 500], 1]);
  t.clock.advance(1);
  assert.deepEqual([t.acknowledges.length, t.acknowledgeTimeouts.length, t.layer.size], [0, 0, 0]);
});

test('INVITE server: after a 2xx it absorbs the INVITE, lets its user repeat the 2xx, and passes the ACK up (RFC 6026 §7.1)', () => {
  const t = setUp();
  t.request(INVITE);
  const ok = t.respond(200);
  t.request(INVITE);
  t.respond(200);
  assert.deepEqual(t.times('200'), [0, 0]);
  t.request(acknowledgeFor(ok, 'z9hG4bKother'));
  t.request(acknowledgeFor(ok));
  assert.deepEqual([t.acknowledges.length, t.requests.length], [2, 1]);
  t.clock.advance(32_000);
  assert.deepEqual([t.layer.size, t.clock.pendingTimers], [0, 0]);
  t.respond(200);
  assert.equal(t.times('200').length, 2, 'a repetition after timer L is dropped');
});

test('server: a second final response breaks an invariant', () => {
  const t = setUp();
  t.request(INVITE);
  t.respond(200);
  assert.throws(() => t.respond(486), /invariant/);
  t.request(OPTIONS);
  t.respond(200);
  assert.throws(() => t.respond(200), /invariant/);
});

test('non-INVITE server: silent before a response, then repeats the last one, for 64*T1 after the final (§17.2.2)', () => {
  const t = setUp();
  t.request(OPTIONS);
  t.request(OPTIONS);
  assert.equal(t.sent.length, 0);
  t.respond(200);
  t.request(OPTIONS);
  assert.deepEqual([t.times('200').length, t.requests.length, t.layer.counters.retransmissions], [2, 1, 2]);
  t.clock.advance(32_000);
  assert.deepEqual([t.layer.size, t.clock.pendingTimers], [0, 0]);
});

test('§9.2: a CANCEL is a transaction of its own and names the INVITE with its branch', () => {
  const t = setUp();
  t.request(INVITE);
  const cancel = createCancel(INVITE);
  t.request(cancel);
  assert.equal(t.requests.length, 2);
  assert.equal(t.layer.inviteServerFor(cancel), t.requests[0]);
  assert.equal(t.layer.inviteServerFor(withFirstHeader(cancel, 'Via', `${VIA}x`)), null);
});

test('§17.2.3: the same branch from another sent-by is another transaction', () => {
  const t = setUp();
  t.request(INVITE);
  t.request(withFirstHeader(INVITE, 'Via', VIA.replace('192.0.2.20:5062', '192.0.2.99:5062')));
  assert.equal(t.requests.length, 2);
});

test('§17.2.3: an RFC 2543 peer without the magic cookie matches by Request-URI, tags, Call-ID, CSeq and top Via', () => {
  const t = setUp();
  const old = withFirstHeader(INVITE, 'Via', 'SIP/2.0/UDP 192.0.2.20:5062;branch=1');
  const over = (request: SipRequest, response: SipResponse, tag?: string): SipRequest =>
    withHeader(withHeader({ ...request, method: 'ACK', body: '' }, 'CSeq', '21543 ACK'), 'To', tag ?? headerValue(response, 'To') ?? '');
  t.request(old);
  t.request(old);
  assert.equal(t.requests.length, 1);
  const busy = t.respond(486);
  t.request(over(old, busy, '<sip:9196@192.0.2.10>;tag=foreign'));
  assert.equal(t.acknowledges.length, 1, 'another To tag than that of our response');
  t.request(over(old, busy));
  assert.equal(t.acknowledges.length, 1);
  t.clock.advance(32_000);
  assert.deepEqual([t.times('486'), t.acknowledgeTimeouts.length, t.layer.size], [[0], 0, 0]);
  t.request(withHeader(old, 'CSeq', '21544 INVITE'));
  t.request(withHeader({ ...old, uri: 'sip:other@192.0.2.10' }, 'CSeq', '21544 INVITE'));
  assert.equal(t.requests.length, 3);
});

test('responses go where the top Via says', () => {
  const t = setUp();
  t.layer.receive(withFirstHeader(INVITE, 'Via', 'SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKn;rport=3333;received=198.51.100.7'), PEER);
  t.respond(180);
  assert.deepEqual(t.sent[0]?.destination, { ip: '198.51.100.7', port: 3333 });
});

test('over maximumTransactions: 503 with one To tag per request, no state; ACK and our own requests pass', () => {
  const t = setUp(1);
  t.request(OPTIONS);
  t.request(INVITE);
  t.request(INVITE);
  assert.deepEqual(
    t.sent.map((entry) => entry.text),
    ['503', '503'],
  );
  const [first, second] = t.sent;
  assert.ok(first && second);
  assert.equal(headerValue(first.message, 'To'), headerValue(second.message, 'To'));
  assert.match(headerValue(first.message, 'To') ?? '', /;tag=/);
  t.request(acknowledgeFor(first.message as SipResponse));
  t.start(withFirstHeader(OPTIONS, 'Via', 'SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKours'));
  assert.deepEqual([t.layer.counters.refused, t.acknowledges.length, t.layer.size, t.requests.length], [2, 1, 2, 1]);
});

test('after a crash: an INVITE client without provisional is sent again, with one it only listens', () => {
  const again = setUp();
  again.restore(INVITE, 0);
  again.clock.advance(500);
  assert.deepEqual(again.times('INVITE'), [0, 500]);
  const listening = setUp();
  listening.restore(INVITE, 180);
  assert.deepEqual([listening.sent.length, listening.clock.pendingTimers], [0, 0]);
  listening.answer(INVITE, 486);
  assert.deepEqual([listening.responses, listening.times('ACK')], [[486], [0]]);
});

test('after a crash: a non-INVITE client is sent again at once', () => {
  const t = setUp();
  t.restore(OPTIONS, 0);
  assert.deepEqual(t.times('OPTIONS'), [0]);
  t.answer(OPTIONS, 200);
  assert.deepEqual(t.responses, [200]);
});

test('after a crash: a CANCEL restored before its INVITE still bounds it', () => {
  const t = setUp();
  t.restore(createCancel(INVITE), 0);
  t.restore(INVITE, 180);
  t.answer(createCancel(INVITE), 200);
  t.clock.advance(32_000);
  assert.deepEqual([t.timeouts(), t.layer.size], [1, 0]);
});

test('after a crash: a server transaction sends its final response again at once, a provisional one on retransmission only', () => {
  const bytesOfStatus = (status: number): Uint8Array => serializeMessage(createResponse(INVITE, status, { toTag: 'ours' }));
  const ringing = setUp();
  const transaction = ringing.layer.restoreServer(INVITE, PEER, 180, bytesOfStatus(180));
  assert.deepEqual([ringing.sent.length, transaction.answered], [0, false]);
  ringing.request(INVITE);
  assert.deepEqual([ringing.times('180'), ringing.requests.length], [[0], 0]);
  transaction.respond(486, bytesOfStatus(486));
  assert.equal(ringing.times('486').length, 1);

  const answered = setUp();
  assert.ok(answered.layer.restoreServer(INVITE, PEER, 200, bytesOfStatus(200)).answered);
  assert.deepEqual(answered.times('200'), [0]);

  const silent = setUp();
  silent.layer.restoreServer(OPTIONS, PEER, 0, null);
  silent.request(OPTIONS);
  assert.deepEqual([silent.sent.length, silent.requests.length], [0, 0]);
});

test('close: no timer is left, nothing is sent or passed on any more', () => {
  const t = setUp();
  t.start(OPTIONS);
  t.request(INVITE);
  t.respond(486);
  const before = t.sent.length;
  t.layer.close();
  t.request(withFirstHeader(INVITE, 'Via', `${VIA}x`));
  t.clock.advance(60_000);
  assert.deepEqual([t.clock.pendingTimers, t.sent.length, t.layer.size, t.timeouts(), t.requests.length], [0, before, 0, 0, 1]);
});

function repeat(capAtT2: boolean, stopAt?: number): { times: number[]; gaveUp: number[]; left: number } {
  const clock = new VirtualClock();
  const times: number[] = [];
  const gaveUp: number[] = [];
  const repeating = new RepeatUntilAcknowledged({
    clock,
    timers: TIMERS,
    capAtT2,
    send: () => times.push(clock.now()),
    giveUp: () => gaveUp.push(clock.now()),
  });
  if (stopAt !== undefined) clock.setTimer(stopAt, () => repeating.stop());
  clock.advance(100_000);
  return { times, gaveUp, left: clock.pendingTimers };
}

test('§13.3.1.4: a 2xx is repeated at T1 doubling to T2 until its ACK, at most 64*T1', () => {
  const full = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
  assert.deepEqual(repeat(true), { times: full, gaveUp: [32_000], left: 0 });
  assert.deepEqual(repeat(true, 2000), { times: [500, 1500], gaveUp: [], left: 0 });
});

test('RFC 3262 §3: a reliable provisional response is repeated at doubling intervals without a cap', () => {
  assert.deepEqual(repeat(false), { times: [500, 1500, 3500, 7500, 15_500, 31_500], gaveUp: [32_000], left: 0 });
});
