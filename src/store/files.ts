import { mkdir, open, rename } from 'node:fs/promises';

/** The few file operations that a durable, all-or-nothing write needs. */
export interface DurableFiles {
  /** Creates the folder and its parents; fine when it is there. */
  makeFolder(path: string): Promise<void>;
  /** Writes the whole file and returns when it is on the disk. */
  write(path: string, content: string): Promise<void>;
  /** Replaces `to` in one step and returns when the folder entry is on the disk. Both are in `folder`. */
  rename(from: string, to: string, folder: string): Promise<void>;
}

export const nodeFiles: DurableFiles = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true });
  },
  async write(path, content) {
    const file = await open(path, 'w', 0o640);
    try {
      await file.writeFile(content, 'utf8');
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async rename(from, to, folder) {
    await rename(from, to);
    const directory = await open(folder, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
};
