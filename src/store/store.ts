/** A row of FreeSWITCH's table `recovery`, with our columns (all null in FreeSWITCH's own rows). Opaque here. */
export interface RecoveryRow {
  readonly runtimeUuid: string;
  readonly technology: string;
  readonly profileName: string;
  /** Switchname of the owner. */
  readonly hostname: string;
  readonly uuid: string;
  /** CDR XML with `<undrop>`. */
  readonly metadata: string;
  /** null: written by FreeSWITCH. */
  readonly epoch: number | null;
  /** Phase of the leg, or `quarantine`. */
  readonly state: string | null;
  readonly attempts: number | null;
  readonly lastError: string | null;
  /** Wall microseconds. */
  readonly updatedAt: number | null;
}

/** A registered contact. */
export interface RegistrationRow {
  readonly user: string;
  readonly realm: string;
  readonly callId: string;
  readonly profileName: string;
  /** Contact URI, without brackets. */
  readonly contact: string;
  readonly expiresAt: number;
  readonly networkIp: string;
  readonly networkPort: number;
  readonly cseq: number;
  readonly userAgent: string;
  readonly hostname: string;
}

/** One recovery run and its calls, kept for `recovery list` and `recovery show`. `report` is JSON. */
export interface RecoveryRunRow {
  readonly id: string;
  readonly hostname: string;
  readonly startedAt: number;
  readonly trigger: string;
  readonly report: string;
}

export type StoreOperation =
  /** Inserts or replaces our row of this uuid (never one with a null epoch), guarded by the epoch. */
  | { readonly kind: 'save'; readonly row: RecoveryRow & { readonly epoch: number } }
  /** Deletes our row: the leg has ended and its CDR is written. */
  | { readonly kind: 'delete'; readonly uuid: string; readonly epoch: number }
  /** Deletes FreeSWITCH's rows (null epoch) of this uuid, after we took the call over. */
  | { readonly kind: 'deleteForeign'; readonly uuid: string }
  | { readonly kind: 'countAttempt'; readonly uuid: string; readonly epoch: number }
  | { readonly kind: 'quarantine'; readonly uuid: string; readonly reason: string; readonly epoch: number }
  | { readonly kind: 'saveRegistration'; readonly row: RegistrationRow }
  | { readonly kind: 'deleteRegistration'; readonly user: string; readonly realm: string; readonly contact: string }
  | { readonly kind: 'saveRun'; readonly row: RecoveryRunRow }
  /** `sofia recover flush`: all rows of this switchname [and profile] that belong to no running leg of `runtimeUuid`. */
  | { readonly kind: 'flush'; readonly hostname: string; readonly runtimeUuid: string; readonly profileName: string | null };

/** Rows are opaque; one implementation a database, one test suite over all of them. */
export interface Store {
  /**
   * Opens, migrates, takes the next epoch of this switchname. Throws `UndropError` on a newer database.
   * `notices`: what a person should know, e.g. that a damaged file was set aside and how many rows were saved from it.
   */
  open(hostname: string): Promise<{ readonly epoch: number; readonly notices?: readonly string[] }>;
  /** All operations in one durable transaction, in order. Rejects if any failed; then none was done. */
  commit(operations: readonly StoreOperation[]): Promise<void>;
  /** Every row of this switchname, our own and FreeSWITCH's. */
  loadRecovery(hostname: string): Promise<readonly RecoveryRow[]>;
  loadRegistrations(hostname: string): Promise<readonly RegistrationRow[]>;
  /** Newest first. */
  loadRuns(hostname: string, limit: number): Promise<readonly RecoveryRunRow[]>;
  close(): Promise<void>;
}

/** Recovery runs kept for each switchname; older ones go with the next `saveRun`. */
export const MAXIMUM_RUNS = 200;
