import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UndropError } from '../../src/base/index.ts';
import { MemoryDatabase, MemoryStore } from '../../src/store/index.ts';
import { ourRow, storeSuite } from './suite.ts';

storeSuite('memory', async () => {
  const database = new MemoryDatabase();
  return {
    store: () => new MemoryStore({ database }),
    insertForeign: async (row) => {
      database.rows = [...database.rows, row];
    },
    end: async () => undefined,
  };
});

test('after a crash there is what was applied, also when nobody heard of it, and nothing else', async () => {
  const steps: { step: string; run: () => void }[] = [];
  let isManual = false;
  const store = new MemoryStore({
    hooks: { schedule: (step, run) => (isManual ? void steps.push({ step, run }) : queueMicrotask(run)) },
  });
  const { epoch } = await store.open('node1');
  isManual = true;
  let heard = 0;
  for (const uuid of ['a', 'b']) {
    void store.commit([{ kind: 'save', row: ourRow(uuid, epoch) }]).then(() => {
      heard += 1;
    });
  }
  const apply = steps.shift();
  assert.equal(apply?.step, 'apply');
  apply?.run();
  const database = store.crash();
  for (const { run } of steps) run();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(heard, 0);
  assert.deepEqual(
    database.rows.map((row) => row.uuid),
    ['a'],
  );
  const next = new MemoryStore({ database });
  assert.equal((await next.open('node1')).epoch, epoch + 1);
});

test('a refusal given by a hook refuses that commit only', async () => {
  let isFull = true;
  const store = new MemoryStore({ hooks: { refuse: () => (isFull ? new UndropError('STORE_FULL', 'no space') : null) } });
  const { epoch } = await store.open('node1');
  await assert.rejects(store.commit([{ kind: 'save', row: ourRow('a', epoch) }]), { code: 'STORE_FULL' });
  isFull = false;
  await store.commit([{ kind: 'save', row: ourRow('b', epoch) }]);
  assert.deepEqual(
    (await store.loadRecovery('node1')).map((row) => row.uuid),
    ['b'],
  );
});
