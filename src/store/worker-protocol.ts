import type { StoreOperation } from './store.ts';

/** Main thread → worker. Handled strictly in order; each is answered once, by its `id`. */
export type WorkerRequest = { readonly id: number } & (
  | { readonly kind: 'open'; readonly hostname: string; readonly now: number }
  | { readonly kind: 'reopen'; readonly hostname: string; readonly epoch: number }
  | { readonly kind: 'commit'; readonly operations: readonly StoreOperation[] }
  | { readonly kind: 'loadRecovery'; readonly hostname: string }
  | { readonly kind: 'loadRegistrations'; readonly hostname: string }
  | { readonly kind: 'loadRuns'; readonly hostname: string; readonly limit: number }
  | { readonly kind: 'close' }
);

/** An `UndropError` in plain data: classes do not cross threads. */
export interface WorkerError {
  readonly code: string;
  readonly message: string;
  readonly where: string | undefined;
  readonly fix: string | undefined;
}

export type WorkerReply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: WorkerError });
