export { CdrWriter, recordToCdr } from './cdr.ts';
export { freeswitchCSeq } from './freeswitch-cseq.ts';
export { metadataToRecord, type ReadRow } from './read.ts';
export { attemptBatchSize, DECISION_TABLE, type Decision, decide } from './recovery.ts';
export { recordToMetadata } from './row.ts';
export { CheckpointWriter, type SaveOutcome, type WriterOptions } from './writer.ts';
