import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { migrate } from './migrations.ts';

/** A complete salvage that only has to be put in place; it exists between the two renames. */
const COMPLETE = '.salvaged';
const PARTIAL = '.salvage-partial';
const COMPANIONS = ['-wal', '-shm', '-journal', ''] as const;
const TABLES = ['recovery', 'undrop_registrations', 'undrop_nodes', 'undrop_recovery_runs'] as const;
/** Rows asked for one by one between the readable beginning and the readable end of a table. */
const MAXIMUM_PROBES = 20_000;

/**
 * Copies what can be read of a damaged database into a fresh one and puts that in its place; the damaged file stays
 * beside it as `<path>.damaged-<stamp>`. A crash in it, at any point, loses nothing: the next open does it again or
 * finishes it. `now`: wall microseconds.
 */
export function salvage(path: string, now: number, reason: string, notices: string[]): void {
  const partial = path + PARTIAL;
  for (const companion of COMPANIONS) rmSync(partial + companion, { force: true });
  const fresh = new DatabaseSync(partial);
  const counts: string[] = [];
  try {
    migrate(fresh, partial);
    for (const table of TABLES) {
      const { read, complete } = copyTable(path, fresh, table);
      if (table === 'recovery' || table === 'undrop_registrations') {
        counts.push(`${read} row${read === 1 ? '' : 's'} of ${table}${complete ? '' : ' (not all could be read)'}`);
      }
    }
  } finally {
    fresh.close();
  }
  renameSync(partial, path + COMPLETE);
  syncFolder(path);
  const aside = putInPlace(path, now);
  notices.push(`${path}: the database was damaged (${reason}). It was set aside as ${aside}; saved from it: ${counts.join(', ')}.`);
}

/** Finishes a salvage that a crash interrupted between its renames. */
export function finishSalvage(path: string, now: number, notices: string[]): void {
  if (!existsSync(path + COMPLETE)) return;
  const aside = putInPlace(path, now);
  notices.push(`${path}: the database was damaged and set aside as ${aside}; its readable rows were saved before the last crash.`);
}

function putInPlace(path: string, now: number): string {
  const stamp = new Date(Math.trunc(now / 1000)).toISOString().replaceAll(/[-:]/g, '').slice(0, 15);
  let aside = `${path}.damaged-${stamp}`;
  for (let count = 2; existsSync(aside); count += 1) aside = `${path}.damaged-${stamp}-${count}`;
  // The write-ahead log first: it must never lie beside the new file.
  for (const companion of COMPANIONS) if (existsSync(path + companion)) renameSync(path + companion, aside + companion);
  syncFolder(path);
  renameSync(path + COMPLETE, path);
  syncFolder(path);
  return aside;
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

type Row = Record<string, SQLOutputValue>;

function copyTable(path: string, fresh: DatabaseSync, table: string): { read: number; complete: boolean } {
  let damaged: DatabaseSync | null = null;
  try {
    damaged = new DatabaseSync(path);
    const wanted = fresh
      .prepare('SELECT name FROM pragma_table_info(?)')
      .all(table)
      .map((row) => String(row['name']));
    const present = new Set(
      damaged
        .prepare('SELECT name FROM pragma_table_info(?)')
        .all(table)
        .map((row) => String(row['name'])),
    );
    const columns = wanted.filter((name) => present.has(name)).map((name) => `"${name}"`);
    if (columns.length === 0) return { read: 0, complete: present.size === 0 };
    const insert = fresh.prepare(`INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
    let read = 0;
    fresh.exec('BEGIN');
    const complete = readRows(damaged, table, columns.join(', '), (row) => {
      const { undrop_rowid: _rowid, ...values } = row;
      try {
        insert.run(...Object.values(values));
        read += 1;
      } catch {
        // A value that our own table refuses was not a row of ours.
      }
    });
    fresh.exec('COMMIT');
    return { read, complete };
  } catch {
    if (fresh.isTransaction) fresh.exec('COMMIT');
    return { read: 0, complete: false };
  } finally {
    damaged?.close();
  }
}

/** From the front as far as it goes, from the back as far as it goes, then one by one between. True when all was read. */
function readRows(database: DatabaseSync, table: string, columns: string, take: (row: Row) => void): boolean {
  const select = `SELECT rowid AS undrop_rowid, ${columns} FROM ${table} NOT INDEXED`;
  const walk = (order: 'ASC' | 'DESC', until: bigint | null): { last: bigint | null; complete: boolean } => {
    let last: bigint | null = null;
    try {
      const statement = database.prepare(`${select} ORDER BY rowid ${order}`);
      statement.setReadBigInts(true);
      for (const row of statement.iterate()) {
        const rowid = row['undrop_rowid'];
        if (typeof rowid !== 'bigint' || (until !== null && rowid <= until)) return { last, complete: true };
        take(row);
        last = rowid;
      }
      return { last, complete: true };
    } catch {
      return { last, complete: false };
    }
  };
  const front = walk('ASC', null);
  if (front.complete) return true;
  const back = walk('DESC', front.last);
  if (back.complete) return true;
  let probe: ReturnType<DatabaseSync['prepare']>;
  try {
    probe = database.prepare(`${select} WHERE rowid = ?`);
  } catch {
    return false;
  }
  probe.setReadBigInts(true);
  const first = (front.last ?? 0n) + 1n;
  for (let rowid = first; rowid < first + BigInt(MAXIMUM_PROBES) && (back.last === null || rowid < back.last); rowid += 1n) {
    try {
      const row = probe.get(rowid);
      if (row !== undefined) take(row);
    } catch {
      // This one is lost.
    }
  }
  return false;
}
