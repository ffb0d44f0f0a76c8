import { Worker } from 'node:worker_threads';
import { type Clock, UndropError } from '../base/index.ts';
import type { SqliteOptions } from './sqlite-database.ts';
import type { RecoveryRow, RecoveryRunRow, RegistrationRow, Store, StoreOperation } from './store.ts';
import type { WorkerReply, WorkerRequest } from './worker-protocol.ts';

/** Requests that may wait for the thread; more are refused with `STORE_OVERLOADED`. */
const MAXIMUM_WAITING = 10_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: UndropError) => void;
}

type RequestBody = WorkerRequest extends infer Request ? (Request extends WorkerRequest ? Omit<Request, 'id'> : never) : never;

/**
 * SQLite through node:sqlite in a worker thread, in WAL mode: other programs read the file while we run. It takes no
 * lock of its own on the file; that only one process owns a state folder is the guardian's business.
 */
export class SqliteStore implements Store {
  readonly #options: SqliteOptions;
  readonly #clock: Pick<Clock, 'wallMicroseconds'>;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #nextId = 1;
  #owner: { hostname: string; epoch: number } | null = null;
  #isClosed = false;

  /** `path`: the database file, by FreeSWITCH's convention `core.db`. `clock` stamps what is set aside. */
  constructor(options: { readonly path: string; readonly clock: Pick<Clock, 'wallMicroseconds'> } & Partial<Omit<SqliteOptions, 'path'>>) {
    this.#options = {
      path: options.path,
      synchronous: options.synchronous ?? 'NORMAL',
      busyTimeoutMilliseconds: options.busyTimeoutMilliseconds ?? 5_000,
      maximumPages: options.maximumPages ?? 0,
    };
    this.#clock = options.clock;
  }

  async open(hostname: string): Promise<{ readonly epoch: number; readonly notices: readonly string[] }> {
    this.#isClosed = false;
    const result = await this.#ask<{ epoch: number; notices: string[] }>({ kind: 'open', hostname, now: this.#clock.wallMicroseconds() });
    this.#owner = { hostname, epoch: result.epoch };
    return result;
  }

  async commit(operations: readonly StoreOperation[]): Promise<void> {
    await this.#ask({ kind: 'commit', operations });
  }

  loadRecovery(hostname: string): Promise<readonly RecoveryRow[]> {
    return this.#ask({ kind: 'loadRecovery', hostname });
  }

  loadRegistrations(hostname: string): Promise<readonly RegistrationRow[]> {
    return this.#ask({ kind: 'loadRegistrations', hostname });
  }

  loadRuns(hostname: string, limit: number): Promise<readonly RecoveryRunRow[]> {
    return this.#ask({ kind: 'loadRuns', hostname, limit });
  }

  async close(): Promise<void> {
    if (this.#worker === null) return;
    const closing = this.#ask({ kind: 'close' });
    this.#isClosed = true;
    await closing;
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  #ask<T>(body: RequestBody): Promise<T> {
    if (this.#isClosed) return Promise.reject(new UndropError('STORE_CLOSED', 'the store was closed', { where: this.#options.path }));
    if (this.#waiting.size >= MAXIMUM_WAITING) {
      return Promise.reject(
        new UndropError('STORE_OVERLOADED', `${MAXIMUM_WAITING} requests wait for the database already`, { where: this.#options.path }),
      );
    }
    return new Promise<T>((resolve, reject) => {
      const worker = this.#worker ?? this.#start();
      this.#post(worker, body, { resolve: (result) => resolve(result as T), reject });
    });
  }

  #post(worker: Worker, body: RequestBody, waiting: Waiting): void {
    const id = this.#nextId;
    this.#nextId += 1;
    try {
      worker.postMessage({ ...body, id });
    } catch (error) {
      waiting.reject(
        new UndropError('STORE_REJECTED', `a value cannot be stored: ${String(error)}`, { where: this.#options.path, cause: error }),
      );
      return;
    }
    this.#waiting.set(id, waiting);
  }

  /** Starts the thread; one that replaces a dead one first takes up the epoch that we own. */
  #start(): Worker {
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: this.#options, name: 'store' });
    this.#worker = worker;
    worker.on('message', (reply: WorkerReply) => this.#receive(reply));
    let cause = 'it ended';
    worker.on('error', (error) => {
      cause = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
      else if (this.#worker !== null) return;
      const error = new UndropError('STORE_FAILED', `the store's thread failed: ${cause}`, { where: this.#options.path });
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
    });
    // A refused reopen shows in the next request, which finds the store not open.
    if (this.#owner !== null) this.#post(worker, { kind: 'reopen', ...this.#owner }, { resolve: () => undefined, reject: () => undefined });
    return worker;
  }

  #receive(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (waiting === undefined) return;
    if ('error' in reply) {
      const { code, message, where, fix } = reply.error;
      waiting.reject(new UndropError(code, message, { ...(where === undefined ? {} : { where }), ...(fix === undefined ? {} : { fix }) }));
    } else {
      waiting.resolve(reply.result);
    }
  }
}
