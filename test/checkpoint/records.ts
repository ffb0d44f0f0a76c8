import { readFileSync } from 'node:fs';
import type { LegRecord } from '../../src/checkpoint/record.ts';
import type { RecoveryRow } from '../../src/store/index.ts';

export const NOW = 1_795_536_200_000_000;

/** Rows written by a real FreeSWITCH, as `recovery` held them. */
export function freeswitchRows(): {
  bridgedOut: RecoveryRow;
  bridgedIn: RecoveryRow;
  echo: RecoveryRow;
  conference: RecoveryRow;
  seed: RecoveryRow;
} {
  const text = readFileSync(new URL('./freeswitch-rows.json', import.meta.url), 'utf8');
  const rows: Record<string, string>[] = JSON.parse(text);
  const row = (uuid: string): RecoveryRow => {
    const found = rows.find((candidate) => candidate['uuid'] === uuid);
    if (found === undefined) throw new Error(`no row ${uuid}`);
    return rowOf(found['metadata'] ?? '', uuid, found);
  };
  return {
    echo: row('c114625d-a128-491a-b1c7-64430bccb938'),
    bridgedOut: row('062ee986-3e0a-4101-9338-beab7c1041b2'),
    bridgedIn: row('c1e37373-a2e1-4b21-aed2-a4a94174a8ad'),
    conference: row('a39910ab-9faf-4021-9fbd-598f179e14d3'),
    seed: rowOf(readFileSync(new URL('./recovery-row.metadata.xml', import.meta.url), 'utf8'), '8dc21c06-a91c-467a-88c5-fd0a5dafa406', {
      profile_name: 'internal-video',
      hostname: 'localhost.localdomain',
    }),
  };
}

export function rowOf(
  metadata: string,
  uuid: string,
  columns: Readonly<Record<string, string>> = {},
  epoch: number | null = null,
): RecoveryRow {
  return {
    runtimeUuid: columns['runtime_uuid'] ?? 'runtime',
    technology: 'sofia',
    profileName: columns['profile_name'] ?? 'internal',
    hostname: columns['hostname'] ?? 'node1',
    uuid,
    metadata,
    epoch,
    state: null,
    attempts: null,
    lastError: null,
    updatedAt: null,
  };
}

const SDP =
  'v=0\r\no=undrop 17 18 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n';
const CALLER = {
  username: '1000',
  dialplan: 'XML',
  callerIdName: 'Zoë <&"\'> ]]>',
  callerIdNumber: '1000',
  calleeIdName: '',
  calleeIdNumber: '2001',
  ani: '1000',
  rdnis: '',
  networkAddr: '127.0.0.1',
  destinationNumber: '2001',
  context: 'default',
};

/** An answered, bridged inbound leg of ours with everything set. */
export function sampleRecord(changes: Partial<LegRecord> = {}): LegRecord {
  return {
    version: 1,
    uuid: 'b0b7b2a4-0000-4000-8000-000000000001',
    callUuid: 'b0b7b2a4-0000-4000-8000-000000000001',
    direction: 'inbound',
    phase: 'answered',
    profileName: 'internal',
    channelName: 'sofia/internal/1000@127.0.0.1',
    sessionId: 5,
    caller: CALLER,
    originator: null,
    variables: { sip_user_agent: 'Phone/1.0 (a,b*c)', greeting: 'a%b c&d<e>f"g\'h', 'not an element': 'x', DP_MATCH: 'ARRAY::2001|:2001' },
    dialog: {
      callId: 'call@id',
      localTag: 'ours',
      remoteTag: 'theirs',
      localIdentity: '<sip:2001@127.0.0.1>',
      remoteIdentity: '"Zoë" <sip:1000@127.0.0.1>',
      localContact: 'sip:mod_sofia@127.0.0.1:5060',
      remoteTarget: 'sip:1000@127.0.0.1:5080;transport=udp',
      routeSet: ['<sip:127.0.0.1:5090;lr>', '<sip:127.0.0.1:5091;lr>'],
      localCSeq: 100,
      remoteCSeq: 3,
      peerAddress: { ip: '127.0.0.1', port: 5080 },
      natAddress: null,
      remoteAllow: ['INVITE', 'ACK', 'UPDATE'],
    },
    acknowledged: true,
    serverTransactions: [
      {
        method: 'INVITE',
        key: 'z9hG4bKx 127.0.0.1 INVITE',
        request: 'INVITE sip:2001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bKx\r\n\r\n',
        source: { ip: '127.0.0.1', port: 5080 },
        response: 'SIP/2.0 200 OK\r\n\r\n',
        responseStatus: 200,
        reliableSequence: null,
        answeredAt: NOW,
      },
    ],
    clientTransactions: [],
    earlyDialogs: [],
    media: {
      localSdp: SDP,
      remoteSdp: SDP.replace('20000', '40000'),
      sessionId: '17',
      sessionVersion: 18,
      offer: 'none',
      endpoint: {
        id: 'b0b7b2a4-0000-4000-8000-000000000001',
        localIp: '127.0.0.1',
        localPort: 20_000,
        remote: { ip: '127.0.0.1', port: 40_000 },
        remoteRtcp: null,
        learned: { ip: '127.0.0.1', port: 40_500 },
        format: { payloadType: 0, name: 'PCMU', clockRate: 8_000, packetTime: 20, telephoneEvent: 101 },
        ssrc: 0xdeadbeef,
        send: true,
        receive: true,
        rtpTimeout: 0,
        mode: { kind: 'relay', partner: 'b0b7b2a4-0000-4000-8000-000000000002' },
      },
      held: 'none',
    },
    execution: {
      extensionName: 'bridge',
      extensionNumber: '2001',
      applications: [
        { application: 'set', data: 'a=<b>&"c"' },
        { application: 'bridge', data: 'sofia/internal/2001@127.0.0.1:5070' },
      ],
      index: 1,
      running: true,
      startedAt: NOW,
      deadline: 0,
    },
    applicationLog: [{ application: 'bridge', data: 'sofia/internal/2001@127.0.0.1:5070', at: NOW }],
    partner: 'b0b7b2a4-0000-4000-8000-000000000002',
    bridgeAttempt: null,
    conference: null,
    sessionTimer: { interval: 1_800, weRefresh: true, deadline: NOW + 1_800_000_000 },
    times: {
      created: NOW,
      profileCreated: NOW,
      progress: 0,
      progressMedia: 0,
      answered: NOW + 2_000_000,
      bridged: NOW + 2_000_500,
      lastHold: 0,
      holdAccumulated: 0,
      hangup: 0,
      resurrected: 0,
      transfer: 0,
    },
    hangupCause: null,
    hangupCode: 0,
    hangupDisposition: 'none',
    ...changes,
  };
}
