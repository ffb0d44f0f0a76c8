import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { child, childText, parseCdr } from '../../src/checkpoint/cdr-document.ts';
import { CdrWriter, recordToCdr } from '../../src/checkpoint/index.ts';
import { type DurableFiles, nodeFiles } from '../../src/store/index.ts';
import { NOW, sampleRecord } from './records.ts';
import { SimulatedClock } from './simulated-clock.ts';

const context = { coreUuid: 'core', switchname: 'node1' };
const ended = (): ReturnType<typeof sampleRecord> => {
  const record = sampleRecord({ phase: 'ended', hangupCause: 'NORMAL_CLEARING', hangupCode: 16, hangupDisposition: 'recv_bye' });
  return { ...record, times: { ...record.times, hangup: NOW + 12_345_678 } };
};

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'undrop-cdr-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('a CDR holds FreeSWITCH’s final variables and nothing of ours', () => {
  const document = parseCdr(recordToCdr(ended(), context));
  const variables = child(document, 'variables');
  const expected: Record<string, string> = {
    hangup_cause: 'NORMAL_CLEARING',
    hangup_cause_q850: '16',
    sip_hangup_disposition: 'recv_bye',
    duration: '12',
    billsec: '10',
    mduration: '12345',
    billmsec: '10345',
    uduration: '12345678',
    billusec: '10345678',
    answersec: '2',
    start_epoch: '1795536200',
    end_uepoch: String(NOW + 12_345_678),
    last_app: 'bridge',
    uuid: 'b0b7b2a4-0000-4000-8000-000000000001',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(childText(variables, name), value, name);
  assert.match(childText(variables, 'answer_stamp'), /^\d{4}-\d\d-\d\d%20\d\d%3A\d\d%3A\d\d$/);
  assert.equal(child(document, 'undrop'), undefined);
});

test('an unanswered call has no billed second and no answer stamp', () => {
  const record = ended();
  const variables = child(parseCdr(recordToCdr({ ...record, times: { ...record.times, answered: 0, bridged: 0 } }, context)), 'variables');
  assert.equal(childText(variables, 'billsec'), '0');
  assert.equal(child(variables, 'answer_stamp'), undefined);
  assert.equal(childText(variables, 'duration'), '12');
});

test('the file is there when write has resolved, one a leg however often it is written', () =>
  inFolder(async (folder) => {
    const writer = new CdrWriter({ directory: join(folder, 'cdr'), files: nodeFiles, clock: new SimulatedClock() });
    const record = ended();
    const xml = recordToCdr(record, context);
    await writer.write(record, xml);
    assert.equal(readFileSync(join(folder, 'cdr', `${record.uuid}.cdr.xml`), 'utf8'), xml);
    await Promise.all([writer.write(record, xml), writer.write(record, xml)]);
    const next = new CdrWriter({ directory: join(folder, 'cdr'), files: nodeFiles, clock: new SimulatedClock() });
    writeFileSync(join(folder, 'cdr', `${record.uuid}.cdr.xml.new`), 'left by a crash');
    await next.write(record, xml);
    assert.deepEqual(readdirSync(join(folder, 'cdr')), [`${record.uuid}.cdr.xml`]);
  }));

test('a uuid that is a path stays a name in the folder', () =>
  inFolder(async (folder) => {
    const writer = new CdrWriter({ directory: join(folder, 'cdr'), files: nodeFiles, clock: new SimulatedClock() });
    await writer.write({ uuid: '../../etc/passwd\u0000' }, '<cdr/>');
    assert.deepEqual(readdirSync(join(folder, 'cdr')), ['%2e%2e%2f%2e%2e%2fetc%2fpasswd%00.cdr.xml']);
  }));

test('a full disk is reported and tried again; write resolves only when the file is there', async () => {
  const clock = new SimulatedClock();
  const done: string[] = [];
  const errors: string[] = [];
  let isFull = true;
  const files: DurableFiles = {
    makeFolder: async () => undefined,
    write: async (path) => {
      if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      done.push(`write ${path}`);
    },
    rename: async (_from, to) => void done.push(`rename ${to}`),
  };
  const writer = new CdrWriter({ directory: '/cdr', files, clock, onError: (error) => errors.push(error.code) });
  let resolved = 0;
  for (const uuid of ['a', 'b']) void writer.write({ uuid }, '<cdr/>').then(() => (resolved += 1));
  await clock.advance(5_000);
  assert.equal(resolved, 0);
  assert.equal(writer.pending, 2);
  assert(errors.length >= 2 && errors.every((code) => code === 'CDR_FULL'), errors.join());
  isFull = false;
  await clock.advance(60_000);
  assert.equal(resolved, 2);
  assert.deepEqual(done.sort(), ['rename /cdr/a.cdr.xml', 'rename /cdr/b.cdr.xml', 'write /cdr/a.cdr.xml.new', 'write /cdr/b.cdr.xml.new']);
});
