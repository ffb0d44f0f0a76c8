import { UndropError } from '../base/index.ts';

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;
const SQLITE_MISMATCH = 20;
const SQLITE_RANGE = 25;
const SQLITE_NOTADB = 26;

/** Primary SQLite result code of an error of node:sqlite, null for any other error. */
function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** What went wrong, for a person; `UndropError` passes through. */
export function toStoreError(error: unknown, path: string): UndropError {
  if (error instanceof UndropError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const make = (code: string, text: string, fix: string): UndropError =>
    new UndropError(code, `${text}: ${message}`, { where: path, fix, cause: error });
  switch (sqliteCode(error)) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make(
        'STORE_DAMAGED',
        'the database is damaged',
        'restart: the file is set aside and its readable rows are kept; or move it away yourself',
      );
    case SQLITE_FULL:
      return make('STORE_FULL', 'no space to write', 'free space on that disk; saving goes on by itself');
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make('STORE_BUSY', 'another program holds a lock on the database', 'end the long transaction of the other program');
    case SQLITE_READONLY:
      return make('STORE_READONLY', 'the database cannot be written', 'make the file and its folder writable for this user');
    case SQLITE_CANTOPEN:
      return make('STORE_UNAVAILABLE', 'the database cannot be opened', 'check that the folder exists and is writable for this user');
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return make('STORE_REJECTED', 'the database refuses this row', 'report it with this message');
    case null:
      // node:sqlite refuses a value before SQLite sees it (a number that is no integer of 64 bit, undefined).
      if (error instanceof TypeError || error instanceof RangeError)
        return make('STORE_REJECTED', 'a value cannot be stored', 'report it with this message');
      return make('STORE_FAILED', 'the database failed', 'see the message');
    default:
      return make('STORE_FAILED', 'the database failed', 'check the disk and its messages in the kernel log');
  }
}
