export { TransactionLayer } from './layer.ts';
export { RepeatUntilAcknowledged } from './repeat-until-acknowledged.ts';
export type { ServerTransaction } from './transaction.ts';
