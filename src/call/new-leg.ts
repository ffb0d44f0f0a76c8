import type { SipProfile } from '../config/index.ts';
import type { CallContext } from './context.ts';
import type { CallerProfileRecord, LegRecord } from './record.ts';
import { RECORD_VERSION } from './record.ts';

/** An empty record of a new leg, with the variables that FreeSWITCH gives every channel. */
export function newLegRecord(
  context: CallContext,
  options: {
    readonly direction: 'inbound' | 'outbound';
    readonly profile: SipProfile;
    readonly caller: CallerProfileRecord;
    readonly channelName: string;
    readonly callUuid?: string;
  },
): LegRecord {
  const uuid = context.uuid();
  const now = context.wallMicroseconds();
  const sessionId = context.nextSessionId();
  const { profile } = options;
  const party = context.party(profile);
  const variables: Record<string, string> = {
    direction: options.direction,
    uuid,
    session_id: String(sessionId),
    channel_name: options.channelName,
    sofia_profile_name: profile.name,
    sofia_profile_url: `sip:mod_sofia@${party.advertised.ip}:${party.advertised.port}`,
    recovery_profile_name: profile.name,
    sip_local_network_addr: party.advertised.ip,
    video_media_flow: 'disabled',
    text_media_flow: 'disabled',
  };
  if (options.direction === 'outbound') variables['is_outbound'] = 'true';
  return {
    version: RECORD_VERSION,
    uuid,
    callUuid: options.callUuid ?? uuid,
    direction: options.direction,
    phase: 'setup',
    profileName: profile.name,
    channelName: options.channelName,
    sessionId,
    caller: options.caller,
    originator: null,
    variables,
    dialog: null,
    acknowledged: false,
    serverTransactions: [],
    clientTransactions: [],
    earlyDialogs: [],
    media: null,
    execution: null,
    applicationLog: [],
    partner: null,
    bridgeAttempt: null,
    conference: null,
    sessionTimer: null,
    times: {
      created: now,
      profileCreated: now,
      progress: 0,
      progressMedia: 0,
      answered: 0,
      bridged: 0,
      lastHold: 0,
      holdAccumulated: 0,
      hangup: 0,
      resurrected: 0,
      transfer: 0,
    },
    hangupCause: null,
    hangupCode: 0,
    hangupDisposition: 'none',
  };
}
