import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCdr } from '../../src/checkpoint/cdr-document.ts';
import { jsonToXml } from '../../src/checkpoint/encoding.ts';
import { metadataToRecord, recordToMetadata } from '../../src/checkpoint/index.ts';
import type { LegRecord } from '../../src/checkpoint/record.ts';
import { freeswitchRows, NOW, rowOf, sampleRecord } from './records.ts';

const context = { coreUuid: 'core', switchname: 'node1' };
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(']]>', '</undrop></cdr>', '<undrop version="1">', '&amp;', '%41', '\u0000\ud800\ufffe\r\n'),
);
const read = (record: LegRecord, metadata: string): ReturnType<typeof metadataToRecord> =>
  metadataToRecord(rowOf(metadata, record.uuid, {}, 3), NOW);

const records = fc
  .record({
    name: anyText,
    data: anyText,
    value: anyText,
    sdp: anyText,
    request: anyText,
    display: anyText,
    index: fc.nat(3),
    phase: fc.constantFrom('setup', 'early', 'answered', 'ended'),
  })
  .map((parts): LegRecord => {
    const base = sampleRecord();
    return sampleRecord({
      phase: parts.phase as LegRecord['phase'],
      channelName: parts.display,
      caller: { ...base.caller, callerIdName: parts.display, destinationNumber: parts.data },
      variables: { ...base.variables, [`x_${parts.name}`]: parts.value, plain: parts.value },
      media: base.media === null ? null : { ...base.media, localSdp: parts.sdp, remoteSdp: parts.sdp },
      serverTransactions: base.serverTransactions.map((transaction) => ({ ...transaction, request: parts.request })),
      execution: {
        extensionName: parts.name,
        extensionNumber: parts.data,
        applications: [{ application: parts.name, data: parts.data }],
        index: parts.index,
        running: true,
        startedAt: 0,
        deadline: 0,
      },
    });
  });

test('a row of ours is read back exactly as it was written, and is XML, whatever its texts hold', () => {
  fc.assert(
    fc.property(records, (record) => {
      const metadata = recordToMetadata(record, context);
      const result = read(record, metadata);
      assert(result.kind === 'ours', JSON.stringify(result).slice(0, 300));
      // Lone surrogates come back as JSON escapes: nothing is lost.
      assert.deepEqual(result.record, record);
      const document = parseCdr(metadata);
      assert.equal(document.name, 'cdr');
      assert.deepEqual(
        document.children.map((element) => element.name),
        ['channel_data', 'call-stats', 'variables', 'app_log', 'callflow', 'undrop'],
      );
    }),
    { numRuns: 300 },
  );
});

test('without <undrop> a row of ours says the same dialog, media and bridge to a reader of FreeSWITCH’s format', () => {
  for (const direction of ['inbound', 'outbound'] as const) {
    const record = sampleRecord({ direction });
    const metadata = recordToMetadata(record, context).replace(/<undrop .*<\/undrop>/s, '');
    const result = metadataToRecord(rowOf(metadata, record.uuid), NOW);
    assert(result.kind === 'foreign', JSON.stringify(result).slice(0, 300));
    const { localCSeq: _ours, remoteCSeq: _theirs, ...dialog } = record.dialog ?? assert.fail();
    const { localCSeq: _read, remoteCSeq, ...readDialog } = result.record.dialog ?? assert.fail();
    assert.deepEqual(readDialog, dialog);
    assert.equal(remoteCSeq, direction === 'inbound' ? 3 : null);
    assert.deepEqual(result.record.media, record.media);
    assert.deepEqual(result.record.execution?.applications, record.execution?.applications);
    assert.equal(result.record.execution?.index, 1);
    assert.equal(result.record.partner, record.partner);
    assert.deepEqual(result.record.caller, record.caller);
    assert.deepEqual(result.record.times, record.times);
    assert.equal(result.record.variables['greeting'], record.variables['greeting']);
    assert.equal(result.record.variables['DP_MATCH'], record.variables['DP_MATCH']);
  }
});

test('variables are encoded as FreeSWITCH encodes them', () => {
  const seed = freeswitchRows().seed;
  const result = metadataToRecord(seed, NOW);
  assert(result.kind === 'foreign');
  const metadata = recordToMetadata(result.record, context);
  const lines = new Set(metadata.split('\n'));
  const variables = seed.metadata
    .slice(seed.metadata.indexOf('<variables>\n') + 12, seed.metadata.indexOf('</variables>'))
    .trimEnd()
    .split('\n');
  assert(variables.length > 100);
  for (const line of variables) assert(lines.has(line), line);
});

test('a row that is cut off anywhere is unreadable or foreign, and never throws', () => {
  const record = sampleRecord();
  const metadata = recordToMetadata(record, context);
  for (let length = 0; length < metadata.length - 1; length += 37) {
    assert.equal(read(record, metadata.slice(0, length)).kind, 'unreadable', `cut at ${length}`);
  }
});

test('garbage is unreadable, with a reason, and never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.string().map((text) => `<cdr><variables>${text}</variables></cdr>`),
      ),
      fc.constantFrom(null, 1),
      (metadata, epoch) => {
        const result = metadataToRecord(rowOf(metadata, 'a', {}, epoch), NOW);
        assert(result.kind === 'unreadable' && result.reason !== '');
      },
    ),
    { numRuns: 300 },
  );
  const bombs = [
    `${'<a>'.repeat(100_000)}`,
    `<cdr>${'<a/>'.repeat(100_000)}</cdr>`,
    '<!DOCTYPE cdr [<!ENTITY a "b">]><cdr>&a;</cdr>',
    'x'.repeat(3_000_000),
  ];
  for (const metadata of bombs) assert.equal(metadataToRecord(rowOf(metadata, 'a'), NOW).kind, 'unreadable');
});

test('a damaged byte in a FreeSWITCH row gives a row or a reason, never an exception', () => {
  const { echo } = freeswitchRows();
  fc.assert(
    fc.property(fc.nat(echo.metadata.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, text) => {
      metadataToRecord({ ...echo, metadata: echo.metadata.slice(0, at) + text + echo.metadata.slice(at + 1) }, NOW);
    }),
    { numRuns: 150 },
  );
});

const impossible: readonly (readonly [field: string, value: unknown])[] = [
  ['phase', 'flying'],
  ['dialog.localCSeq', 2 ** 31],
  ['dialog.peerAddress.port', 70_000],
  ['media.endpoint', []],
  ['media.endpoint.mode.kind', 'constructor'],
  ['times.created', -1],
  ['acknowledged', undefined],
  ['variables.greeting', 1],
  ['serverTransactions[0].responseStatus', '200'],
  ['version', 2],
];
for (const [field, value] of impossible) {
  test(`a row of ours with an impossible ${field} is unreadable and names the field`, () => {
    const record = sampleRecord();
    const changed: unknown = JSON.parse(JSON.stringify(record));
    const steps = field.split(/[.[\]]+/).filter((step) => step !== '');
    const last = steps.pop() ?? '';
    const holder = steps.reduce((target, step) => Reflect.get(target as object, step), changed);
    assert(Reflect.has(holder as object, last));
    Reflect.set(holder as object, last, value);
    const metadata = `<cdr><undrop version="1">${jsonToXml(JSON.stringify(changed))}</undrop></cdr>`;
    const result = read(record, metadata);
    assert(result.kind === 'unreadable' && result.reason.includes(`${field}:`), JSON.stringify(result).slice(0, 300));
  });
}

test('an unknown version is unreadable, and so is a row under another uuid', () => {
  const record = sampleRecord();
  const metadata = recordToMetadata(record, context);
  const later = read(record, metadata.replace('<undrop version="1">', '<undrop version="9">'));
  assert(later.kind === 'unreadable' && later.reason.includes('version 9'));
  assert.equal(metadataToRecord(rowOf(metadata, 'other', {}, 3), NOW).kind, 'unreadable');
});

test('fields of a later minor version do not make a row unreadable', () => {
  const record = { ...sampleRecord(), later: true } as LegRecord;
  assert.equal(read(record, recordToMetadata(record, context)).kind, 'ours');
});
