// Prints the time to parse one INVITE of a softphone (15 headers, SDP), in microseconds.
import { parseMessage, serializeMessage } from '../src/sip/index.ts';
import { INVITE_TEXT } from '../test/sip/samples.ts';

const bytes = Buffer.from(INVITE_TEXT, 'latin1');
const ROUNDS = 40_000;

function measure(name: string, run: () => unknown): void {
  for (let round = 0; round < ROUNDS / 4; round++) run();
  const start = process.hrtime.bigint();
  for (let round = 0; round < ROUNDS; round++) run();
  const microseconds = Number(process.hrtime.bigint() - start) / 1000 / ROUNDS;
  console.log(`${name}: ${microseconds.toFixed(2)} µs`);
}

const result = parseMessage(bytes);
if (result.kind !== 'message') throw new Error('the sample must parse');
measure('parse INVITE', () => parseMessage(bytes));
measure('serialize INVITE', () => serializeMessage(result.message));
