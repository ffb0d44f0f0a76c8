import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMuLaw, encodeMuLaw, muLawToALaw } from '../../src/rtp/index.ts';
import { Bench, digit, endpoint, PCMA, PCMU, parse, rtp } from './harness.ts';

const relay = (partner: string) => ({ kind: 'relay', partner }) as const;

function bridged(more: Parameters<typeof endpoint>[3] = {}): Bench {
  const bench = new Bench();
  assert.deepEqual(bench.set(endpoint('a', 4000, relay('b')), endpoint('b', 5000, relay('a'), more)), []);
  return bench;
}

describe('relay', () => {
  it('passes packets byte for byte when both formats agree, telephone-event and unknown payload types too', () => {
    const bench = bridged();
    for (const payloadType of [0, 101, 13, 77]) {
      const packet = rtp(1, 160, { payloadType, marker: true });
      bench.arrive(4000, packet, 14000);
      assert.deepEqual(
        bench.take(15000).map((sent) => sent.bytes),
        [packet],
      );
    }
  });

  it('works whichever end is set first', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, relay('b')));
    bench.arrive(4000, rtp(1, 0), 14000);
    bench.set(endpoint('b', 5000, relay('a')));
    bench.arrive(4000, rtp(2, 160), 14000);
    assert.equal(bench.take(15000).length, 1);
  });

  it('rewrites payload types and keeps the marker', () => {
    const bench = bridged({ format: { ...PCMU, payloadType: 96, telephoneEvent: 110 } });
    bench.arrive(4000, rtp(1, 0, { marker: true }), 14000);
    bench.arrive(4000, rtp(2, 160, { payloadType: 101 }), 14000);
    const [audio, event] = bench.take(15000).map((sent) => parse(sent.bytes));
    assert.deepEqual([audio?.payloadType, audio?.marker, event?.payloadType, event?.marker], [96, true, 110, false]);
  });

  it('translates between the two G.711 laws', () => {
    const bench = bridged({ format: PCMA });
    const payload = Uint8Array.from({ length: 160 }, (_, index) => index);
    bench.arrive(4000, rtp(1, 0, { payload }), 14000);
    const sent = parse(bench.take(15000)[0]?.bytes ?? new Uint8Array(12));
    assert.equal(sent.payloadType, 8);
    assert.deepEqual(
      [...sent.payload],
      [...payload].map((code) => muLawToALaw[code]),
    );
  });

  it('drops and counts what it cannot translate', () => {
    const bench = bridged({ format: { ...PCMU, name: 'G729', payloadType: 18 } });
    bench.arrive(4000, rtp(1, 0), 14000);
    assert.equal(bench.take(15000).length, 0);
    assert.equal(bench.report('a').dropped, 1);
  });

  it('neither sends to nor listens to a held peer', () => {
    const bench = bridged({ send: false });
    bench.arrive(4000, rtp(1, 0), 14000);
    assert.equal(bench.take(15000).length, 0);
    bench.set(endpoint('b', 5000, relay('a'), { receive: false }));
    bench.arrive(5000, rtp(1, 0), 15000);
    assert.equal(bench.take(14000).length, 0);
  });

  it('does not mix into a partner that makes its own stream', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, relay('b')), endpoint('b', 5000, { kind: 'echo' }));
    bench.arrive(4000, rtp(1, 0), 14000);
    assert.equal(bench.take(15000).length, 0);
  });

  it('passes RTCP on, on its own port and muxed', () => {
    const bench = bridged();
    bench.arrive(4000, rtp(1, 0), 14000);
    const report = Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 9);
    bench.arrive(4001, report, 14001);
    bench.arrive(4000, report, 14000);
    assert.deepEqual(bench.take(15001)[0]?.bytes, report);
    assert.deepEqual(bench.take(15000).at(-1)?.bytes, report);
  });

  it('sends digits in place of relayed packets, under the SSRC and sequence the peer already hears', () => {
    const bench = bridged();
    bench.arrive(4000, rtp(10, 1600), 14000);
    bench.command({ kind: 'sendDtmf', request: 1, id: 'b', digits: '5', durationMilliseconds: 100 });
    let sequence = 11;
    bench.run(400, () => bench.arrive(4000, rtp(sequence, sequence++ * 160), 14000));
    const sent = bench.take(15000).map((packet) => parse(packet.bytes));
    assert.ok(sent.every((packet, index) => packet.ssrc === 0xabcd && packet.sequence === 10 + index));
    const events = sent.filter((packet) => packet.payloadType === 101);
    assert.equal(events.length, 7);
    assert.equal(new Set(events.map((event) => event.timestamp)).size, 1);
    assert.deepEqual(
      events.map((event) => (event.payload[1] ?? 0) >= 128),
      [false, false, false, false, true, true, true],
    );
  });
});

describe('symmetric RTP', () => {
  it('sends to where SDP says until a packet comes from elsewhere, then to there, and tells so', () => {
    const bench = bridged();
    bench.arrive(4000, rtp(1, 0), 40001, '10.8.8.8');
    assert.deepEqual(bench.events, [{ kind: 'learned', id: 'a', source: { ip: '10.8.8.8', port: 40001 } }]);
    bench.arrive(5000, rtp(1, 0), 15000);
    assert.deepEqual(
      bench.sent.map((sent) => `${sent.toIp}:${sent.toPort}`),
      ['10.9.0.1:15000', '10.8.8.8:40001'],
    );
  });

  it('drops and counts other sources while the learned one is heard, and lets one take over after silence', () => {
    const bench = bridged();
    bench.arrive(4000, rtp(1, 0), 40001);
    bench.arrive(4000, rtp(2, 0), 666, '10.6.6.6');
    assert.equal(bench.report('a').dropped, 1);
    assert.equal(bench.take(15000).length, 1);
    bench.run(1100);
    bench.arrive(4000, rtp(3, 0), 40002);
    assert.deepEqual(bench.report('a').learned, { ip: '10.9.0.1', port: 40002 });
  });

  it('follows a changed remote address at once', () => {
    const bench = bridged();
    bench.arrive(4000, rtp(1, 0), 40001);
    bench.set(endpoint('a', 4000, relay('b'), { remote: { ip: '10.9.0.2', port: 7000 } }));
    bench.arrive(5000, rtp(1, 0), 15000);
    assert.equal(bench.take(7000).length, 1);
    bench.arrive(4000, rtp(2, 0), 7000, '10.9.0.2');
    assert.deepEqual(bench.report('a').learned, { ip: '10.9.0.2', port: 7000 });
  });

  it('drops what is not RTP without learning from it', () => {
    const bench = bridged();
    for (const junk of [new Uint8Array(0), new Uint8Array(11), new Uint8Array(200), new Uint8Array(4).fill(255)])
      bench.arrive(4000, junk, 1);
    assert.equal(bench.report('a').dropped, 4);
    assert.equal(bench.report('a').learned, null);
  });
});

describe('DTMF', () => {
  const events = (bench: Bench) => bench.events.filter((event) => event.kind === 'dtmf');

  it('is told once at its end, with its duration', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'idle' }));
    for (const [end, duration] of [
      [false, 160],
      [false, 800],
      [true, 960],
      [true, 960],
      [true, 960],
    ] as const) {
      bench.arrive(4000, rtp(1, 5000, { payloadType: 101, payload: digit(5, end, duration) }), 14000);
    }
    assert.deepEqual(events(bench), [{ kind: 'dtmf', id: 'a', digit: '5', durationMilliseconds: 120, ssrc: 0xabcd, timestamp: 5000 }]);
  });

  it('whose end was lost is told when the next begins, or after a silence', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'echo' }));
    bench.arrive(4000, rtp(1, 5000, { payloadType: 101, payload: digit(1, false, 160) }), 14000);
    bench.arrive(4000, rtp(2, 9000, { payloadType: 101, payload: digit(2, false, 160) }), 14000);
    assert.equal(events(bench).length, 1);
    bench.run(400);
    assert.deepEqual(
      events(bench).map((event) => event.kind === 'dtmf' && event.digit),
      ['1', '2'],
    );
  });

  it('is neither lost nor doubled by a crash', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'idle' }));
    const packet = (end: boolean, timestamp: number) => rtp(1, timestamp, { payloadType: 101, payload: digit(7, end, 960) });
    bench.arrive(4000, packet(true, 5000), 14000);
    bench.crash(50);
    bench.arrive(4000, packet(true, 5000), 14000);
    assert.equal(events(bench).length, 1);
    bench.arrive(4000, packet(false, 9000), 14000);
    bench.crash(50);
    bench.run(400);
    assert.equal(events(bench).length, 2);
  });

  it('is sent as RFC 4733 events from our own stream when nothing is relayed', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'idle' }));
    bench.command({ kind: 'sendDtmf', request: 1, id: 'a', digits: '1#', durationMilliseconds: 100 });
    bench.run(600);
    const sent = bench.take(14000).map((packet) => parse(packet.bytes));
    assert.equal(sent.length, 14);
    assert.deepEqual(sent.map((packet) => packet.marker).filter(Boolean).length, 2);
    assert.deepEqual([sent[0]?.payload[0], sent[7]?.payload[0]], [1, 11]);
    assert.ok((sent[7]?.timestamp ?? 0) > (sent[0]?.timestamp ?? 0));
  });

  it('that is not sendable is refused', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'idle' }));
    const reply = bench.command({ kind: 'sendDtmf', request: 1, id: 'a', digits: 'x', durationMilliseconds: 100 });
    assert.equal(reply.kind === 'done' && reply.failed[0]?.code, 'BAD_DIGITS');
  });
});

describe('own streams', () => {
  /** Sequence and timestamp as one stream: SSRC constant, sequence ahead by less than 500, timestamp never back. */
  function assertContinuous(packets: { ssrc: number; sequence: number; timestamp: number }[], ssrc: number): void {
    assert.ok(packets.length > 1);
    for (const [index, packet] of packets.entries()) {
      assert.equal(packet.ssrc, ssrc);
      const before = packets[index - 1];
      if (before === undefined) continue;
      const jump = (packet.sequence - before.sequence) & 0xffff;
      assert.ok(jump > 0 && jump < 500, `sequence ${before.sequence} -> ${packet.sequence}`);
      assert.ok(((packet.timestamp - before.timestamp) | 0) >= 0, `timestamp ${before.timestamp} -> ${packet.timestamp}`);
    }
  }

  it('echo keeps its SSRC and numbers exactly through a crash', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'echo' }));
    let sequence = 65500;
    const talk = () => bench.arrive(4000, rtp(sequence, sequence++ * 160), 14000);
    bench.run(2000, talk);
    bench.crash(100);
    sequence += 5;
    bench.run(2000, talk);
    const sent = bench.take(14000).map((packet) => parse(packet.bytes));
    assertContinuous(sent, 0x1000_0000 + 4000);
    const gap = sent.filter((packet, index) => index > 0 && ((packet.sequence - (sent[index - 1]?.sequence ?? 0)) & 0xffff) !== 1);
    assert.equal(gap.length, 1);
    assert.equal((gap[0]?.sequence ?? 0) & 0xffff, ((sent[99]?.sequence ?? 0) + 6) & 0xffff);
  });

  it('a conference goes on through crashes: same SSRC, sequence ahead, timestamp with real time', () => {
    const bench = new Bench();
    const member = (id: string, port: number, memberId: number) =>
      endpoint(id, port, { kind: 'conference', room: '3000', memberId, muted: false, deaf: false });
    bench.set(member('a', 4000, 1), member('b', 5000, 2));
    const begun = bench.wall;
    bench.run(7000);
    bench.crash(130);
    bench.run(3000);
    bench.crash(130);
    bench.run(3000);
    const sent = bench.take(14000).map((packet) => parse(packet.bytes));
    assertContinuous(sent, 0x1000_0000 + 4000);
    const ticks = ((sent.at(-1)?.timestamp ?? 0) - (sent[0]?.timestamp ?? 0)) >>> 0;
    const elapsed = ((bench.wall - begun) / 1e6) * 8000;
    assert.ok(Math.abs(ticks - elapsed) < 800, `${ticks} ticks in ${elapsed} of real time`);
  });

  it('keeps one stream when the mode changes', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'echo' }));
    let sequence = 100;
    bench.run(500, () => bench.arrive(4000, rtp(sequence, sequence++ * 160), 14000));
    bench.set(endpoint('a', 4000, { kind: 'play', playId: 'p', source: { kind: 'tone', script: '%(200,0,440)' }, loops: 1, position: 0 }));
    bench.run(500);
    bench.set(endpoint('a', 4000, { kind: 'conference', room: 'r', memberId: 1, muted: false, deaf: false }));
    bench.run(200);
    bench.set(endpoint('a', 4000, { kind: 'echo' }));
    bench.run(200, () => bench.arrive(4000, rtp(sequence, sequence++ * 160), 14000));
    const sent = bench.take(14000).map((packet) => parse(packet.bytes));
    assertContinuous(sent, 0x1000_0000 + 4000);
    assert.ok(sent.every((packet, index) => index === 0 || packet.sequence === (((sent[index - 1]?.sequence ?? 0) + 1) & 0xffff)));
  });

  it('reports by RTCP every five seconds', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'conference', room: 'r', memberId: 1, muted: false, deaf: false }));
    bench.run(11_000);
    const reports = bench.take(14001);
    assert.equal(reports.length, 2);
    assert.equal(reports[0]?.bytes[1], 200);
    assert.equal((reports[0]?.bytes.length ?? 1) % 4, 0);
  });
});

describe('conference', () => {
  const member = (id: string, port: number, memberId: number, more = {}, format: typeof PCMU | typeof PCMA = PCMU) =>
    endpoint(id, port, { kind: 'conference', room: '3000', memberId, muted: false, deaf: false, ...more }, { format });
  const level = (sample: number) => new Uint8Array(160).fill(encodeMuLaw(sample));

  it('gives each member the sum of the others, saturated, in its own format', () => {
    const bench = new Bench();
    bench.set(member('a', 4000, 1), member('b', 5000, 2), member('c', 6000, 3, {}, PCMA));
    let sequence = 1;
    bench.run(400, () => {
      bench.arrive(4000, rtp(sequence, sequence * 160, { payload: level(8000), ssrc: 1 }), 14000);
      bench.arrive(5000, rtp(sequence, sequence * 160, { payload: level(2000), ssrc: 2 }), 15000);
      sequence++;
    });
    const heard = (port: number) => parse(bench.take(port).at(-1)?.bytes ?? new Uint8Array(13)).payload[80] ?? 0;
    const near = (value: number | undefined, wanted: number) =>
      assert.ok(Math.abs((value ?? 0) - wanted) < wanted * 0.06, `${value} is not ${wanted}`);
    near(decodeMuLaw[heard(14000)], 2000);
    near(decodeMuLaw[heard(15000)], 8000);
    assert.equal(parse(bench.take(16000).at(-1)?.bytes ?? new Uint8Array(12)).payloadType, 8);
  });

  it('hears no muted member, sends nothing to a deaf one, and tells who has the floor', () => {
    const bench = new Bench();
    bench.set(member('a', 4000, 1), member('b', 5000, 2, { muted: true }), member('c', 6000, 3, { deaf: true }));
    let sequence = 1;
    const talk = () => {
      bench.arrive(4000, rtp(sequence, sequence * 160, { payload: level(1000) }), 14000);
      bench.arrive(5000, rtp(sequence, sequence * 160, { payload: level(9000) }), 15000);
      sequence++;
    };
    bench.run(600, talk);
    assert.equal(decodeMuLaw[parse(bench.take(14000).at(-1)?.bytes ?? new Uint8Array(13)).payload[0] ?? 0], 0);
    assert.equal(bench.take(16000).length, 0);
    assert.deepEqual(
      bench.events.filter((event) => event.kind === 'floor'),
      [{ kind: 'floor', room: '3000', memberId: 1 }],
    );
    bench.command({ kind: 'close', request: 1, ids: ['a'] });
    assert.deepEqual(bench.events.at(-1), { kind: 'floor', room: '3000', memberId: null });
  });
});

describe('play', () => {
  const tone = (playId: string, loops = 1) =>
    ({ kind: 'play', playId, source: { kind: 'tone', script: '%(500,0,440)' }, loops, position: 0 }) as const;

  it('sends the tone, tells its end once, and again when the same set is repeated', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, tone('p1')));
    bench.run(1000);
    assert.equal(bench.take(14000).length, 25);
    assert.deepEqual(bench.events, [{ kind: 'played', id: 'a', playId: 'p1' }]);
    bench.set(endpoint('a', 4000, tone('p1')));
    assert.equal(bench.events.length, 2);
    bench.run(100);
    assert.equal(bench.take(14000).length, 0);
  });

  it('goes on from where it was after a crash', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, tone('p1', 4)));
    bench.run(1000);
    bench.crash(100);
    bench.set(endpoint('a', 4000, tone('p1', 4)));
    bench.run(3000);
    assert.ok(Math.abs(bench.take(14000).length - 100) <= 1);
    assert.equal(bench.events.filter((event) => event.kind === 'played').length, 1);
  });

  it('of a file that is not there is a clear failure', () => {
    const bench = new Bench();
    const failed = bench.set(
      endpoint('a', 4000, { kind: 'play', playId: 'p', source: { kind: 'file', path: '/no.wav' }, loops: 1, position: 0 }),
    );
    assert.equal(failed[0]?.code, 'PLAY_SOURCE');
  });
});

describe('endpoints', () => {
  it('tell a timeout once for each silence', () => {
    const bench = new Bench();
    bench.set(endpoint('a', 4000, { kind: 'idle' }, { rtpTimeout: 500 }));
    bench.run(2000);
    bench.arrive(4000, rtp(1, 0), 14000);
    bench.run(2000);
    assert.deepEqual(bench.events, [
      { kind: 'timeout', id: 'a' },
      { kind: 'timeout', id: 'a' },
    ]);
  });

  it('whose port is taken fail with EADDRINUSE and leave nothing behind', () => {
    const bench = new Bench();
    bench.io.taken.add('10.0.0.1:4000');
    assert.equal(bench.set(endpoint('a', 4000, { kind: 'idle' }))[0]?.code, 'EADDRINUSE');
    assert.deepEqual(bench.io.openPorts, []);
    bench.crash(10);
    assert.deepEqual(bench.io.openPorts, []);
  });

  it('whose port is taken at a restore stay, say so, and come back when it is free', () => {
    const bench = bridged();
    const result = bench.crash(50, ['10.0.0.1:4000']);
    assert.deepEqual([result.restored, result.failed], [2, 1]);
    assert.equal(bench.report('a').failure, 'EADDRINUSE');
    assert.equal(bench.set(endpoint('a', 4000, relay('b')))[0]?.code, 'EADDRINUSE');
    bench.io.taken.clear();
    assert.deepEqual(bench.set(endpoint('a', 4000, relay('b'))), []);
    bench.arrive(4000, rtp(1, 0), 14000);
    assert.equal(bench.take(15000).length, 1);
  });

  it('that are closed free their ports and are forgotten by the journal', () => {
    const bench = bridged();
    bench.command({ kind: 'close', request: 1, ids: ['a', 'b', 'never was'] });
    assert.deepEqual(bench.io.openPorts, []);
    assert.equal(bench.crash(10).restored, 0);
  });

  it('that make no sense are refused one by one', () => {
    const bench = new Bench();
    const bad = [
      null,
      {},
      { ...endpoint('x', 4000, { kind: 'idle' }), localPort: 70_000 },
      { ...endpoint('x', 4000, { kind: 'idle' }), mode: { kind: 'dance' } },
    ];
    const failed = bench.set(...(bad as never[]), endpoint('good', 4000, { kind: 'idle' }));
    assert.deepEqual(
      failed.map((failure) => failure.code),
      Array(4).fill('BAD_ENDPOINT'),
    );
    assert.ok(bench.report('good'));
  });

  it('relay again at once after a crash, to the learned source', () => {
    const bench = bridged();
    bench.arrive(5000, rtp(1, 0), 44444);
    bench.crash(50);
    bench.sent.length = 0;
    bench.arrive(4000, rtp(2, 160), 14000);
    assert.equal(bench.take(44444).length, 1);
    bench.run(10);
    assert.deepEqual(bench.io.openPorts.sort(), ['10.0.0.1:4000', '10.0.0.1:4001', '10.0.0.1:5000', '10.0.0.1:5001']);
    assert.ok(bench.report('b').restoredAt > 0);
    assert.ok(bench.report('b').lastInBeforeCrash > 0);
  });
});
