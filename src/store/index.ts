export { type DurableFiles, nodeFiles } from './files.ts';
export { MemoryDatabase, MemoryStore } from './memory.ts';
export { SqliteStore } from './sqlite.ts';
export type { RecoveryRow, RecoveryRunRow, RegistrationRow, Store, StoreOperation } from './store.ts';
