import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/**
 * Replaces the content of `path` by rename: a reader sees the old text or the new one, never a part.
 * With `durable`, the text is on disk before the rename. Throws what the file system says.
 */
export function replaceFile(path: string, text: string, options: { durable?: boolean } = {}): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', 0o644);
  try {
    writeSync(file, text);
    if (options.durable === true) fsyncSync(file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
