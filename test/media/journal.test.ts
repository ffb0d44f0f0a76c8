import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JOURNAL_BYTES, Journal, MAX_ENDPOINTS } from '../../src/media/index.ts';
import { endpoint } from './harness.ts';

const saved = (id: string, port: number) => ({
  state: endpoint(id, port, { kind: 'relay', partner: 'other' }),
  learned: { ip: '10.1.1.1', port: 9 },
  learnedRtcp: null,
  echo: null,
  playFinished: false,
});

describe('journal', () => {
  it('gives back what was written', () => {
    const bytes = new Uint8Array(JOURNAL_BYTES);
    const journal = new Journal(bytes);
    const slot = journal.allocate();
    const echo = { peerSsrc: 1, sequenceOffset: 2, timestampOffset: 0xffff_ffff };
    const record = { ...saved('a', 4000), echo, learnedRtcp: { ip: 'fe80::1', port: 10 }, playFinished: true };
    journal.write(slot, record);
    journal.writeSequence(slot, 65535, 0xffff_fff0, 1e15);
    journal.writeHandledDigit(slot, 5, 6);
    journal.writePendingDigit(slot, 11, 5, 7, 800);
    const [found] = new Journal(bytes).load().endpoints;
    assert.deepEqual(found?.saved, record);
    assert.deepEqual(found?.sequence, { mark: 65535, timestamp: 0xffff_fff0, wallMicroseconds: 1e15 });
    assert.deepEqual(found?.handledDigit, { ssrc: 5, timestamp: 6 });
    assert.deepEqual(found?.pendingDigit, { event: 11, ssrc: 5, timestamp: 7, duration: 800 });
  });

  it('falls back to the record before when the newest was cut short at any byte', () => {
    const bytes = new Uint8Array(JOURNAL_BYTES);
    const journal = new Journal(bytes);
    const slot = journal.allocate();
    journal.write(slot, saved('a', 4000));
    const before = Uint8Array.from(bytes.subarray(0, 4096));
    journal.write(slot, saved('a', 4002));
    const after = Uint8Array.from(bytes.subarray(0, 4096));
    const changed = [...before.keys()].filter((index) => before[index] !== after[index]);
    for (let cut = 0; cut < changed.length; cut++) {
      const torn = new Uint8Array(JOURNAL_BYTES);
      torn.set(before);
      for (const index of changed.slice(0, cut)) torn[index] = after[index] ?? 0;
      const contents = new Journal(torn).load();
      assert.equal(contents.endpoints.length, 1);
      assert.equal(contents.endpoints[0]?.saved.state.localPort, 4000);
    }
  });

  it('counts and frees a slot without any valid record, and keeps the others', () => {
    const bytes = new Uint8Array(JOURNAL_BYTES);
    const journal = new Journal(bytes);
    journal.write(journal.allocate(), saved('a', 4000));
    const second = journal.allocate();
    journal.write(second, saved('b', 5000));
    const at = Buffer.from(bytes.buffer).indexOf('10.0.0.1');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const contents = new Journal(bytes).load();
    assert.deepEqual(
      contents.endpoints.map((found) => found.saved.state.id),
      ['b'],
    );
    assert.deepEqual([contents.torn, contents.lost], [1, 1]);
    assert.equal(new Journal(bytes).load().lost, 0);
  });

  it('never throws on damaged bytes', () => {
    const bytes = new Uint8Array(JOURNAL_BYTES);
    const journal = new Journal(bytes);
    for (let index = 0; index < 3; index++) journal.write(journal.allocate(), saved(`e${index}`, 4000 + index * 2));
    const good = Uint8Array.from(bytes.subarray(0, 8192));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(8191), fc.nat(255)), { maxLength: 20 }), (damage) => {
        bytes.set(good);
        for (const [at, value] of damage) bytes[at] = value;
        new Journal(bytes).load();
      }),
      { numRuns: 200 },
    );
  });

  it('says when it is full and uses freed slots again', () => {
    const journal = new Journal(new Uint8Array(JOURNAL_BYTES));
    const slots = Array.from({ length: MAX_ENDPOINTS }, () => journal.allocate());
    assert.equal(new Set(slots).size, MAX_ENDPOINTS);
    assert.equal(journal.allocate(), -1);
    journal.free(17);
    assert.equal(journal.allocate(), 17);
  });

  it('refuses a record that does not fit and keeps the one before', () => {
    const bytes = new Uint8Array(JOURNAL_BYTES);
    const journal = new Journal(bytes);
    const slot = journal.allocate();
    journal.write(slot, saved('a', 4000));
    assert.throws(() => journal.write(slot, saved('x'.repeat(65), 4000)), RangeError);
    assert.equal(new Journal(bytes).load().endpoints[0]?.saved.state.id, 'a');
  });
});
