export { CdrWriter, cdrFileName, recordToCdr } from './cdr.ts';
export { freeswitchCSeq } from './freeswitch-cseq.ts';
export { metadataToRecord, type ReadRow } from './read.ts';
export { attemptBatchSize, DECISION_TABLE, type Decision, decide, type RowFacts } from './recovery.ts';
export { recordToMetadata } from './row.ts';
export type { RowContext } from './variables.ts';
export { CheckpointWriter, type SaveOutcome, type WriterFigures, type WriterOptions } from './writer.ts';
