import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { countCalls, Phones } from '../../tools/phone/client.ts';
import type { StreamReport } from '../../tools/phone/report.ts';
import { EchoServer, type Fault } from './echo-server.ts';

const timeout = 30_000;

async function callEcho(context: TestContext): Promise<{ phones: Phones; server: EchoServer }> {
  const server = new EchoServer();
  const phones = await Phones.start(await server.open());
  context.after(async () => {
    await phones.close();
    server.close();
  });
  await phones.dial({ echo: 1 });
  const up = await phones.waitFor((report) => report.streams.some((stream) => stream.packetsIn > 5), 5000);
  assert.equal(countCalls(up, 'answered'), 1);
  return { phones, server };
}

/** What the phone says of 25 packets that came back through `fault`. */
async function hearThrough(context: TestContext, fault: Fault): Promise<StreamReport> {
  const { phones, server } = await callEcho(context);
  await phones.mark();
  let first = 0;
  server.fault = (packet, count) => {
    if (first === 0) first = count;
    return fault(packet, count - first);
  };
  const report = await phones.waitFor((candidate) => (candidate.streams[0]?.packetsOut ?? 0) >= 25, 5000);
  const stream = report.streams[0];
  assert.ok(stream !== undefined);
  return stream;
}

function changed(packet: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(packet);
  change(copy);
  return copy;
}

test('a faultless echo has no findings', { timeout }, async (context) => {
  const stream = await hearThrough(context, (packet) => packet);
  assert.ok(stream.packetsIn > 0);
  const findings = [
    stream.lostFrames,
    stream.ssrcChanges,
    stream.sequenceBackward,
    stream.duplicates,
    stream.timestampBackward,
    stream.wrongSound,
  ];
  assert.deepEqual(findings, [0, 0, 0, 0, 0, 0]);
});

test('lost packets are counted by marker and by sequence', { timeout }, async (context) => {
  const stream = await hearThrough(context, (packet, index) => (index >= 5 && index < 15 ? null : packet));
  assert.equal(stream.lostFrames, 10);
  assert.equal(stream.lostSequenceNumbers, 10);
  assert.ok(stream.longestSilenceMilliseconds > 150);
});

test('a new SSRC is counted', { timeout }, async (context) => {
  const stream = await hearThrough(context, (packet, index) => (index < 5 ? packet : changed(packet, (copy) => copy.writeUInt32BE(7, 8))));
  assert.equal(stream.ssrcChanges, 1);
});

test('a sequence number that goes back is counted', { timeout }, async (context) => {
  const stream = await hearThrough(context, (packet, index) =>
    index === 10 ? changed(packet, (copy) => copy.writeUInt16BE((copy.readUInt16BE(2) - 5) & 0xffff, 2)) : packet,
  );
  assert.equal(stream.sequenceBackward, 1);
});

test('a duplicate is counted', { timeout }, async (context) => {
  const stream = await hearThrough(context, (packet, index) => (index === 10 ? [packet, packet] : packet));
  assert.equal(stream.duplicates, 1);
});

test('a timestamp that goes back, or runs ahead of real time, is counted', { timeout }, async (context) => {
  const shift =
    (by: number): Fault =>
    (packet, index) =>
      index === 10 ? changed(packet, (copy) => copy.writeUInt32BE((copy.readUInt32BE(4) + by) >>> 0, 4)) : packet;
  assert.ok((await hearThrough(context, shift(-8000))).timestampBackward > 0);
  assert.ok((await hearThrough(context, shift(8000))).timestampAhead > 0);
});

test("another phone's sound, and noise, are wrong sound", { timeout }, async (context) => {
  assert.ok(
    (await hearThrough(context, (packet, index) => (index < 5 ? packet : changed(packet, (copy) => copy.writeUInt8(0x33, 16)))))
      .wrongSound > 0,
  );
  assert.ok(
    (await hearThrough(context, (packet, index) => (index < 5 ? packet : changed(packet, (copy) => copy.fill(0x55, 12))))).wrongSound > 0,
  );
});

test('a silence that still goes on counts as one', { timeout }, async (context) => {
  const { phones, server } = await callEcho(context);
  await phones.mark();
  server.fault = () => null;
  const report = await phones.waitFor((candidate) => candidate.streams[0]?.flowing === false, 5000);
  assert.equal(report.streams[0]?.flowing, false);
  assert.ok((report.streams[0]?.longestSilenceMilliseconds ?? 0) >= 500);
});

test('a wrong tag and a CSeq that goes back are anomalies; a BYE ends the call', { timeout }, async (context) => {
  const { phones, server } = await callEcho(context);
  server.sendInDialog('OPTIONS', 10);
  server.sendInDialog('OPTIONS', 9);
  server.sendInDialog('OPTIONS', 11, 'abc');
  const odd = await phones.waitFor((report) => report.anomalyCount === 2, 5000);
  assert.equal(odd.anomalyCount, 2, odd.anomalies.join('; '));
  assert.match(odd.anomalies.join('; '), /CSeq 9 after 10/);
  assert.match(odd.anomalies.join('; '), /tags to=abc/);
  server.sendInDialog('BYE', 12);
  const over = await phones.waitFor((report) => countCalls(report, 'ended') === 1, 5000);
  assert.equal(over.calls[0]?.endedBy, 'switch');
});
