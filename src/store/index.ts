export { type DurableFiles, nodeFiles } from './files.ts';
export { MemoryDatabase, MemoryStore, type MemoryStoreHooks } from './memory.ts';
export { SqliteStore } from './sqlite.ts';
export { MAXIMUM_RUNS, type RecoveryRow, type RecoveryRunRow, type RegistrationRow, type Store, type StoreOperation } from './store.ts';
