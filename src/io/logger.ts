import { createRequire } from 'node:module';
import type { destination, pino } from 'pino';
import type { Logger, LogLevel } from '../base/index.ts';

/** FreeSWITCH's numbers turned round, since pino's grow with the severity. */
const severity: Readonly<Record<LogLevel, number>> = { alert: 70, critical: 60, error: 50, warning: 40, notice: 35, info: 30, debug: 20 };

export interface SystemLogger extends Logger {
  /** From which level on lines are written; may be changed at any time. */
  setLevel(level: LogLevel): void;
  /** Writes out what is buffered; for the end of a process. */
  flush(): void;
}

/** How long a line may wait in memory. */
const flushMilliseconds = 100;
const bufferBytes = 4096;
/** Lines beyond so many buffered bytes are dropped: a full disk must not fill the memory. */
const maximumBufferBytes = 4 * 1024 * 1024;

/**
 * A logger that writes one JSON object a line, buffered, off the caller's path. Errors and worse are written at once.
 * `target` is a file (appended to) or a descriptor. A failing disk is ignored: logging never ends a call.
 */
export function createLogger(options: { target: { file: string } | { fd: number }; level: LogLevel; name?: string }): SystemLogger {
  // Loaded on first use: processes that log nothing need not hold it.
  const library = createRequire(import.meta.url)('pino') as { pino: typeof pino; destination: typeof destination };
  const sink = library.destination({
    dest: 'file' in options.target ? options.target.file : options.target.fd,
    append: true,
    mkdir: true,
    sync: false,
    minLength: bufferBytes,
    maxLength: maximumBufferBytes,
    periodicFlush: flushMilliseconds,
  });
  let ready = 'fd' in options.target;
  sink.on('ready', () => {
    ready = true;
  });
  sink.on('error', () => undefined);
  const flushSync = sink.flushSync.bind(sink);
  // pino's own exit handler calls this too: thrown there, it would change the exit code of the process.
  sink.flushSync = (): void => {
    if (!ready) return;
    try {
      flushSync();
    } catch {
      // The disk is full or gone; there is nowhere left to say so.
    }
  };
  const flush = (): void => sink.flushSync();
  const logger = library.pino(
    {
      base: { pid: process.pid, ...(options.name === undefined ? {} : { name: options.name }) },
      customLevels: severity,
      useOnlyCustomLevels: true,
      level: options.level,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return {
    log: (level, message, fields) => {
      if (fields === undefined) logger[level](message);
      else logger[level](fields, message);
      if (severity[level] >= severity.error) flush();
    },
    setLevel: (level) => {
      logger.level = level;
    },
    flush,
  };
}
