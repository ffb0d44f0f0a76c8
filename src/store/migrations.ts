import type { DatabaseSync } from 'node:sqlite';
import { UndropError } from '../base/index.ts';

/**
 * FreeSWITCH's table as its switch_core_sqldb.c creates it (its fourth index there repeats the name of the third and is
 * never made). Ours have the same columns in the same order, so that FreeSWITCH's `INSERT … (six names)` works.
 */
const FREESWITCH_RECOVERY = `
CREATE TABLE IF NOT EXISTS recovery (
   runtime_uuid    VARCHAR(255),
   technology      VARCHAR(255),
   profile_name    VARCHAR(255),
   hostname        VARCHAR(255),
   uuid            VARCHAR(255),
   metadata        text
);
CREATE INDEX IF NOT EXISTS recovery1 ON recovery(technology);
CREATE INDEX IF NOT EXISTS recovery2 ON recovery(profile_name);
CREATE INDEX IF NOT EXISTS recovery3 ON recovery(uuid);
CREATE INDEX IF NOT EXISTS recovery4 ON recovery(runtime_uuid);
`;

/** All nullable: FreeSWITCH knows nothing of them. */
const OUR_COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['epoch', 'INTEGER'],
  ['state', 'VARCHAR(32)'],
  ['attempts', 'INTEGER'],
  ['last_error', 'TEXT'],
  ['updated_at', 'INTEGER'],
];

function addOurColumns(database: DatabaseSync): void {
  const present = new Set(
    database
      .prepare(`SELECT name FROM pragma_table_info('recovery')`)
      .all()
      .map((row) => String(row['name'])),
  );
  for (const [name, type] of OUR_COLUMNS) if (!present.has(name)) database.exec(`ALTER TABLE recovery ADD COLUMN ${name} ${type}`);
  // Only ours: FreeSWITCH inserts the same uuid a second time around its DELETE.
  database.exec('CREATE UNIQUE INDEX IF NOT EXISTS undrop_recovery_uuid ON recovery(uuid) WHERE epoch IS NOT NULL');
}

/** Steps in order; the version of a database is the number of steps done. Never change one that was released. */
const MIGRATIONS: readonly ((database: DatabaseSync) => void)[] = [
  (database) => {
    database.exec(FREESWITCH_RECOVERY);
    addOurColumns(database);
    database.exec(`
CREATE TABLE undrop_nodes (
  switchname TEXT PRIMARY KEY,
  epoch      INTEGER NOT NULL,
  opened_at  INTEGER NOT NULL
);
CREATE TABLE undrop_registrations (
  hostname     TEXT NOT NULL,
  user         TEXT NOT NULL,
  realm        TEXT NOT NULL,
  contact      TEXT NOT NULL,
  call_id      TEXT NOT NULL,
  profile_name TEXT NOT NULL,
  expires_at   INTEGER NOT NULL,
  network_ip   TEXT NOT NULL,
  network_port INTEGER NOT NULL,
  cseq         INTEGER NOT NULL,
  user_agent   TEXT NOT NULL,
  UNIQUE (hostname, user, realm, contact)
);
CREATE TABLE undrop_recovery_runs (
  id         TEXT PRIMARY KEY,
  hostname   TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  "trigger"  TEXT NOT NULL,
  report     TEXT NOT NULL
);
CREATE INDEX undrop_recovery_runs1 ON undrop_recovery_runs(hostname, started_at);
`);
  },
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the database to `SCHEMA_VERSION` in one transaction; rows stay. FreeSWITCH may have dropped and made its table
 * again since, so the table is looked after at every open. Throws `STORE_NEWER` when a later undrop has written it.
 */
export function migrate(database: DatabaseSync, path: string): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec('CREATE TABLE IF NOT EXISTS undrop_schema (version INTEGER NOT NULL)');
    const version = Number(database.prepare('SELECT coalesce(max(version), 0) AS version FROM undrop_schema').get()?.['version'] ?? 0);
    if (version > SCHEMA_VERSION) {
      throw new UndropError('STORE_NEWER', `the database has schema version ${version}, this undrop knows up to ${SCHEMA_VERSION}`, {
        where: path,
        fix: 'run the undrop version that wrote it, or move the file away to start without its calls',
      });
    }
    if (version > 0) {
      database.exec(FREESWITCH_RECOVERY);
      addOurColumns(database);
    }
    for (const step of MIGRATIONS.slice(version)) step(database);
    if (version < SCHEMA_VERSION) {
      database.exec('DELETE FROM undrop_schema');
      database.prepare('INSERT INTO undrop_schema (version) VALUES (?)').run(SCHEMA_VERSION);
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
