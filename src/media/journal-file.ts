import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { JOURNAL_BYTES, Journal } from './journal.ts';
import { type Libc, MAP_SHARED, PROT_READ_WRITE } from './linux-libc.ts';

/**
 * Opens (or creates) the journal file. With `libc` it is mapped into memory; without, or when the disk has no room for
 * the whole file, it is written with `pwrite` and what changes with packets lags by up to a second.
 */
export function openJournal(path: string, libc: Libc | null): Journal {
  const fd = openSync(path, 'a+', 0o600);
  closeSync(fd);
  const file = openSync(path, 'r+');
  const mapped = libc === null ? null : map(libc, file);
  if (mapped !== null) {
    closeSync(file);
    return new Journal(mapped);
  }
  const bytes = new Uint8Array(JOURNAL_BYTES);
  readSync(file, bytes, 0, JOURNAL_BYTES, 0);
  ftruncateSync(file, JOURNAL_BYTES);
  fsyncSync(file);
  return new Journal(bytes, (offset, length) => {
    writeSync(file, bytes, offset, length, offset);
  });
}

function map(libc: Libc, file: number): Uint8Array | null {
  // Allocated, not sparse: a store to a hole on a full disk would be a fatal SIGBUS.
  if (libc.posixFallocate(file, 0, JOURNAL_BYTES) !== 0) return null;
  const address = libc.mmap(0, JOURNAL_BYTES, PROT_READ_WRITE, MAP_SHARED, file, 0);
  return address === -1 ? null : libc.view(address, JOURNAL_BYTES);
}
