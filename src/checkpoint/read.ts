import type { RecoveryRow } from '../store/index.ts';
import { xmlToJson } from './encoding.ts';
import { readForeignRow } from './foreign.ts';
import { type LegRecord, RECORD_VERSION } from './record.ts';
import { whatIsWrong } from './validate.ts';

export type ReadRow =
  | { readonly kind: 'ours'; readonly record: LegRecord }
  /** FreeSWITCH's; `notes` say what was guessed or mended. */
  | { readonly kind: 'foreign'; readonly record: LegRecord; readonly notes: readonly string[] }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Characters of `metadata`; the largest real ones are below 64 Ki. */
const MAXIMUM_METADATA = 2 * 1024 * 1024;

const OPENING = '<undrop';

/**
 * Reads a row; never throws. `nowMicroseconds` is the wall clock: FreeSWITCH's CSeq follows from it.
 * Our own row is cut out without parsing the XML around it: nothing before it can hold a literal `<undrop`, because
 * all text there is escaped.
 */
export function metadataToRecord(row: RecoveryRow, nowMicroseconds: number): ReadRow {
  if (row.metadata === '') return unreadable('metadata: empty');
  if (row.metadata.length > MAXIMUM_METADATA) return unreadable(`metadata: longer than ${MAXIMUM_METADATA} characters`);
  const start = row.metadata.indexOf(OPENING);
  if (start !== -1) return readOurs(row, start);
  if (row.epoch !== null) return unreadable('metadata: the element <undrop> is missing from a row of ours');
  try {
    const { record, notes } = readForeignRow(row, nowMicroseconds);
    const wrong = whatIsWrong(record);
    return wrong === null ? { kind: 'foreign', record, notes } : unreadable(`metadata: ${wrong}`);
  } catch (error) {
    return unreadable(`metadata: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readOurs(row: RecoveryRow, start: number): ReadRow {
  const openEnd = row.metadata.indexOf('>', start);
  const close = row.metadata.indexOf('</undrop>', openEnd);
  if (openEnd === -1 || close === -1 || !row.metadata.trimEnd().endsWith('</cdr>')) return unreadable('metadata: <undrop> is cut off');
  const version = Number(/ version="(\d{1,9})"/.exec(row.metadata.slice(start, openEnd))?.[1] ?? Number.NaN);
  if (!(version >= 1 && version <= RECORD_VERSION)) {
    return unreadable(`metadata: <undrop> has version ${version}, this undrop reads 1 to ${RECORD_VERSION}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(xmlToJson(row.metadata.slice(openEnd + 1, close)));
  } catch (error) {
    return unreadable(`metadata: <undrop> is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const wrong = whatIsWrong(value);
  if (wrong !== null) return unreadable(`metadata: <undrop>: ${wrong}`);
  const record = value as LegRecord;
  if (record.uuid !== row.uuid) return unreadable(`metadata: <undrop>: uuid: ${record.uuid} is not the row's, ${row.uuid}`);
  return { kind: 'ours', record };
}

function unreadable(reason: string): ReadRow {
  return { kind: 'unreadable', reason };
}
