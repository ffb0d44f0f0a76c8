import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UndropError } from '../../src/base/index.ts';
import { CheckpointWriter, type WriterOptions } from '../../src/checkpoint/index.ts';
import { MemoryDatabase, MemoryStore, type StoreOperation } from '../../src/store/index.ts';
import { ourRow } from '../store/suite.ts';
import { SimulatedClock, settle } from './simulated-clock.ts';

class Bench {
  readonly clock = new SimulatedClock();
  readonly database = new MemoryDatabase();
  readonly heard: string[] = [];
  readonly batches: string[][] = [];
  readonly lateUuids: string[] = [];
  readonly recoveredUuids: string[] = [];
  refuse: (operations: readonly StoreOperation[]) => string | null = () => null;
  #isHanging = false;
  readonly #held: (() => void)[] = [];
  store = new MemoryStore({
    database: this.database,
    hooks: {
      schedule: (_step, run) => (this.#isHanging ? void this.#held.push(run) : queueMicrotask(run)),
      refuse: (operations) => {
        const code = this.refuse(operations);
        if (code !== null) return new UndropError(code, 'as the test wants');
        this.batches.push(
          operations.map((operation) => (operation.kind === 'save' ? `${operation.row.uuid}=${operation.row.updatedAt}` : operation.kind)),
        );
        return null;
      },
    },
  });
  readonly writer: CheckpointWriter;

  constructor(options: Partial<WriterOptions> = {}) {
    this.writer = new CheckpointWriter({
      store: this.store,
      clock: this.clock,
      onLate: (uuids) => this.lateUuids.push(...uuids),
      onRecovered: (uuids) => this.recoveredUuids.push(...uuids),
      ...options,
    });
  }

  async open(): Promise<this> {
    await this.store.open('node1');
    return this;
  }

  hang(): void {
    this.#isHanging = true;
  }

  async release(): Promise<void> {
    this.#isHanging = false;
    for (const run of this.#held.splice(0)) run();
    await settle();
  }

  save(uuid: string, value: number): void {
    this.writer.save([{ kind: 'save', row: ourRow(uuid, 1, { updatedAt: value }) }], (outcome) =>
      this.heard.push(`${uuid}=${value} ${outcome}`),
    );
  }

  stored(): string[] {
    return this.database.rows.map((row) => `${row.uuid}=${row.updatedAt}`).sort();
  }
}

test('a save is durable before its call hears so, and never within save itself', async () => {
  const bench = await new Bench().open();
  bench.hang();
  bench.save('a', 1);
  assert.deepEqual(bench.heard, []);
  await bench.clock.advance(10);
  assert.deepEqual(bench.heard, []);
  await bench.release();
  assert.deepEqual(bench.heard, ['a=1 durable']);
  assert.deepEqual(bench.stored(), ['a=1']);
});

test('what is queued while a commit is in flight goes as one transaction, one save a uuid, and all hear of it in order', async () => {
  const bench = await new Bench().open();
  bench.hang();
  bench.save('a', 1);
  await settle();
  for (const [uuid, value] of [
    ['b', 1],
    ['a', 2],
    ['b', 2],
    ['c', 1],
  ] as const)
    bench.save(uuid, value);
  await bench.release();
  assert.deepEqual(bench.batches, [['a=1'], ['a=2', 'b=2', 'c=1']]);
  assert.deepEqual(bench.heard, ['a=1 durable', 'b=1 durable', 'a=2 durable', 'b=2 durable', 'c=1 durable']);
  assert.equal(bench.writer.pending, 0);
});

test('a transaction is bounded, but a request is never split', async () => {
  const bench = await new Bench({ batchSize: 3 }).open();
  for (let index = 0; index < 4; index += 1) {
    bench.writer.save(
      ['x', 'y'].map((side) => ({ kind: 'save', row: ourRow(`${side}${index}`, 1, { updatedAt: index }) })),
      (outcome) => bench.heard.push(outcome),
    );
  }
  await settle();
  assert.deepEqual(
    bench.batches.map((batch) => batch.length),
    [2, 2, 2, 2],
  );
});

test('a delete after a save leaves nothing behind, and a save after a delete stays', async () => {
  const bench = await new Bench().open();
  bench.save('a', 1);
  bench.writer.save([{ kind: 'delete', uuid: 'a', epoch: 1 }], () => undefined);
  bench.writer.save([{ kind: 'delete', uuid: 'b', epoch: 1 }], () => undefined);
  bench.save('b', 1);
  await bench.writer.drained();
  assert.deepEqual(bench.stored(), ['b=1']);
});

test('when the store does not answer within the bound the call is let go once, untracked, and is tracked again when it is back', async () => {
  const bench = await new Bench().open();
  bench.hang();
  bench.save('a', 1);
  await bench.clock.advance(199);
  assert.deepEqual(bench.heard, []);
  await bench.clock.advance(1);
  assert.deepEqual(bench.heard, ['a=1 late']);
  assert.equal(bench.writer.answers, false);
  assert.deepEqual(bench.lateUuids, ['a']);
  assert(bench.writer.isUntracked('a'));
  bench.save('a', 2);
  bench.save('b', 1);
  await settle();
  assert.deepEqual(bench.heard, ['a=1 late', 'a=2 late', 'b=1 late'], 'nobody waits for a store that is known to be away');
  await bench.release();
  assert.deepEqual(bench.stored(), ['a=2', 'b=1']);
  assert.equal(bench.writer.answers, true);
  assert.deepEqual(bench.recoveredUuids.sort(), ['a', 'b']);
  assert.equal(bench.writer.figures().untracked, 0);
  assert.equal(bench.heard.length, 3, 'each call hears once');
  bench.save('a', 3);
  await settle();
  assert.equal(bench.heard.at(-1), 'a=3 durable');
});

test('while the store is away memory is bounded and the newest state of each call is the one written', async () => {
  const bench = await new Bench({ maximumPending: 2_000 }).open();
  bench.hang();
  bench.save('first', 0);
  await bench.clock.advance(200);
  for (let value = 0; value < 10_000; value += 1) {
    bench.save(`leg-${value % 10}`, value);
    if (value % 50 === 0) await settle();
  }
  await settle();
  assert(bench.writer.pending <= 2_001, `${bench.writer.pending}`);
  await bench.release();
  await bench.writer.drained();
  assert.deepEqual(bench.stored(), ['first=0', ...Array.from({ length: 10 }, (_, index) => `leg-${index}=${9_990 + index}`)].sort());
  assert(bench.heard.every((entry) => entry.endsWith('late')));
  assert.equal(bench.heard.length, 10_001);
  assert.equal(bench.recoveredUuids.length, 11);
});

test('a full disk is tried again, and within the bound the call still hears that it is durable', async () => {
  const bench = await new Bench().open();
  let isFull = true;
  bench.refuse = () => (isFull ? 'STORE_FULL' : null);
  bench.save('a', 1);
  await bench.clock.advance(50);
  assert.deepEqual(bench.heard, []);
  isFull = false;
  await bench.clock.advance(100);
  assert.deepEqual(bench.heard, ['a=1 durable']);
  assert(bench.writer.figures().failedCommits >= 2);
});

test('an outage of minutes loses nothing', async () => {
  const bench = await new Bench().open();
  let isAway = true;
  bench.refuse = () => (isAway ? 'STORE_FAILED' : null);
  bench.save('a', 1);
  await bench.clock.advance(300_000);
  bench.save('a', 2);
  await bench.clock.advance(1_000);
  assert.deepEqual(bench.heard, ['a=1 late', 'a=2 late']);
  isAway = false;
  await bench.clock.advance(2_500);
  assert.deepEqual(bench.stored(), ['a=2']);
  assert.deepEqual(bench.recoveredUuids, ['a']);
});

test('a save that the store refuses fails alone; the others of its transaction are durable', async () => {
  const bench = await new Bench().open();
  bench.refuse = (operations) =>
    operations.some((operation) => operation.kind === 'save' && operation.row.uuid === 'bad') ? 'STORE_REJECTED' : null;
  for (const uuid of ['a', 'bad', 'c']) bench.save(uuid, 1);
  await bench.clock.advance(100);
  assert.deepEqual(bench.heard, ['a=1 durable', 'bad=1 failed', 'c=1 durable']);
  assert.deepEqual(bench.stored(), ['a=1', 'c=1']);
});

test('when another process owns the calls everything pending and to come is fenced and nothing is written', async () => {
  let fenced = 0;
  const bench = await new Bench({ onFenced: () => (fenced += 1) }).open();
  await new MemoryStore({ database: bench.database }).open('node1');
  bench.save('a', 1);
  bench.save('b', 1);
  await settle();
  bench.save('c', 1);
  await bench.clock.advance(10_000);
  assert.deepEqual(bench.heard, ['a=1 fenced', 'b=1 fenced', 'c=1 fenced']);
  assert.deepEqual(bench.stored(), []);
  assert.equal(fenced, 1);
  await bench.writer.drained();
});
