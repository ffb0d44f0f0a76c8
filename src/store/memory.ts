import { UndropError, unreachable } from '../base/index.ts';
import { MAXIMUM_RUNS, type RecoveryRow, type RecoveryRunRow, type RegistrationRow, type Store, type StoreOperation } from './store.ts';

/** What survives a crash: give the same one to the next runtime. */
export class MemoryDatabase {
  rows: RecoveryRow[] = [];
  registrations: RegistrationRow[] = [];
  runs: RecoveryRunRow[] = [];
  readonly epochs = new Map<string, number>();
}

/** How the simulated disk behaves. Without them everything is done in the next microtask. */
export interface MemoryStoreHooks {
  /**
   * Runs `run` when the step shall happen; never to run it is a store that does not answer. `apply`: the transaction
   * becomes durable. `acknowledge`: its caller hears of it. A crash between the two is the hard case.
   */
  readonly schedule?: (step: 'apply' | 'acknowledge', run: () => void) => void;
  /** An error with which this commit is refused, null to let it pass. */
  readonly refuse?: (operations: readonly StoreOperation[]) => UndropError | null;
}

/** A store in memory with the behaviour of the SQLite one, deterministic, for the simulator. */
export class MemoryStore implements Store {
  readonly database: MemoryDatabase;
  readonly #schedule: (step: 'apply' | 'acknowledge', run: () => void) => void;
  readonly #refuse: (operations: readonly StoreOperation[]) => UndropError | null;
  readonly #queue: (() => void)[] = [];
  #isBusy = false;
  #state: 'closed' | 'open' | 'crashed' = 'closed';
  #hostname = '';
  #epoch = 0;

  constructor(options: { readonly database?: MemoryDatabase; readonly hooks?: MemoryStoreHooks } = {}) {
    this.database = options.database ?? new MemoryDatabase();
    this.#schedule = options.hooks?.schedule ?? ((_step, run) => queueMicrotask(run));
    this.#refuse = options.hooks?.refuse ?? (() => null);
  }

  open(hostname: string): Promise<{ readonly epoch: number; readonly notices: readonly string[] }> {
    return this.#enqueue(() => {
      let epoch = this.database.epochs.get(hostname) ?? 0;
      for (const row of this.database.rows) if (row.hostname === hostname && row.epoch !== null && row.epoch > epoch) epoch = row.epoch;
      this.#hostname = hostname;
      this.#epoch = epoch + 1;
      this.#state = 'open';
      this.database.epochs.set(hostname, this.#epoch);
      return { epoch: this.#epoch, notices: [] };
    });
  }

  commit(operations: readonly StoreOperation[]): Promise<void> {
    return this.#enqueue(() => {
      this.#requireOpen();
      const refusal = this.#refuse(operations);
      if (refusal !== null) throw refusal;
      this.#commit(operations);
    });
  }

  loadRecovery(hostname: string): Promise<readonly RecoveryRow[]> {
    return this.#enqueue(() => {
      this.#requireOpen();
      return this.database.rows.filter((row) => row.hostname === hostname);
    });
  }

  loadRegistrations(hostname: string): Promise<readonly RegistrationRow[]> {
    return this.#enqueue(() => {
      this.#requireOpen();
      return this.database.registrations.filter((row) => row.hostname === hostname);
    });
  }

  loadRuns(hostname: string, limit: number): Promise<readonly RecoveryRunRow[]> {
    return this.#enqueue(() => {
      this.#requireOpen();
      return newestFirst(this.database.runs.filter((row) => row.hostname === hostname)).slice(0, limit);
    });
  }

  close(): Promise<void> {
    if (this.#state !== 'open') return Promise.resolve();
    return this.#enqueue(() => {
      this.#state = 'closed';
    });
  }

  /** SIGKILL of the process: what is not applied never will be, and no promise settles any more. Returns what survives. */
  crash(): MemoryDatabase {
    this.#state = 'crashed';
    this.#queue.length = 0;
    return this.database;
  }

  #requireOpen(): void {
    if (this.#state !== 'open') throw new UndropError('STORE_CLOSED', 'the store is not open');
  }

  /** One after the other, as one connection does; the acknowledgement of one may overtake nothing. */
  #enqueue<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push(() => {
        let settle: () => void;
        try {
          const result = work();
          settle = () => resolve(result);
        } catch (error) {
          settle = () => reject(error);
        }
        this.#schedule('acknowledge', () => {
          if (this.#state !== 'crashed') settle();
        });
      });
      this.#next();
    });
  }

  #next(): void {
    if (this.#isBusy || this.#queue.length === 0) return;
    this.#isBusy = true;
    this.#schedule('apply', () => {
      this.#isBusy = false;
      if (this.#state === 'crashed') return;
      this.#queue.shift()?.();
      this.#next();
    });
  }

  #commit(operations: readonly StoreOperation[]): void {
    const database = this.database;
    const before = { rows: database.rows, registrations: database.registrations, runs: database.runs };
    database.rows = [...before.rows];
    database.registrations = [...before.registrations];
    database.runs = [...before.runs];
    try {
      const current = database.epochs.get(this.#hostname) ?? 0;
      for (const operation of operations) {
        const epoch = operation.kind === 'save' ? operation.row.epoch : 'epoch' in operation ? operation.epoch : this.#epoch;
        if (epoch < current) throw fenced(`epoch ${epoch} of ${this.#hostname} is over, ${current} has begun`);
      }
      for (const operation of operations) this.#apply(operation);
    } catch (error) {
      Object.assign(database, before);
      throw error;
    }
  }

  #apply(operation: StoreOperation): void {
    const database = this.database;
    switch (operation.kind) {
      case 'save': {
        const index = database.rows.findIndex((row) => row.uuid === operation.row.uuid && row.epoch !== null);
        const present = database.rows[index];
        if (present === undefined) database.rows.push({ ...operation.row });
        else if (present.epoch !== null && present.epoch > operation.row.epoch) {
          throw fenced(`the row ${operation.row.uuid} belongs to a later epoch than ${operation.row.epoch}`);
        } else database.rows[index] = { ...operation.row };
        return;
      }
      case 'delete':
        database.rows = database.rows.filter((row) => row.uuid !== operation.uuid || row.epoch === null || row.epoch > operation.epoch);
        return;
      case 'deleteForeign':
        database.rows = database.rows.filter((row) => row.uuid !== operation.uuid || row.epoch !== null);
        return;
      case 'countAttempt':
        this.#mark(operation.uuid, operation.epoch, (row) => ({ ...row, attempts: (row.attempts ?? 0) + 1 }));
        return;
      case 'quarantine':
        this.#mark(operation.uuid, operation.epoch, (row) => ({ ...row, state: 'quarantine', lastError: operation.reason }));
        return;
      case 'saveRegistration': {
        const { hostname, user, realm, contact } = operation.row;
        this.#deleteRegistration(hostname, user, realm, contact);
        database.registrations.push({ ...operation.row });
        return;
      }
      case 'deleteRegistration':
        this.#deleteRegistration(this.#hostname, operation.user, operation.realm, operation.contact);
        return;
      case 'saveRun': {
        const { hostname, id } = operation.row;
        database.runs = [...database.runs.filter((row) => row.id !== id), { ...operation.row }];
        const kept = new Set(newestFirst(database.runs.filter((row) => row.hostname === hostname)).slice(0, MAXIMUM_RUNS));
        database.runs = database.runs.filter((row) => row.hostname !== hostname || kept.has(row));
        return;
      }
      case 'flush':
        database.rows = database.rows.filter(
          (row) =>
            row.hostname !== operation.hostname ||
            row.runtimeUuid === operation.runtimeUuid ||
            (operation.profileName !== null && row.profileName !== operation.profileName),
        );
        return;
      default:
        unreachable(operation);
    }
  }

  #mark(uuid: string, epoch: number, change: (row: RecoveryRow) => RecoveryRow): void {
    const hasOurs = this.database.rows.some((row) => row.uuid === uuid && row.epoch !== null);
    this.database.rows = this.database.rows.map((row) => {
      if (row.uuid !== uuid) return row;
      const applies = row.epoch === null ? !hasOurs : row.epoch <= epoch;
      return applies ? change(row) : row;
    });
  }

  #deleteRegistration(hostname: string, user: string, realm: string, contact: string): void {
    this.database.registrations = this.database.registrations.filter(
      (row) => row.hostname !== hostname || row.user !== user || row.realm !== realm || row.contact !== contact,
    );
  }
}

function newestFirst(runs: readonly RecoveryRunRow[]): RecoveryRunRow[] {
  return runs
    .map((row, index) => ({ row, index }))
    .sort((left, right) => right.row.startedAt - left.row.startedAt || right.index - left.index)
    .map(({ row }) => row);
}

function fenced(message: string): UndropError {
  return new UndropError('STORE_FENCED', message, { fix: 'nothing: another process owns these calls now' });
}
