import { type Clock, type Logger, silentLogger, type Timer, UndropError } from '../base/index.ts';
import type { Store, StoreOperation } from '../store/index.ts';

/**
 * `durable`: on disk. `fenced`: another process owns the calls; fall silent. `failed`: the store refuses this data, or the
 * queue is full; it will not be written. `late`: the store did not answer within the bound; the call may go on, its data
 * stays queued, and `onRecovered` tells when it is durable after all.
 */
export type SaveOutcome = 'durable' | 'failed' | 'fenced' | 'late';

export interface WriterFigures {
  /** Requests not yet durable, late ones included. */
  readonly pending: number;
  /** uuids whose newest state is not durable although their call went on. */
  readonly untracked: number;
  readonly commits: number;
  readonly failedCommits: number;
  readonly operations: number;
  readonly late: number;
  readonly dropped: number;
  /** Milliseconds from `save` to durable, over the last `LATENCY_SAMPLES` requests; 0 before the first. */
  readonly latencyP50: number;
  readonly latencyP99: number;
  readonly latencyMaximum: number;
}

export interface WriterOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Milliseconds that a call waits for its save. */
  readonly bound?: number;
  /** Operations in one transaction; a request is never split. */
  readonly batchSize?: number;
  /** Operations that may wait while the store is away. */
  readonly maximumPending?: number;
  /** These calls go on without being saved. */
  readonly onLate?: (uuids: readonly string[]) => void;
  /** These calls are saved again, with their newest state. */
  readonly onRecovered?: (uuids: readonly string[]) => void;
  readonly onFenced?: () => void;
}

interface Request {
  readonly sequence: number;
  operations: StoreOperation[];
  readonly queuedAt: number;
  /** null once it was called. */
  whenDurable: ((outcome: SaveOutcome) => void) | null;
}

const DEFAULT_BOUND = 200;
const DEFAULT_BATCH_SIZE = 256;
const DEFAULT_MAXIMUM_PENDING = 100_000;
const FIRST_RETRY = 20;
const LAST_RETRY = 2_000;
const LATENCY_SAMPLES = 1_024;
/** Late requests are thinned out whenever so many more have come. */
const COMPACT_EVERY = 512;

/**
 * Group commit: one transaction is in flight; all that is queued meanwhile goes into the next one. First in, first out;
 * of one uuid's saves in a transaction only the last is written.
 */
export class CheckpointWriter {
  readonly #store: Pick<Store, 'commit'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #bound: number;
  readonly #batchSize: number;
  readonly #maximumPending: number;
  readonly #options: WriterOptions;
  #queue: Request[] = [];
  #queuedOperations = 0;
  #inFlight: Request[] | null = null;
  #isStartQueued = false;
  #boundTimer: Timer | null = null;
  #retryTimer: Timer | null = null;
  #retryDelay = FIRST_RETRY;
  /** Requests to try alone, after a transaction of several was refused. */
  #alone = 0;
  #isFenced = false;
  #answers = true;
  #nextSequence = 1;
  #compactAt = COMPACT_EVERY;
  /** uuid → sequence of the newest request that its call did not wait for. */
  readonly #untracked = new Map<string, number>();
  #drained: (() => void)[] = [];
  #counts = { commits: 0, failedCommits: 0, operations: 0, late: 0, dropped: 0 };
  readonly #latencies = new Float64Array(LATENCY_SAMPLES);
  #latencyCount = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#bound = options.bound ?? DEFAULT_BOUND;
    this.#batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
    this.#maximumPending = options.maximumPending ?? DEFAULT_MAXIMUM_PENDING;
  }

  /** False from the first late save until a transaction is durable again. */
  get answers(): boolean {
    return this.#answers;
  }

  get isFenced(): boolean {
    return this.#isFenced;
  }

  /** Requests not yet durable. */
  get pending(): number {
    return this.#queue.length + (this.#inFlight?.length ?? 0);
  }

  isUntracked(uuid: string): boolean {
    return this.#untracked.has(uuid);
  }

  figures(): WriterFigures {
    const sorted = this.#latencies.slice(0, Math.min(this.#latencyCount, LATENCY_SAMPLES)).sort();
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      ...this.#counts,
      pending: this.pending,
      untracked: this.#untracked.size,
      latencyP50: at(0.5),
      latencyP99: at(0.99),
      latencyMaximum: at(1),
    };
  }

  /** All `operations` go into one transaction. `whenDurable` is called exactly once, never from within `save`. */
  save(operations: readonly StoreOperation[], whenDurable: (outcome: SaveOutcome) => void): void {
    const request: Request = { sequence: this.#nextSequence, operations: [...operations], queuedAt: this.#clock.now(), whenDurable };
    this.#nextSequence += 1;
    if (this.#isFenced) {
      queueMicrotask(() => this.#report(request, 'fenced'));
      return;
    }
    this.#queue.push(request);
    this.#queuedOperations += request.operations.length;
    if (!this.#answers) {
      // Nobody waits for a store that is known to be away.
      queueMicrotask(() => this.#markLate([request]));
    }
    if (this.#queuedOperations > this.#maximumPending) this.#shed();
    this.#armBound();
    this.#start();
  }

  /** Resolves when nothing is pending any more (or the writer is fenced). */
  drained(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #start(): void {
    if (this.#isStartQueued) return;
    this.#isStartQueued = true;
    // After the current input was handled: all its saves go together.
    queueMicrotask(() => {
      this.#isStartQueued = false;
      this.#commit();
    });
  }

  #commit(): void {
    if (this.#inFlight !== null || this.#retryTimer !== null || this.#isFenced || this.#queue.length === 0) return;
    const limit = this.#alone > 0 ? 1 : this.#batchSize;
    let taken = 0;
    let size = 0;
    for (const request of this.#queue) {
      if (taken > 0 && size + request.operations.length > limit) break;
      taken += 1;
      size += request.operations.length;
    }
    const batch = this.#queue.splice(0, taken);
    this.#inFlight = batch;
    this.#queuedOperations -= size;
    const operations = withoutSuperseded(batch.flatMap((request) => request.operations));
    this.#store.commit(operations).then(
      () => this.#committed(batch, operations.length),
      (error: unknown) => this.#refused(batch, size, error),
    );
  }

  #committed(batch: Request[], operations: number): void {
    this.#inFlight = null;
    this.#retryDelay = FIRST_RETRY;
    this.#counts.commits += 1;
    this.#counts.operations += operations;
    if (this.#alone > 0) this.#alone -= 1;
    if (!this.#answers) {
      this.#answers = true;
      this.#logger.log('notice', 'the store answers again', { pending: this.pending });
    }
    const now = this.#clock.now();
    const recovered: string[] = [];
    for (const request of batch) {
      this.#latencies[this.#latencyCount % LATENCY_SAMPLES] = now - request.queuedAt;
      this.#latencyCount += 1;
      this.#forget(request, recovered);
    }
    for (const request of batch) this.#report(request, 'durable');
    if (recovered.length > 0) this.#options.onRecovered?.(recovered);
    this.#armBound();
    this.#continue();
  }

  #refused(batch: Request[], size: number, error: unknown): void {
    this.#inFlight = null;
    this.#counts.failedCommits += 1;
    const code = error instanceof UndropError ? error.code : 'STORE_FAILED';
    if (code === 'STORE_FENCED') {
      this.#fence(batch);
      return;
    }
    const described = error instanceof UndropError ? error.describe() : String(error);
    if (code === 'STORE_REJECTED' && batch.length === 1) {
      this.#logger.log('error', 'the store refuses a save', { error: described });
      this.#counts.dropped += 1;
      if (this.#alone > 0) this.#alone -= 1;
      for (const request of batch) {
        this.#forget(request, []);
        this.#report(request, 'failed');
      }
      this.#continue();
      return;
    }
    this.#queue = [...batch, ...this.#queue];
    this.#queuedOperations += size;
    if (code === 'STORE_REJECTED') {
      // One of them is at fault: find it, so that the others are saved.
      this.#alone = batch.length;
      this.#continue();
      return;
    }
    this.#logger.log('error', 'the store failed; it is tried again', { error: described, delay: this.#retryDelay });
    this.#retryTimer = this.#clock.setTimer(this.#retryDelay, () => {
      this.#retryTimer = null;
      this.#commit();
    });
    this.#retryDelay = Math.min(this.#retryDelay * 2, LAST_RETRY);
    this.#armBound();
  }

  #continue(): void {
    if (this.#queue.length > 0) {
      this.#commit();
    } else if (this.pending === 0) {
      const waiting = this.#drained;
      this.#drained = [];
      for (const resolve of waiting) resolve();
    }
  }

  #fence(batch: Request[]): void {
    this.#isFenced = true;
    this.#boundTimer?.cancel();
    this.#boundTimer = null;
    const lost = [...batch, ...this.#queue];
    this.#queue = [];
    this.#queuedOperations = 0;
    this.#untracked.clear();
    this.#logger.log('alert', 'another process owns our calls now; nothing more is written');
    this.#options.onFenced?.();
    for (const request of lost) this.#report(request, 'fenced');
    this.#continue();
  }

  #report(request: Request, outcome: SaveOutcome): void {
    const whenDurable = request.whenDurable;
    request.whenDurable = null;
    whenDurable?.(outcome);
  }

  /** One timer, for the oldest request whose call still waits. */
  #armBound(): void {
    if (this.#boundTimer !== null || this.#isFenced) return;
    const oldest = this.#inFlight?.find(isWaiting) ?? this.#queue.find(isWaiting);
    if (oldest === undefined) return;
    const delay = Math.max(0, oldest.queuedAt + this.#bound - this.#clock.now());
    this.#boundTimer = this.#clock.setTimer(delay, () => {
      this.#boundTimer = null;
      const due = this.#clock.now() - this.#bound;
      const late = [...(this.#inFlight ?? []), ...this.#queue].filter((request) => isWaiting(request) && request.queuedAt <= due);
      if (late.length > 0 && this.#answers) {
        this.#answers = false;
        this.#logger.log('error', `the store does not answer within ${this.#bound} ms; calls go on untracked`, { pending: this.pending });
        // The younger ones need not wait for the rest of their time either.
        this.#markLate([...(this.#inFlight ?? []), ...this.#queue]);
      } else {
        this.#markLate(late);
      }
      this.#armBound();
    });
  }

  #markLate(requests: readonly Request[]): void {
    const uuids: string[] = [];
    const due = requests.filter(isWaiting);
    for (const request of due) {
      this.#counts.late += 1;
      for (const operation of request.operations) {
        const uuid = legOf(operation);
        if (uuid === null) continue;
        if (!this.#untracked.has(uuid)) uuids.push(uuid);
        this.#untracked.set(uuid, request.sequence);
      }
    }
    if (uuids.length > 0) this.#options.onLate?.(uuids);
    for (const request of due) this.#report(request, 'late');
    if (this.#queue.length >= this.#compactAt) {
      this.#compact();
      this.#compactAt = this.#queue.length + COMPACT_EVERY;
    }
  }

  /** A request is done: the uuids whose newest late state it held are tracked again. */
  #forget(request: Request, recovered: string[]): void {
    if (this.#untracked.size === 0) return;
    for (const operation of request.operations) {
      const uuid = legOf(operation);
      if (uuid === null) continue;
      const newest = this.#untracked.get(uuid);
      if (newest === undefined || newest > request.sequence) continue;
      this.#untracked.delete(uuid);
      recovered.push(uuid);
    }
  }

  /** Takes out of late requests what a later request says anew. Nobody waits for them, so none is missed. */
  #compact(): void {
    const said = new Set<string>();
    for (let index = this.#queue.length - 1; index >= 0; index -= 1) {
      const request = this.#queue[index];
      if (request === undefined) continue;
      if (!isWaiting(request)) request.operations = request.operations.filter((operation) => !isSuperseded(operation, said));
      for (const operation of request.operations) note(operation, said);
    }
    this.#queue = this.#queue.filter((request) => isWaiting(request) || request.operations.length > 0);
    this.#queuedOperations = this.#queue.reduce((sum, request) => sum + request.operations.length, 0);
  }

  /** Over the bound: thin out, and if that is not enough give up the oldest, saying so. */
  #shed(): void {
    this.#compact();
    while (this.#queuedOperations > this.#maximumPending) {
      const oldest = this.#queue.shift();
      if (oldest === undefined) return;
      this.#queuedOperations -= oldest.operations.length;
      this.#counts.dropped += 1;
      queueMicrotask(() => this.#report(oldest, 'failed'));
    }
  }
}

function isWaiting(request: Request): boolean {
  return request.whenDurable !== null;
}

/** uuid of the leg that an operation is about, null when it is about none. */
function legOf(operation: StoreOperation): string | null {
  switch (operation.kind) {
    case 'save':
      return operation.row.uuid;
    case 'delete':
    case 'quarantine':
    case 'countAttempt':
      return operation.uuid;
    default:
      return null;
  }
}

/** What a later operation of the same key makes needless, null when nothing does. */
function supersededBy(operation: StoreOperation): string | null {
  switch (operation.kind) {
    case 'save':
      return `leg ${operation.row.uuid}`;
    case 'saveRegistration':
      return JSON.stringify([operation.row.user, operation.row.realm, operation.row.contact]);
    case 'saveRun':
      return `run ${operation.row.id}`;
    default:
      return null;
  }
}

function isSuperseded(operation: StoreOperation, said: ReadonlySet<string>): boolean {
  const key = supersededBy(operation);
  return key !== null && said.has(key);
}

function note(operation: StoreOperation, said: Set<string>): void {
  if (operation.kind === 'delete') said.add(`leg ${operation.uuid}`);
  else if (operation.kind === 'deleteRegistration') said.add(JSON.stringify([operation.user, operation.realm, operation.contact]));
  else {
    const key = supersededBy(operation);
    if (key !== null) said.add(key);
  }
}

/** In order; a save is left out when a later save or delete of the same key is there. */
function withoutSuperseded(operations: readonly StoreOperation[]): StoreOperation[] {
  if (operations.length < 2) return [...operations];
  const said = new Set<string>();
  const kept: StoreOperation[] = [];
  for (let index = operations.length - 1; index >= 0; index -= 1) {
    const operation = operations[index];
    if (operation === undefined || isSuperseded(operation, said)) continue;
    note(operation, said);
    kept.push(operation);
  }
  return kept.reverse();
}
