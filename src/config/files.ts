import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** `exec` and `exec-set` may take this long. */
const COMMAND_TIMEOUT_MILLISECONDS = 10_000;
const MAX_COMMAND_OUTPUT_BYTES = 4 * 1024 * 1024;

/** What loading a configuration needs of the host. */
export interface ConfigFiles {
  /** Content as UTF-8; throws when it cannot be read. */
  readFile(path: string): string;
  /** Names in a directory; empty when there is none. */
  list(directory: string): readonly string[];
  /** Standard output of a shell command; throws when it fails. */
  run(command: string): string;
}

/** The real files; commands run through `sh -c`, as in FreeSWITCH. */
export const nodeConfigFiles: ConfigFiles = {
  readFile: (path) => readFileSync(path, 'utf8'),
  list: (directory) => {
    try {
      return readdirSync(directory);
    } catch {
      return [];
    }
  },
  run: (command) =>
    execFileSync('sh', ['-c', command], {
      encoding: 'utf8',
      timeout: COMMAND_TIMEOUT_MILLISECONDS,
      maxBuffer: MAX_COMMAND_OUTPUT_BYTES,
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
};
