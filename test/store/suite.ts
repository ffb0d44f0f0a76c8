import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecoveryRow, RegistrationRow, Store } from '../../src/store/index.ts';

export type OurRow = RecoveryRow & { readonly epoch: number };

export function ourRow(uuid: string, epoch: number, changes: Partial<RecoveryRow> = {}): OurRow {
  return {
    runtimeUuid: 'runtime-1',
    technology: 'sofia',
    profileName: 'internal',
    hostname: 'node1',
    uuid,
    metadata: `<cdr>${uuid} ünïcode</cdr>`,
    state: 'answered',
    attempts: 0,
    lastError: null,
    updatedAt: 1_795_536_111_820_701,
    ...changes,
    epoch,
  };
}

export function foreignRow(uuid: string, changes: Partial<RecoveryRow> = {}): RecoveryRow {
  return {
    ...ourRow(uuid, 0, { runtimeUuid: 'freeswitch', metadata: '<cdr/>' }),
    epoch: null,
    state: null,
    attempts: null,
    lastError: null,
    updatedAt: null,
    ...changes,
  };
}

export function registration(user: string, changes: Partial<RegistrationRow> = {}): RegistrationRow {
  return {
    user,
    realm: 'example.com',
    callId: 'a@b',
    profileName: 'internal',
    contact: `sip:${user}@127.0.0.1:5070`,
    expiresAt: 1_795_536_111_820_701,
    networkIp: '127.0.0.1',
    networkPort: 5070,
    cseq: 7,
    userAgent: 'phone',
    hostname: 'node1',
    ...changes,
  };
}

/** One place that survives, and stores opened on it one after the other or at once. */
export interface Place {
  store(): Store;
  /** As FreeSWITCH does it: the six columns only. */
  insertForeign(row: RecoveryRow): Promise<void>;
  end(): Promise<void>;
}

const uuids = (rows: readonly RecoveryRow[]): string[] => rows.map((row) => row.uuid).sort();

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  return 'was not refused';
}

/** What every store must do. */
export function storeSuite(name: string, makePlace: () => Promise<Place>): void {
  const withPlace = async (work: (place: Place) => Promise<void>): Promise<void> => {
    const place = await makePlace();
    try {
      await work(place);
    } finally {
      await place.end();
    }
  };

  test(`${name}: a saved row is read back as it was, also by the next runtime`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      const row = ourRow('a', epoch, { lastError: 'no port', attempts: 2, metadata: '<cdr>\u0001 “\u{1F4DE}”</cdr>' });
      await store.commit([{ kind: 'save', row }]);
      assert.deepEqual({ ...(await store.loadRecovery('node1'))[0] }, row);
      const next = place.store();
      await next.open('node1');
      assert.deepEqual({ ...(await next.loadRecovery('node1'))[0] }, row);
    }));

  test(`${name}: each opening takes the next epoch of its switchname, and of no other`, () =>
    withPlace(async (place) => {
      assert.equal((await place.store().open('node1')).epoch, 1);
      assert.equal((await place.store().open('node1')).epoch, 2);
      assert.equal((await place.store().open('node2')).epoch, 1);
    }));

  test(`${name}: saving again replaces our row`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
      await store.commit([{ kind: 'save', row: ourRow('a', epoch, { state: 'ended' }) }]);
      const rows = await store.loadRecovery('node1');
      assert.equal(rows.length, 1);
      assert.equal(rows[0]?.state, 'ended');
    }));

  test(`${name}: a save never replaces a row of FreeSWITCH, a delete never deletes one, deleteForeign does`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      await place.insertForeign(foreignRow('a'));
      await place.insertForeign(foreignRow('a'));
      await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
      assert.deepEqual((await store.loadRecovery('node1')).map((row) => row.epoch).sort(), [epoch, null, null].sort());
      await store.commit([{ kind: 'delete', uuid: 'a', epoch }]);
      assert.deepEqual(
        (await store.loadRecovery('node1')).map((row) => row.epoch),
        [null, null],
      );
      await store.commit([
        { kind: 'save', row: ourRow('a', epoch) },
        { kind: 'deleteForeign', uuid: 'a' },
      ]);
      assert.deepEqual(
        (await store.loadRecovery('node1')).map((row) => row.epoch),
        [epoch],
      );
    }));

  test(`${name}: a runtime whose epoch is over writes nothing and is told so`, () =>
    withPlace(async (place) => {
      const old = place.store();
      const first = await old.open('node1');
      await old.commit([{ kind: 'save', row: ourRow('a', first.epoch) }]);
      await place.store().open('node1');
      assert.equal(await refusal(old.commit([{ kind: 'save', row: ourRow('b', first.epoch) }])), 'STORE_FENCED');
      assert.equal(await refusal(old.commit([{ kind: 'delete', uuid: 'a', epoch: first.epoch }])), 'STORE_FENCED');
      assert.equal(await refusal(old.commit([{ kind: 'saveRegistration', row: registration('1000') }])), 'STORE_FENCED');
      assert.deepEqual(uuids(await old.loadRecovery('node1')), ['a']);
      assert.deepEqual(await old.loadRegistrations('node1'), []);
    }));

  test(`${name}: a commit that is refused has done nothing at all`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      await store.commit([{ kind: 'save', row: ourRow('later', epoch + 5) }]);
      const refused = store.commit([
        { kind: 'save', row: ourRow('a', epoch) },
        { kind: 'save', row: ourRow('later', epoch) },
      ]);
      assert.equal(await refusal(refused), 'STORE_FENCED');
      assert.deepEqual(uuids(await store.loadRecovery('node1')), ['later']);
      await store.commit([{ kind: 'save', row: ourRow('b', epoch) }]);
      assert.deepEqual(uuids(await store.loadRecovery('node1')), ['b', 'later']);
    }));

  test(`${name}: the next epoch is later than any row's, even when the node's own entry was lost`, () =>
    withPlace(async (place) => {
      const store = place.store();
      await store.open('node1');
      await store.commit([{ kind: 'save', row: ourRow('a', 40) }]);
      assert.equal((await place.store().open('node1')).epoch, 41);
    }));

  test(`${name}: attempts are counted and quarantine keeps the row with its reason, for FreeSWITCH's rows too`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      await place.insertForeign(foreignRow('foreign'));
      await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
      for (const uuid of ['a', 'foreign']) {
        await store.commit([{ kind: 'countAttempt', uuid, epoch }]);
        await store.commit([
          { kind: 'countAttempt', uuid, epoch },
          { kind: 'quarantine', uuid, reason: 'no such port', epoch },
        ]);
      }
      for (const row of await store.loadRecovery('node1')) {
        assert.deepEqual([row.attempts, row.state, row.lastError], [2, 'quarantine', 'no such port'], row.uuid);
        assert.equal(row.epoch, row.uuid === 'foreign' ? null : epoch);
      }
    }));

  test(`${name}: only this switchname's rows are read, and flush leaves other names, profiles and our own runtime alone`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      await store.commit([
        { kind: 'save', row: ourRow('mine', epoch) },
        { kind: 'save', row: ourRow('old', epoch, { runtimeUuid: 'runtime-0' }) },
        { kind: 'save', row: ourRow('external', epoch, { runtimeUuid: 'runtime-0', profileName: 'external' }) },
        { kind: 'save', row: ourRow('elsewhere', epoch, { runtimeUuid: 'runtime-0', hostname: 'node2' }) },
      ]);
      await place.insertForeign(foreignRow('foreign'));
      await store.commit([{ kind: 'flush', hostname: 'node1', runtimeUuid: 'runtime-1', profileName: 'internal' }]);
      assert.deepEqual(uuids(await store.loadRecovery('node1')), ['external', 'mine']);
      await store.commit([{ kind: 'flush', hostname: 'node1', runtimeUuid: 'runtime-1', profileName: null }]);
      assert.deepEqual(uuids(await store.loadRecovery('node1')), ['mine']);
      assert.deepEqual(uuids(await store.loadRecovery('node2')), ['elsewhere']);
    }));

  test(`${name}: a registration is replaced by its contact, and goes when it is deleted`, () =>
    withPlace(async (place) => {
      const store = place.store();
      await store.open('node1');
      await store.commit([
        { kind: 'saveRegistration', row: registration('1000') },
        { kind: 'saveRegistration', row: registration('1001') },
      ]);
      await store.commit([{ kind: 'saveRegistration', row: registration('1000', { cseq: 8 }) }]);
      await store.commit([{ kind: 'deleteRegistration', user: '1001', realm: 'example.com', contact: 'sip:1001@127.0.0.1:5070' }]);
      assert.deepEqual(
        (await store.loadRegistrations('node1')).map((row) => ({ ...row })),
        [registration('1000', { cseq: 8 })],
      );
    }));

  test(`${name}: the newest 200 recovery runs are kept and come newest first`, () =>
    withPlace(async (place) => {
      const store = place.store();
      await store.open('node1');
      for (let index = 0; index < 205; index += 1) {
        await store.commit([
          { kind: 'saveRun', row: { id: `run-${index}`, hostname: 'node1', startedAt: index, trigger: 'start', report: '{}' } },
        ]);
      }
      const runs = await store.loadRuns('node1', 1_000);
      assert.equal(runs.length, 200);
      assert.equal(runs[0]?.id, 'run-204');
      assert.equal(runs[199]?.id, 'run-5');
      await store.commit([
        { kind: 'saveRun', row: { id: 'run-204', hostname: 'node1', startedAt: 204, trigger: 'start', report: '{"a":1}' } },
      ]);
      assert.equal((await store.loadRuns('node1', 1))[0]?.report, '{"a":1}');
    }));

  test(`${name}: commits that are not waited for are done in the order they were given`, () =>
    withPlace(async (place) => {
      const store = place.store();
      const { epoch } = await store.open('node1');
      const done = [];
      for (let index = 0; index < 50; index += 1)
        done.push(store.commit([{ kind: 'save', row: ourRow('a', epoch, { updatedAt: index }) }]));
      const rows = store.loadRecovery('node1');
      await Promise.all(done);
      assert.equal((await rows)[0]?.updatedAt, 49);
    }));
}
