import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UndropError } from '../../src/base/index.ts';
import { type RecoveryRow, SqliteStore } from '../../src/store/index.ts';
import { foreignRow, ourRow, storeSuite } from './suite.ts';

const clock = { wallMicroseconds: () => 1_795_536_111_820_701 };

async function inFolder(work: (path: string, make: (options?: { maximumPages?: number }) => SqliteStore) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'undrop-store-'));
  const path = join(folder, 'core.db');
  const stores: SqliteStore[] = [];
  try {
    await work(path, (options = {}) => {
      const store = new SqliteStore({ path, clock, ...options });
      stores.push(store);
      return store;
    });
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    rmSync(folder, { recursive: true, force: true });
  }
}

function insertAsFreeswitch(path: string, row: RecoveryRow): void {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database
    .prepare('insert into recovery (runtime_uuid, technology, profile_name, hostname, uuid, metadata) values (?, ?, ?, ?, ?, ?)')
    .run(row.runtimeUuid, row.technology, row.profileName, row.hostname, row.uuid, row.metadata);
  database.close();
}

async function refused(promise: Promise<unknown>): Promise<UndropError> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof UndropError, String(error));
    return error;
  }
  assert.fail('it was not refused');
}

storeSuite('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'undrop-store-'));
  const path = join(folder, 'core.db');
  const stores: SqliteStore[] = [];
  return {
    store() {
      const store = new SqliteStore({ path, clock });
      stores.push(store);
      return store;
    },
    insertForeign: async (row) => insertAsFreeswitch(path, row),
    async end() {
      await Promise.all(stores.map((store) => store.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

test('the first six columns of recovery are FreeSWITCH’s, in its order', () =>
  inFolder(async (path, make) => {
    await make().open('node1');
    const database = new DatabaseSync(path, { readOnly: true });
    const columns = database.prepare(`SELECT name, type, "notnull" AS required FROM pragma_table_info('recovery')`).all();
    const indexed = database
      .prepare(`SELECT ii.name FROM pragma_index_list('recovery') il, pragma_index_info(il.name) ii WHERE il."unique" = 0`)
      .all();
    database.close();
    assert.deepEqual(
      columns.map((column) => column['name']),
      [
        'runtime_uuid',
        'technology',
        'profile_name',
        'hostname',
        'uuid',
        'metadata',
        'epoch',
        'state',
        'attempts',
        'last_error',
        'updated_at',
      ],
    );
    assert(columns.every((column) => column['required'] === 0));
    assert.deepEqual(indexed.map((row) => row['name']).sort(), ['profile_name', 'runtime_uuid', 'technology', 'uuid']);
  }));

test('a core.db made by FreeSWITCH is taken over with its rows and other tables', () =>
  inFolder(async (path, make) => {
    const database = new DatabaseSync(path);
    database.exec(`CREATE TABLE recovery (runtime_uuid VARCHAR(255), technology VARCHAR(255), profile_name VARCHAR(255), hostname VARCHAR(255), uuid VARCHAR(255), metadata text);
      create index recovery1 on recovery(technology); create index recovery2 on recovery(profile_name); create index recovery3 on recovery(uuid);
      CREATE TABLE registrations (reg_user VARCHAR(256)); insert into registrations values ('1000');`);
    database.close();
    insertAsFreeswitch(path, foreignRow('a'));
    insertAsFreeswitch(path, foreignRow('a'));
    const store = make();
    const { epoch, notices } = await store.open('node1');
    assert.deepEqual(notices, []);
    assert.deepEqual(
      (await store.loadRecovery('node1')).map((row) => ({ ...row })),
      [foreignRow('a'), foreignRow('a')],
    );
    await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
    const reader = new DatabaseSync(path, { readOnly: true });
    assert.equal(reader.prepare('SELECT reg_user FROM registrations').get()?.['reg_user'], '1000');
    assert.equal(reader.prepare('SELECT count(*) AS n FROM recovery').get()?.['n'], 3);
    reader.close();
  }));

test('a row with values no column should hold is still read', () =>
  inFolder(async (path, make) => {
    const store = make();
    await store.open('node1');
    const database = new DatabaseSync(path, { timeout: 5_000 });
    database.exec(
      `INSERT INTO recovery (hostname, uuid, metadata, updated_at, attempts) VALUES ('node1', NULL, x'ff00', 9223372036854775807, 'many')`,
    );
    database.close();
    const [row] = await store.loadRecovery('node1');
    assert.deepEqual([row?.uuid, row?.technology, row?.updatedAt, row?.attempts], ['', '', null, null]);
  }));

test('a file that is no database is set aside, said so, and the store starts empty', () =>
  inFolder(async (path, make) => {
    writeFileSync(path, 'this is no database, '.repeat(1_000));
    const store = make();
    const { epoch, notices } = await store.open('node1');
    assert.equal(epoch, 1);
    assert.equal(notices.length, 1);
    assert.match(notices[0] ?? '', /damaged .*set aside as .*core\.db\.damaged-20261124T/);
    const aside = readdirSync(join(path, '..')).find((name) => name.startsWith('core.db.damaged-'));
    assert(aside !== undefined);
    assert.match(readFileSync(join(path, '..', aside), 'latin1'), /^this is no database/);
    await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
    assert.equal((await store.loadRecovery('node1')).length, 1);
  }));

test('of a database with a destroyed page every other row is saved, and the epoch goes on', () =>
  inFolder(async (path, make) => {
    const first = make();
    await first.open('node1');
    const between = make();
    assert.equal((await between.open('node1')).epoch, 2);
    const second = make();
    const third = await second.open('node1');
    for (let index = 0; index < 300; index += 1) {
      await second.commit([{ kind: 'save', row: ourRow(`leg-${index}`, third.epoch, { metadata: `${index} ${'x'.repeat(2_000)}` }) }]);
    }
    await Promise.all([first.close(), between.close(), second.close()]);
    const database = new DatabaseSync(path);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE');
    const pageSize = Number(database.prepare('PRAGMA page_size').get()?.['page_size']);
    database.close();
    const size = statSync(path).size;
    const file = openSync(path, 'r+');
    // A leaf in the middle that holds rows of the table.
    const content = readFileSync(path);
    const at = content.indexOf('150 xxxxxxxxxx');
    assert(at > pageSize && at < size);
    writeSync(file, Buffer.alloc(pageSize, 0xa5), 0, pageSize, Math.floor(at / pageSize) * pageSize);
    closeSync(file);
    const store = make();
    const opened = await store.open('node1');
    assert.equal(opened.notices.length, 1, 'the damage is reported');
    assert.equal(opened.epoch, 4);
    const saved = new Set((await store.loadRecovery('node1')).map((row) => row.uuid));
    assert(saved.size >= 290 && saved.size < 300, `${saved.size} of 300`);
    assert(saved.has('leg-0') && saved.has('leg-299'));
    await store.commit([{ kind: 'save', row: ourRow('leg-150', opened.epoch) }]);
  }));

test('a salvage cut short between its renames is finished by the next opening', () =>
  inFolder(async (path, make) => {
    const store = make();
    const { epoch } = await store.open('node1');
    await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
    await store.close();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = DELETE');
    database.close();
    writeFileSync(`${path}.salvaged`, readFileSync(path));
    writeFileSync(path, 'damaged');
    const next = make();
    const { notices } = await next.open('node1');
    assert.equal(notices.length, 1);
    assert.deepEqual(
      (await next.loadRecovery('node1')).map((row) => row.uuid),
      ['a'],
    );
  }));

test('a database of a later undrop is refused with what to do, and left as it is', () =>
  inFolder(async (path, make) => {
    const store = make();
    await store.open('node1');
    await store.close();
    const database = new DatabaseSync(path);
    database.exec('UPDATE undrop_schema SET version = 99');
    database.close();
    const error = await refused(make().open('node1'));
    assert.equal(error.code, 'STORE_NEWER');
    assert.equal(error.where, path);
    assert.match(error.message, /99/);
    assert(error.fix !== undefined);
  }));

test('a full disk refuses the commit, keeps what was there, and saving works again once there is space', () =>
  inFolder(async (path, make) => {
    const store = make({ maximumPages: 60 });
    const { epoch } = await store.open('node1');
    let saved = 0;
    let error: UndropError | null = null;
    while (error === null && saved < 500) {
      const row = ourRow(`leg-${saved}`, epoch, { metadata: 'x'.repeat(8_000) });
      await store.commit([{ kind: 'save', row }]).then(
        () => {
          saved += 1;
        },
        (reason: unknown) => {
          assert(reason instanceof UndropError);
          error = reason;
        },
      );
    }
    assert.equal((error as UndropError | null)?.code, 'STORE_FULL');
    assert((await store.loadRecovery('node1')).length === saved);
    await store.commit([
      { kind: 'delete', uuid: 'leg-0', epoch },
      { kind: 'delete', uuid: 'leg-1', epoch },
    ]);
    await store.commit([{ kind: 'save', row: ourRow('after', epoch) }]);
    assert.equal((await store.loadRecovery('node1')).length, saved - 1);
    assert(statSync(path).size <= 60 * 4096);
  }));

test('the file can be read, and written by FreeSWITCH’s own INSERT, while we run', () =>
  inFolder(async (path, make) => {
    const store = make();
    const { epoch } = await store.open('node1');
    await store.commit([{ kind: 'save', row: ourRow('a', epoch) }]);
    const reader = new DatabaseSync(path, { readOnly: true });
    assert.equal(reader.prepare('select uuid from recovery').get()?.['uuid'], 'a');
    insertAsFreeswitch(path, foreignRow('a'));
    await store.commit([{ kind: 'save', row: ourRow('b', epoch) }]);
    assert.equal(reader.prepare('select count(*) as n from recovery').get()?.['n'], 3);
    reader.close();
  }));

test('a value that SQLite cannot hold is refused and does not stop later commits', () =>
  inFolder(async (_path, make) => {
    const store = make();
    const { epoch } = await store.open('node1');
    const bad = { ...ourRow('a', epoch), metadata: {} } as unknown as ReturnType<typeof ourRow>;
    assert.equal((await refused(store.commit([{ kind: 'save', row: bad }]))).code, 'STORE_REJECTED');
    await store.commit([{ kind: 'save', row: ourRow('b', epoch) }]);
    assert.equal((await store.loadRecovery('node1')).length, 1);
  }));

test('a folder that cannot be made is named', () =>
  inFolder(async (path) => {
    writeFileSync(path, '');
    const store = new SqliteStore({ path: `${path}/state/core.db`, clock });
    const error = await refused(store.open('node1'));
    assert.deepEqual([error.code, error.where], ['STORE_UNAVAILABLE', `${path}/state/core.db`]);
    await store.close();
  }));

test('no row that was acknowledged is lost by kill -9, however often', { timeout: 60_000 }, () =>
  inFolder(async (path, make) => {
    const acknowledged: string[] = [];
    for (let life = 0; life < 3; life += 1) {
      const child = spawn(process.execPath, [fileURLToPath(new URL('./writing-process.ts', import.meta.url)), path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.split('\n').length > 50 + life * 17) child.kill('SIGKILL');
      });
      await once(child, 'close');
      acknowledged.push(...text.split('\n').slice(0, -1));
    }
    assert(acknowledged.length > 150);
    const store = make();
    const { epoch, notices } = await store.open('node1');
    assert.equal(epoch, 4);
    assert.deepEqual(notices, []);
    const saved = new Set((await store.loadRecovery('node1')).map((row) => row.uuid));
    assert.deepEqual(
      acknowledged.filter((uuid) => !saved.has(uuid)),
      [],
    );
  }),
);
