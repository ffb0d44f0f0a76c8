export { TransactionLayer } from './layer.ts';
export { RepeatUntilAcknowledged } from './repeat-until-acknowledged.ts';
export type { ClientTransactionUser, ServerTransaction } from './transaction.ts';
