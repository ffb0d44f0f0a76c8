import { metadataToRecord, recordToMetadata } from '../src/checkpoint/index.ts';
import { freeswitchRows, NOW, rowOf } from '../test/checkpoint/records.ts';

/** Microseconds to write and to read one row, on the seed document's leg (117 variables, two SDPs). */
const ROUNDS = 3_000;
const { seed } = freeswitchRows();
const foreign = metadataToRecord(seed, NOW);
if (foreign.kind !== 'foreign') throw new Error('the seed row is not readable');
const context = { coreUuid: 'core', switchname: 'node1' };
const metadata = recordToMetadata(foreign.record, context);
const row = rowOf(metadata, foreign.record.uuid, {}, 1);

function measure(name: string, work: () => unknown): void {
  for (let round = 0; round < 1_000; round += 1) work();
  const start = process.hrtime.bigint();
  for (let round = 0; round < ROUNDS; round += 1) work();
  const microseconds = Number(process.hrtime.bigint() - start) / 1_000 / ROUNDS;
  process.stdout.write(`${name}: ${microseconds.toFixed(1)} µs\n`);
}

process.stdout.write(`row: ${metadata.length} characters\n`);
measure('write', () => recordToMetadata(foreign.record, context));
measure('read ours', () => metadataToRecord(row, NOW));
measure('read FreeSWITCH’s', () => metadataToRecord(seed, NOW));
