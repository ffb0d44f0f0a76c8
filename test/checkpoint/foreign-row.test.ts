import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeswitchCSeq, metadataToRecord } from '../../src/checkpoint/index.ts';
import type { LegRecord } from '../../src/checkpoint/record.ts';
import type { RecoveryRow } from '../../src/store/index.ts';
import { freeswitchRows, NOW } from './records.ts';

const rows = freeswitchRows();

function read(row: RecoveryRow): { record: LegRecord; notes: readonly string[] } {
  const result = metadataToRecord(row, NOW);
  assert(result.kind === 'foreign', JSON.stringify(result));
  return result;
}

test('an inbound echo leg: we are To, the peer is From, and echo is the application that runs', () => {
  const { record } = read(rows.echo);
  assert.deepEqual(record.dialog, {
    callId: '7ef9dd536df3@gap',
    localTag: '7m8Q640F54v7B',
    remoteTag: 'fbab9e6c0f87',
    localIdentity: '<sip:9196@127.0.0.1>',
    remoteIdentity: '<sip:gap@127.0.0.1>',
    localContact: 'sip:mod_sofia@127.0.0.1:5060',
    remoteTarget: 'sip:gap@127.0.0.1:5081',
    routeSet: [],
    localCSeq: freeswitchCSeq(NOW, null),
    remoteCSeq: 1,
    peerAddress: { ip: '127.0.0.1', port: 5081 },
    natAddress: null,
    remoteAllow: ['INVITE', 'ACK', 'CANCEL', 'OPTIONS', 'BYE', 'UPDATE'],
  });
  assert.deepEqual(record.media?.endpoint, {
    id: 'c114625d-a128-491a-b1c7-64430bccb938',
    localIp: '127.0.0.1',
    localPort: 25_404,
    remote: { ip: '127.0.0.1', port: 42_000 },
    remoteRtcp: null,
    learned: null,
    format: { payloadType: 0, name: 'PCMU', clockRate: 8_000, packetTime: 20, telephoneEvent: 101 },
    ssrc: 2_668_617_911,
    send: true,
    receive: true,
    rtpTimeout: 0,
    mode: { kind: 'echo' },
  });
  assert.deepEqual(
    [record.media?.sessionId, record.media?.sessionVersion, record.media?.offer, record.media?.held],
    ['1795510707', 1795510708, 'none', 'none'],
  );
  assert.match(record.media?.remoteSdp ?? '', /^v=0\r\no=gap 1 1 IN IP4 127\.0\.0\.1\r\n/);
  assert.equal(record.partner, null);
  assert.equal(record.conference, null);
  assert.deepEqual(record.execution, {
    extensionName: 'echo',
    extensionNumber: '9196',
    applications: [
      { application: 'answer', data: '' },
      { application: 'echo', data: '' },
    ],
    index: 1,
    running: true,
    startedAt: 0,
    deadline: 0,
  });
  assert.deepEqual([record.phase, record.direction, record.profileName, record.sessionId], ['answered', 'inbound', 'internal', 1]);
  assert.equal(record.channelName, 'sofia/internal/gap@127.0.0.1');
  assert.equal(record.times.answered, 1_795_536_111_820_701);
  assert.deepEqual(record.applicationLog, [
    { application: 'answer', data: '', at: 1_795_536_111_833_249 },
    { application: 'echo', data: '', at: 1_795_536_111_836_105 },
  ]);
});

test('the inbound leg of a bridge: relays to its partner and runs bridge', () => {
  const { record } = read(rows.bridgedIn);
  assert.equal(record.partner, '062ee986-3e0a-4101-9338-beab7c1041b2');
  assert.deepEqual([record.dialog?.localTag, record.dialog?.remoteTag], ['8X1g8ZHK2DKtQ', 'f3386bbf989b']);
  assert.deepEqual([record.dialog?.localIdentity, record.dialog?.remoteIdentity], ['<sip:2001@127.0.0.1>', '<sip:gap@127.0.0.1>']);
  assert.deepEqual(
    [record.dialog?.callId, record.dialog?.remoteTarget, record.dialog?.remoteCSeq],
    ['420db928ec9b@gap', 'sip:gap@127.0.0.1:5080', 1],
  );
  assert.deepEqual(record.media?.endpoint?.mode, { kind: 'relay', partner: '062ee986-3e0a-4101-9338-beab7c1041b2' });
  assert.deepEqual(
    [record.media?.endpoint?.localPort, record.media?.endpoint?.remote?.port, record.media?.endpoint?.ssrc],
    [20_984, 40_000, 2_668_794_183],
  );
  assert.deepEqual([record.media?.sessionId, record.media?.sessionVersion], ['1795515127', 1795515128]);
  assert.deepEqual([record.execution?.index, record.execution?.running, record.execution?.applications.length], [0, true, 1]);
  assert.equal(record.variables['DP_MATCH'], 'ARRAY::2001|:2001');
  assert.equal(record.variables['originated_legs'], '062ee986-3e0a-4101-9338-beab7c1041b2;Outbound Call;2001');
  assert.equal(record.callUuid, 'c1e37373-a2e1-4b21-aed2-a4a94174a8ad');
  assert.equal(record.times.bridged, 1_795_536_111_900_691);
  assert.equal(record.caller.calleeIdName, 'Outbound Call');
});

test('the outbound leg of a bridge: we are From, and the CSeq goes on from ours', () => {
  const { record } = read(rows.bridgedOut);
  assert.deepEqual(record.dialog, {
    callId: '342df972-62c3-1240-a5a6-827abfc82b6f',
    localTag: '96t99t2pZp9cK',
    remoteTag: '987e6453b414',
    localIdentity: '"gap" <sip:gap@127.0.0.1>',
    remoteIdentity: '<sip:2001@127.0.0.1:5070>',
    localContact: 'sip:mod_sofia@127.0.0.1:5060',
    remoteTarget: 'sip:gap@127.0.0.1:5070',
    routeSet: [],
    localCSeq: freeswitchCSeq(NOW, 123_214_263),
    remoteCSeq: null,
    peerAddress: { ip: '127.0.0.1', port: 5070 },
    natAddress: null,
    remoteAllow: [],
  });
  assert.equal(record.partner, 'c1e37373-a2e1-4b21-aed2-a4a94174a8ad');
  assert.equal(record.callUuid, 'c1e37373-a2e1-4b21-aed2-a4a94174a8ad');
  assert.equal(record.execution, null);
  assert.deepEqual(
    [record.media?.endpoint?.localPort, record.media?.endpoint?.remote?.port, record.media?.endpoint?.ssrc],
    [29_646, 59_996, 2_131_215_287],
  );
  assert.deepEqual(record.media?.endpoint?.mode, { kind: 'relay', partner: 'c1e37373-a2e1-4b21-aed2-a4a94174a8ad' });
  assert.deepEqual([record.media?.sessionId, record.media?.sessionVersion], ['1795506465', 1795506466]);
  assert.equal(record.originator?.uuid, 'c1e37373-a2e1-4b21-aed2-a4a94174a8ad');
});

test('a conference member: room, profile, member number and the room’s uuid', () => {
  const { record } = read(rows.conference);
  assert.deepEqual(record.conference, {
    room: '3001',
    profile: 'default',
    memberId: 1,
    roomUuid: 'd989cccf-5def-4aac-a4a7-1369419150b3',
    muted: false,
    deaf: false,
    moderator: false,
  });
  assert.deepEqual(record.media?.endpoint?.mode, { kind: 'conference', room: '3001', memberId: 1, muted: false, deaf: false });
  assert.equal(record.media?.endpoint?.format?.name, 'PCMU', 'the codec on the wire, not the L16 that the mixer reads');
  assert.deepEqual(
    [record.media?.endpoint?.localPort, record.media?.endpoint?.remote?.port, record.media?.endpoint?.ssrc],
    [23_320, 43_000, 2_668_970_455],
  );
  assert.deepEqual(
    [record.dialog?.localTag, record.dialog?.remoteTag, record.dialog?.callId],
    ['agm2BpKtvZZZe', '5a8184be912e', '16c949d0f04a@gap'],
  );
  assert.deepEqual([record.execution?.extensionName, record.execution?.index, record.partner], ['conf', 1, null]);
});

test('the row of the seed document: a recovered outbound leg behind NAT with video', () => {
  const { record, notes } = read(rows.seed);
  assert.deepEqual(record.dialog, {
    callId: '8dc21c06-a91c-467a-88c5-fd0a5dafa406',
    localTag: 'a1ctQKmK945jS',
    remoteTag: 'eFcJB51',
    localIdentity: '"990003" <sip:990003@192.168.2.22>',
    remoteIdentity: '<sip:990005@192.168.4.18:55867;transport=udp>',
    localContact: 'sip:990005@192.168.2.22:5060',
    remoteTarget: 'sip:990005@192.168.4.18:55867;transport=udp',
    routeSet: [],
    localCSeq: freeswitchCSeq(NOW, 96_846_577),
    remoteCSeq: null,
    peerAddress: { ip: '192.168.4.18', port: 55_867 },
    natAddress: { ip: '192.168.4.18', port: 55_867 },
    remoteAllow: ['INVITE', 'ACK', 'CANCEL', 'OPTIONS', 'BYE', 'REFER', 'NOTIFY', 'MESSAGE', 'SUBSCRIBE', 'INFO', 'PRACK', 'UPDATE'],
  });
  assert.deepEqual(record.media?.endpoint, {
    id: '8dc21c06-a91c-467a-88c5-fd0a5dafa406',
    localIp: '192.168.2.22',
    localPort: 16_496,
    remote: { ip: '172.16.100.124', port: 7_078 },
    remoteRtcp: null,
    learned: null,
    format: { payloadType: 18, name: 'G729', clockRate: 8_000, packetTime: 20, telephoneEvent: 101 },
    ssrc: 1_476_670_368,
    send: true,
    receive: true,
    rtpTimeout: 0,
    mode: { kind: 'relay', partner: '5a4c45ba-6c22-4e21-bce8-fde0e06139f3' },
  });
  assert.deepEqual([record.media?.sessionId, record.media?.sessionVersion], ['1742784243', 1742784245]);
  assert.match(record.media?.localSdp ?? '', /m=video 29646 RTP\/AVP 102\r\n/);
  assert.match(record.media?.remoteSdp ?? '', /a=rtcp-fb:\* trr-int 1000\r\n/);
  assert.match(record.media?.localSdp ?? '', /a=rtpmap:101 telephone-event\/8000\r\n/);
  assert(notes.some((note) => note.includes('telephone-event')));
  assert(notes.some((note) => note.includes('video')));
  assert.equal(record.partner, '5a4c45ba-6c22-4e21-bce8-fde0e06139f3');
  assert.equal(record.callUuid, '5a4c45ba-6c22-4e21-bce8-fde0e06139f3');
  assert.equal(record.profileName, 'internal-video');
  assert.equal(record.variables['toll_allow'], 'domestic,international,local');
  assert.equal(record.variables['sip_route_uri'], 'sip:(null)@192.168.4.18:55867');
  assert.equal(record.times.bridged, 1_742_800_739_611_835, 'of the newest caller profile');
  assert.equal(record.originator?.caller.networkAddr, '192.168.2.24');
});

test('the CSeq of a FreeSWITCH process: what it had when the seed row was written, and never below the stored one', () => {
  const written = 1_742_800_712_000_000;
  assert(freeswitchCSeq(written, null) <= 96_846_577 && freeswitchCSeq(written, null) > 96_846_577 - 100);
  assert.equal(freeswitchCSeq(written, 96_846_577), 96_846_578);
  assert.equal(freeswitchCSeq(written, 5), 96_846_564);
});

test('Record-Route: in its order where we were called, reversed where we called', () => {
  const add = (row: RecoveryRow): RecoveryRow => ({
    ...row,
    metadata: row.metadata.replace(
      '<variables>',
      '<variables><sip_invite_record_route>%3Csip%3Aa%3Blr%3E,%20%3Csip%3Ab%3Blr%3E</sip_invite_record_route>',
    ),
  });
  assert.deepEqual(read(add(rows.echo)).record.dialog?.routeSet, ['<sip:a;lr>', '<sip:b;lr>']);
  assert.deepEqual(read(add(rows.bridgedOut)).record.dialog?.routeSet, ['<sip:b;lr>', '<sip:a;lr>']);
});

test('an inbound leg that FreeSWITCH itself had recovered: sip_handle_full_from is us, and its CSeq was ours', () => {
  const { record } = read({
    ...rows.echo,
    metadata: rows.echo.metadata.replace(
      '<variables>',
      '<variables><sip_handle_full_from>%3Csip%3A9196%40127.0.0.1%3E%3Btag%3D7m8Q640F54v7B</sip_handle_full_from><sip_handle_full_to>%3Csip%3Agap%40127.0.0.1%3E%3Btag%3Dfbab9e6c0f87</sip_handle_full_to>',
    ),
  });
  assert.deepEqual([record.dialog?.localTag, record.dialog?.remoteTag, record.dialog?.remoteCSeq], ['7m8Q640F54v7B', 'fbab9e6c0f87', null]);
});

test('a source that differs from the peer’s SDP was learned', () => {
  const { record } = read({ ...rows.echo, metadata: rows.echo.metadata.replace('<remote_media_port>42000<', '<remote_media_port>42777<') });
  assert.deepEqual(record.media?.endpoint?.remote, { ip: '127.0.0.1', port: 42_000 });
  assert.deepEqual(record.media?.endpoint?.learned, { ip: '127.0.0.1', port: 42_777 });
});

test('a row without what a dialog needs is unreadable and the missing variable is named', () => {
  for (const name of ['sip_call_id', 'sip_full_from', 'local_media_port', 'local_media_ip']) {
    const metadata = rows.echo.metadata.replace(new RegExp(`<${name}>.*</${name}>`), '');
    const result = metadataToRecord({ ...rows.echo, metadata }, NOW);
    assert(result.kind === 'unreadable' && result.reason.includes(name), JSON.stringify(result).slice(0, 200));
  }
  const result = metadataToRecord(
    { ...rows.echo, metadata: rows.echo.metadata.replace('<local_media_port>25404<', '<local_media_port>99999<') },
    NOW,
  );
  assert(result.kind === 'unreadable' && result.reason.includes('local_media_port'));
});
