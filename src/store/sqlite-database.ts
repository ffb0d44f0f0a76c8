import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { UndropError, unreachable } from '../base/index.ts';
import { migrate } from './migrations.ts';
import { finishSalvage, salvage } from './salvage.ts';
import { isDamage, toStoreError } from './sqlite-errors.ts';
import { MAXIMUM_RUNS, type RecoveryRow, type RecoveryRunRow, type RegistrationRow, type StoreOperation } from './store.ts';

export interface SqliteOptions {
  readonly path: string;
  /** NORMAL: a power cut may lose the last commits, a crash of ours never does. FULL: neither. */
  readonly synchronous: 'NORMAL' | 'FULL';
  /** How long a statement waits for another program's lock. */
  readonly busyTimeoutMilliseconds: number;
  /** Upper bound of the file in pages of 4 KiB; 0 = the disk. */
  readonly maximumPages: number;
}

const UPSERT = `
INSERT INTO recovery (runtime_uuid, technology, profile_name, hostname, uuid, metadata, epoch, state, attempts, last_error, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (uuid) WHERE epoch IS NOT NULL DO UPDATE SET
  runtime_uuid = excluded.runtime_uuid, technology = excluded.technology, profile_name = excluded.profile_name, hostname = excluded.hostname,
  metadata = excluded.metadata, epoch = excluded.epoch, state = excluded.state, attempts = excluded.attempts,
  last_error = excluded.last_error, updated_at = excluded.updated_at
WHERE recovery.epoch <= excluded.epoch`;

/** Our row of the uuid; FreeSWITCH's rows only when there is none of ours (its own six columns stay as they are). */
const ROW_TO_MARK = `uuid = ?1 AND (epoch <= ?2 OR (epoch IS NULL AND NOT EXISTS (SELECT 1 FROM recovery WHERE uuid = ?1 AND epoch IS NOT NULL)))`;

/** The database, synchronous: lives in the worker thread. */
export class SqliteDatabase {
  readonly #options: SqliteOptions;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync | null = null;
  #hostname = '';
  #epoch = 0;

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  /** Opens, salvages if damaged, migrates, takes the next epoch. `now`: wall microseconds. */
  open(hostname: string, now: number): { epoch: number; notices: string[] } {
    const notices: string[] = [];
    try {
      mkdirSync(dirname(this.#options.path), { recursive: true });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new UndropError('STORE_UNAVAILABLE', `the folder of the database cannot be made: ${message}`, {
        where: this.#options.path,
        fix: 'create it, writable for this user',
        cause: error,
      });
    }
    finishSalvage(this.#options.path, now, notices);
    const isOld = existsSync(this.#options.path);
    try {
      this.#connect(isOld);
    } catch (error) {
      this.close();
      if (!isDamage(error)) throw toStoreError(error, this.#options.path);
      try {
        salvage(this.#options.path, now, error instanceof Error ? error.message : String(error), notices);
        this.#connect(false);
      } catch (second) {
        this.close();
        throw toStoreError(second, this.#options.path);
      }
    }
    this.#hostname = hostname;
    this.#epoch = this.#guard(() =>
      this.#transaction(() => {
        // Rows may know a later epoch than the node's entry, when that was lost.
        const row = this.#statement(
          `SELECT max(coalesce((SELECT epoch FROM undrop_nodes WHERE switchname = ?1), 0),
                      coalesce((SELECT max(epoch) FROM recovery WHERE hostname = ?1), 0)) AS epoch`,
        ).get(hostname);
        const epoch = Number(row?.['epoch'] ?? 0) + 1;
        this.#run('INSERT OR REPLACE INTO undrop_nodes (switchname, epoch, opened_at) VALUES (?, ?, ?)', hostname, epoch, now);
        return epoch;
      }),
    );
    return { epoch: this.#epoch, notices };
  }

  /** Opens again under an epoch already taken, after the worker thread died. */
  reopen(hostname: string, epoch: number): void {
    this.#guard(() => this.#connect(true));
    this.#hostname = hostname;
    this.#epoch = epoch;
  }

  commit(operations: readonly StoreOperation[]): void {
    this.#guard(() =>
      this.#transaction(() => {
        this.#refuseIfFenced(operations);
        for (const operation of operations) this.#apply(operation);
      }),
    );
  }

  loadRecovery(hostname: string): RecoveryRow[] {
    return this.#guard(() => {
      const statement = this.#statement('SELECT * FROM recovery WHERE hostname = ? ORDER BY rowid');
      statement.setReadBigInts(true);
      return statement.all(hostname).map((row) => ({
        runtimeUuid: text(row['runtime_uuid']),
        technology: text(row['technology']),
        profileName: text(row['profile_name']),
        hostname: text(row['hostname']),
        uuid: text(row['uuid']),
        metadata: text(row['metadata']),
        epoch: integerOrNull(row['epoch']),
        state: textOrNull(row['state']),
        attempts: integerOrNull(row['attempts']),
        lastError: textOrNull(row['last_error']),
        updatedAt: integerOrNull(row['updated_at']),
      }));
    });
  }

  loadRegistrations(hostname: string): RegistrationRow[] {
    return this.#guard(() => {
      const statement = this.#statement('SELECT * FROM undrop_registrations WHERE hostname = ? ORDER BY rowid');
      statement.setReadBigInts(true);
      return statement.all(hostname).map((row) => ({
        user: text(row['user']),
        realm: text(row['realm']),
        callId: text(row['call_id']),
        profileName: text(row['profile_name']),
        contact: text(row['contact']),
        expiresAt: integerOrNull(row['expires_at']) ?? 0,
        networkIp: text(row['network_ip']),
        networkPort: integerOrNull(row['network_port']) ?? 0,
        cseq: integerOrNull(row['cseq']) ?? 0,
        userAgent: text(row['user_agent']),
        hostname: text(row['hostname']),
      }));
    });
  }

  loadRuns(hostname: string, limit: number): RecoveryRunRow[] {
    return this.#guard(() => {
      const statement = this.#statement(
        'SELECT * FROM undrop_recovery_runs WHERE hostname = ? ORDER BY started_at DESC, rowid DESC LIMIT ?',
      );
      statement.setReadBigInts(true);
      return statement.all(hostname, limit).map((row) => ({
        id: text(row['id']),
        hostname: text(row['hostname']),
        startedAt: integerOrNull(row['started_at']) ?? 0,
        trigger: text(row['trigger']),
        report: text(row['report']),
      }));
    });
  }

  close(): void {
    this.#statements.clear();
    const database = this.#database;
    this.#database = null;
    if (database?.isOpen === true) database.close();
  }

  #connect(check: boolean): void {
    const database = new DatabaseSync(this.#options.path, { timeout: this.#options.busyTimeoutMilliseconds });
    this.#database = database;
    if (check) {
      const row = database.prepare('PRAGMA quick_check(1)').get();
      const verdict = String(row?.['quick_check'] ?? 'no answer');
      if (verdict !== 'ok') throw Object.assign(new Error(verdict.replaceAll('\n', ' ')), { errcode: 11 });
    }
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = ${this.#options.synchronous}`);
    if (this.#options.maximumPages > 0) database.exec(`PRAGMA max_page_count = ${Math.trunc(this.#options.maximumPages)}`);
    migrate(database, this.#options.path);
  }

  #refuseIfFenced(operations: readonly StoreOperation[]): void {
    const current = Number(this.#statement('SELECT epoch FROM undrop_nodes WHERE switchname = ?').get(this.#hostname)?.['epoch'] ?? 0);
    for (const operation of operations) {
      const epoch = operation.kind === 'save' ? operation.row.epoch : 'epoch' in operation ? operation.epoch : this.#epoch;
      if (epoch < current) throw this.#fenced(`epoch ${epoch} of ${this.#hostname} is over, ${current} has begun`);
    }
  }

  #fenced(message: string): UndropError {
    return new UndropError('STORE_FENCED', message, { where: this.#options.path, fix: 'nothing: another process owns these calls now' });
  }

  #apply(operation: StoreOperation): void {
    switch (operation.kind) {
      case 'save': {
        const row = operation.row;
        const changes = this.#run(
          UPSERT,
          row.runtimeUuid,
          row.technology,
          row.profileName,
          row.hostname,
          row.uuid,
          row.metadata,
          row.epoch,
          row.state,
          row.attempts,
          row.lastError,
          row.updatedAt,
        );
        if (changes === 0) throw this.#fenced(`the row ${row.uuid} belongs to a later epoch than ${row.epoch}`);
        return;
      }
      case 'delete':
        this.#run('DELETE FROM recovery WHERE uuid = ? AND epoch <= ?', operation.uuid, operation.epoch);
        return;
      case 'deleteForeign':
        this.#run('DELETE FROM recovery WHERE uuid = ? AND epoch IS NULL', operation.uuid);
        return;
      case 'countAttempt':
        this.#run(`UPDATE recovery SET attempts = coalesce(attempts, 0) + 1 WHERE ${ROW_TO_MARK}`, operation.uuid, operation.epoch);
        return;
      case 'quarantine':
        this.#run(
          `UPDATE recovery SET state = 'quarantine', last_error = ?3 WHERE ${ROW_TO_MARK}`,
          operation.uuid,
          operation.epoch,
          operation.reason,
        );
        return;
      case 'saveRegistration': {
        const row = operation.row;
        this.#run(
          `INSERT OR REPLACE INTO undrop_registrations
             (hostname, user, realm, contact, call_id, profile_name, expires_at, network_ip, network_port, cseq, user_agent)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          row.hostname,
          row.user,
          row.realm,
          row.contact,
          row.callId,
          row.profileName,
          row.expiresAt,
          row.networkIp,
          row.networkPort,
          row.cseq,
          row.userAgent,
        );
        return;
      }
      case 'deleteRegistration':
        this.#run(
          'DELETE FROM undrop_registrations WHERE hostname = ? AND user = ? AND realm = ? AND contact = ?',
          this.#hostname,
          operation.user,
          operation.realm,
          operation.contact,
        );
        return;
      case 'saveRun': {
        const row = operation.row;
        this.#run(
          'INSERT OR REPLACE INTO undrop_recovery_runs (id, hostname, started_at, "trigger", report) VALUES (?, ?, ?, ?, ?)',
          row.id,
          row.hostname,
          row.startedAt,
          row.trigger,
          row.report,
        );
        this.#run(
          `DELETE FROM undrop_recovery_runs WHERE hostname = ?1 AND id NOT IN
             (SELECT id FROM undrop_recovery_runs WHERE hostname = ?1 ORDER BY started_at DESC, rowid DESC LIMIT ?2)`,
          row.hostname,
          MAXIMUM_RUNS,
        );
        return;
      }
      case 'flush':
        this.#run(
          'DELETE FROM recovery WHERE hostname = ?1 AND runtime_uuid IS NOT ?2 AND (?3 IS NULL OR profile_name = ?3)',
          operation.hostname,
          operation.runtimeUuid,
          operation.profileName,
        );
        return;
      default:
        unreachable(operation);
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      if (this.#database === null) throw new UndropError('STORE_CLOSED', 'the store is not open', { where: this.#options.path });
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  #transaction<T>(work: () => T): T {
    const database = this.#database;
    if (database === null) throw new UndropError('STORE_CLOSED', 'the store is not open', { where: this.#options.path });
    this.#statement('BEGIN IMMEDIATE').run();
    try {
      const result = work();
      this.#statement('COMMIT').run();
      return result;
    } catch (error) {
      // SQLite rolls back by itself when the disk is full.
      if (database.isTransaction) this.#statement('ROLLBACK').run();
      throw error;
    }
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw toStoreError(error, this.#options.path);
    }
  }
}

/** Any column may hold anything: SQLite does not hold a writer to the declared type. */
function text(value: SQLOutputValue | undefined): string {
  return textOrNull(value) ?? '';
}

function textOrNull(value: SQLOutputValue | undefined): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  return String(value);
}

function integerOrNull(value: SQLOutputValue | undefined): number | null {
  if (typeof value !== 'bigint' && typeof value !== 'number') return null;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : null;
}
