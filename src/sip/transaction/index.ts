export { type LayerCounters, type LayerFactory, type LayerOptions, TransactionLayer, type TransactionLayerContract } from './layer.ts';
export { type RepeatOptions, RepeatUntilAcknowledged } from './repeat-until-acknowledged.ts';
export type {
  ClientTransaction,
  ClientTransactionUser,
  DatagramSender,
  ServerTransaction,
  TimerValues,
  TransactionUser,
} from './transaction.ts';
