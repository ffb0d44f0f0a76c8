import type { Address } from '../base/index.ts';
import type { EndpointMode } from '../media/protocol.ts';
import type { RecoveryRow } from '../store/index.ts';
import { splitNameAddress, splitRoutes } from './address-text.ts';
import { type CdrElement, child, childText, parseCdr } from './cdr-document.ts';
import { urlDecode } from './encoding.ts';
import { freeswitchCSeq } from './freeswitch-cseq.ts';
import type { CallerProfileRecord, ConferenceMemberRecord, DialogRecord, ExecutionRecord, LegRecord, MediaRecord } from './record.ts';
import { RECORD_VERSION } from './record.ts';

type Variables = Readonly<Record<string, string>>;

/** Reads a row that FreeSWITCH wrote. Throws an `Error` that names what is missing. `now`: wall microseconds. */
export function readForeignRow(row: RecoveryRow, now: number): { record: LegRecord; notes: string[] } {
  const notes: string[] = [];
  const document = parseCdr(row.metadata);
  if (document.name !== 'cdr') throw new Error(`the root element is <${document.name}>, not <cdr>`);
  const variables = readVariables(document);
  const channelData = child(document, 'channel_data');
  const direction = childText(channelData, 'direction').trim() || (variables['direction'] ?? '');
  if (direction !== 'inbound' && direction !== 'outbound') throw new Error('channel_data/direction: neither inbound nor outbound');
  // The newest profile comes first.
  const callflow = child(document, 'callflow');
  const callerProfile = child(callflow, 'caller_profile');
  const originatorProfile = child(child(callerProfile, 'originator'), 'originator_caller_profile');
  const uuid = row.uuid || (variables['uuid'] ?? '');
  if (uuid === '') throw new Error('variables/uuid: missing');
  const times = child(callflow, 'times');
  const time = (name: string): number => wholeNumber(childText(times, name)) ?? 0;
  const partner = variables['signal_bond'] ?? variables['bridge_uuid'] ?? null;
  const applicationLog = (child(document, 'app_log')?.children ?? []).map((entry) => ({
    application: entry.attributes['app_name'] ?? '',
    data: entry.attributes['app_data'] ?? '',
    at: wholeNumber(entry.attributes['app_stamp']) ?? 0,
  }));
  if (time('answered_time') === 0 && variables['endpoint_disposition'] !== 'ANSWER') {
    notes.push('the row does not say that the leg was answered; FreeSWITCH saves answered legs only, so it is taken as answered');
  }
  const execution = readExecution(callflow, variables, applicationLog, notes);
  const conference = readConference(variables);
  const media = readMedia(uuid, variables, execution, conference, partner, notes);
  const record: LegRecord = {
    version: RECORD_VERSION,
    uuid,
    callUuid: variables['call_uuid'] ?? (direction === 'outbound' ? (variables['originator'] ?? uuid) : uuid),
    direction,
    phase: 'answered',
    profileName: variables['recovery_profile_name'] ?? variables['sofia_profile_name'] ?? row.profileName,
    channelName: variables['channel_name'] ?? childText(callerProfile, 'chan_name'),
    sessionId: wholeNumber(variables['session_id']) ?? 0,
    caller: readCallerProfile(callerProfile),
    originator:
      originatorProfile === undefined
        ? null
        : {
            caller: readCallerProfile(originatorProfile),
            uuid: childText(originatorProfile, 'uuid'),
            channelName: childText(originatorProfile, 'chan_name'),
          },
    variables: { ...variables },
    dialog: readDialog(direction, variables, now, notes),
    acknowledged: true,
    serverTransactions: [],
    clientTransactions: [],
    earlyDialogs: [],
    media,
    execution,
    applicationLog,
    partner,
    bridgeAttempt: null,
    conference,
    sessionTimer: null,
    times: {
      created: time('created_time'),
      profileCreated: time('profile_created_time'),
      progress: time('progress_time'),
      progressMedia: time('progress_media_time'),
      answered: time('answered_time'),
      bridged: time('bridged_time'),
      lastHold: time('last_hold_time'),
      holdAccumulated: time('hold_accum_time'),
      hangup: time('hangup_time'),
      resurrected: time('resurrect_time'),
      transfer: time('transfer_time'),
    },
    hangupCause: null,
    hangupCode: 0,
    hangupDisposition: 'none',
  };
  return { record, notes };
}

/** A name that comes more than once is an array in FreeSWITCH: `ARRAY::a|:b`. */
function readVariables(document: CdrElement): Variables {
  const values = new Map<string, string[]>();
  for (const element of child(document, 'variables')?.children ?? []) {
    const value = urlDecode(element.text);
    const present = values.get(element.name);
    if (present === undefined) values.set(element.name, [value]);
    else present.push(value);
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, list.length === 1 ? (list[0] ?? '') : `ARRAY::${list.join('|:')}`]));
}

function readCallerProfile(element: CdrElement | undefined): CallerProfileRecord {
  return {
    username: childText(element, 'username'),
    dialplan: childText(element, 'dialplan'),
    callerIdName: childText(element, 'caller_id_name'),
    callerIdNumber: childText(element, 'caller_id_number'),
    calleeIdName: childText(element, 'callee_id_name'),
    calleeIdNumber: childText(element, 'callee_id_number'),
    ani: childText(element, 'ani'),
    rdnis: childText(element, 'rdnis'),
    networkAddr: childText(element, 'network_addr'),
    destinationNumber: childText(element, 'destination_number'),
    context: childText(element, 'context'),
  };
}

function need(variables: Variables, name: string): string {
  const value = variables[name];
  if (value === undefined || value === '') throw new Error(`variables/${name}: missing`);
  return value;
}

/**
 * Who we are in the dialog: From on a leg that we called, To on one that called us. After FreeSWITCH has itself
 * recovered an inbound leg, `sip_handle_full_from` is what it says of itself; `dlg_req_swap_direction` turns both round
 * (sofia_recover_callback in mod_sofia's sofia_glue.c).
 */
function readDialog(direction: 'inbound' | 'outbound', variables: Variables, now: number, notes: string[]): DialogRecord {
  const isSwapped = variables['dlg_req_swap_direction'] === 'true';
  const weAreFrom = (direction === 'outbound') !== isSwapped;
  const handleFrom = variables['sip_handle_full_from'];
  const handleTo = variables['sip_handle_full_to'];
  const hasHandle = !weAreFrom && handleFrom !== undefined && handleTo !== undefined;
  const full = { from: need(variables, 'sip_full_from'), to: need(variables, 'sip_full_to') };
  const ours = splitNameAddress(hasHandle ? handleFrom : weAreFrom ? full.from : full.to);
  const theirs = splitNameAddress(hasHandle ? handleTo : weAreFrom ? full.to : full.from);
  const localTag = ours.tag ?? variables[weAreFrom ? 'sip_from_tag' : 'sip_to_tag'];
  const remoteTag = theirs.tag ?? variables[weAreFrom ? 'sip_to_tag' : 'sip_from_tag'];
  if (localTag === undefined) throw new Error(`variables/${weAreFrom ? 'sip_from_tag' : 'sip_to_tag'}: missing`);
  if (remoteTag === undefined) throw new Error(`variables/${weAreFrom ? 'sip_to_tag' : 'sip_from_tag'}: missing`);
  if (hasHandle)
    notes.push('FreeSWITCH had recovered this leg before: the dialog is taken from sip_handle_full_from and sip_handle_full_to');
  if (isSwapped) notes.push('dlg_req_swap_direction: From and To are turned round');
  const stored = wholeNumber(variables['sip_cseq']);
  const isOurCSeq = weAreFrom || hasHandle;
  const peerAddress = readPeerAddress(variables);
  const isNat = variables['sip_nat_detected'] === 'true';
  return {
    callId: need(variables, 'sip_call_id'),
    localTag,
    remoteTag,
    localIdentity: ours.identity,
    remoteIdentity: theirs.identity,
    localContact: readLocalContact(variables),
    remoteTarget: readRemoteTarget(variables),
    routeSet: readRouteSet(direction, variables),
    localCSeq: freeswitchCSeq(now, isOurCSeq ? stored : null),
    remoteCSeq: isOurCSeq ? null : stored,
    peerAddress,
    natAddress: isNat ? peerAddress : null,
    remoteAllow: (variables['sip_allow'] ?? '')
      .split(',')
      .map((method) => method.trim())
      .filter((method) => method !== ''),
  };
}

function readPeerAddress(variables: Variables): Address {
  const ip = variables['sip_network_ip'] ?? variables['sip_received_ip'] ?? variables['sip_reply_host'] ?? variables['sip_contact_host'];
  if (ip === undefined) throw new Error('variables/sip_network_ip: missing');
  const text =
    variables['sip_network_port'] ??
    variables['sip_received_port'] ??
    variables['sip_reply_port'] ??
    variables['sip_contact_port'] ??
    '5060';
  return { ip: ip.replace(/^\[|\]$/g, ''), port: needPort('sip_network_port', text) };
}

function readLocalContact(variables: Variables): string {
  const contact = variables['sip_outgoing_contact_uri'];
  if (contact !== undefined) return splitNameAddress(contact).uri;
  return variables['sofia_profile_url'] ?? `sip:mod_sofia@${variables['sip_local_network_addr'] ?? '0.0.0.0'}`;
}

function readRemoteTarget(variables: Variables): string {
  const contact = variables['sip_recover_contact'];
  if (contact !== undefined) return splitNameAddress(contact).uri;
  const uri = variables['sip_contact_uri'];
  const parameters = variables['sip_contact_params'];
  if (uri !== undefined && uri !== '') return `sip:${uri}${parameters === undefined || parameters === '' ? '' : `;${parameters}`}`;
  const request = variables['sip_req_uri'];
  if (request === undefined) throw new Error('variables/sip_contact_uri: missing');
  return `sip:${request}`;
}

/** RFC 3261 §12.1: Record-Route in its order where we were called, reversed where we called. */
function readRouteSet(direction: 'inbound' | 'outbound', variables: Variables): string[] {
  const recorded = variables['sip_invite_record_route'];
  if (direction === 'inbound') return splitRoutes(recorded ?? variables['sip_invite_route_uri'] ?? '');
  const given = variables['sip_invite_route_uri'];
  return given === undefined ? splitRoutes(recorded ?? '').reverse() : splitRoutes(given);
}

function readMedia(
  uuid: string,
  variables: Variables,
  execution: ExecutionRecord | null,
  conference: ConferenceMemberRecord | null,
  partner: string | null,
  notes: string[],
): MediaRecord {
  const localIp = need(variables, 'local_media_ip');
  const localPort = needPort('local_media_port', need(variables, 'local_media_port'));
  const remoteSdp = variables['switch_r_sdp'] ?? null;
  let localSdp = variables['rtp_local_sdp_str'] ?? null;
  const clockRate = wholeNumber(variables['rtp_use_codec_rate']) ?? 8_000;
  if (localSdp !== null && /telephone-event\/0\s*$/m.test(localSdp)) {
    // FreeSWITCH forgets the rate when it recovers; a peer that is offered 0 Hz ignores the digits.
    localSdp = localSdp.replace(/telephone-event\/0[ \t]*(?=\r?$)/gm, 'telephone-event/8000');
    notes.push('rtp_local_sdp_str: telephone-event with rate 0 is read as 8000');
  }
  const origin = /^o=\S+ (\d+) (\d+) /m.exec(localSdp ?? '');
  const signalled = audioAddress(remoteSdp);
  const storedIp = variables['remote_media_ip'];
  const stored: Address | null =
    storedIp === undefined ? null : { ip: storedIp, port: needPort('remote_media_port', variables['remote_media_port'] ?? '') };
  const remote = signalled ?? stored;
  const isLearned = stored !== null && signalled !== null && (stored.ip !== signalled.ip || stored.port !== signalled.port);
  const codec = variables['rtp_use_codec_name'];
  const payloadType = wholeNumber(variables['rtp_use_pt']);
  const flow = variables['audio_media_flow'] ?? 'sendrecv';
  const remoteFlow = audioDirection(remoteSdp);
  const isHeldByPeer = remoteFlow === 'sendonly' || remoteFlow === 'inactive' || signalled?.ip === '0.0.0.0';
  const isHeldByUs = !isHeldByPeer && (flow === 'sendonly' || flow === 'inactive');
  if (/^m=video [1-9]/m.test(remoteSdp ?? '')) notes.push('the video section is kept in the SDP');
  return {
    localSdp,
    remoteSdp,
    sessionId: origin?.[1] ?? '0',
    sessionVersion: wholeNumber(origin?.[2]) ?? 0,
    offer: 'none',
    endpoint: {
      id: uuid,
      localIp,
      localPort,
      remote,
      remoteRtcp: readRtcp(variables, remote),
      learned: isLearned ? stored : null,
      format:
        codec === undefined || payloadType === null
          ? null
          : {
              payloadType,
              name: codec.toLowerCase() === 'opus' ? 'opus' : codec.toUpperCase(),
              clockRate,
              packetTime: wholeNumber(variables['rtp_use_codec_ptime']) || 20,
              telephoneEvent: wholeNumber(variables['rtp_2833_send_payload']),
            },
      ssrc: (wholeNumber(variables['rtp_use_ssrc']) ?? 0) % 2 ** 32,
      send: flow === 'sendrecv' || flow === 'sendonly',
      receive: flow === 'sendrecv' || flow === 'recvonly',
      rtpTimeout: (wholeNumber(variables['rtp_timeout_sec']) ?? 0) * 1_000,
      mode: readMode(execution, conference, partner),
    },
    held: isHeldByPeer ? 'remote' : isHeldByUs ? 'local' : 'none',
  };
}

function readMode(execution: ExecutionRecord | null, conference: ConferenceMemberRecord | null, partner: string | null): EndpointMode {
  const current = execution?.running === true ? execution.applications[execution.index]?.application : undefined;
  if (conference !== null) {
    return { kind: 'conference', room: conference.room, memberId: conference.memberId, muted: conference.muted, deaf: conference.deaf };
  }
  if (partner !== null) return { kind: 'relay', partner };
  return current === 'echo' ? { kind: 'echo' } : { kind: 'idle' };
}

function readRtcp(variables: Variables, remote: Address | null): Address | null {
  const port = wholeNumber(variables['rtp_remote_audio_rtcp_port']);
  return port === null || port === 0 || remote === null ? null : { ip: remote.ip, port };
}

/** Connection address and port of the first audio section. */
function audioAddress(sdp: string | null): Address | null {
  const section = audioSection(sdp);
  const port = wholeNumber(/^m=audio (\d+)/m.exec(section)?.[1]);
  const ip = /^c=IN IP[46] ([^\s/]+)/m.exec(section)?.[1] ?? /^c=IN IP[46] ([^\s/]+)/m.exec(sdp ?? '')?.[1];
  return port === null || ip === undefined ? null : { ip, port };
}

function audioDirection(sdp: string | null): string {
  const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m;
  const session = (sdp ?? '').split(/^m=/m, 1)[0] ?? '';
  return direction.exec(audioSection(sdp))?.[1] ?? direction.exec(session)?.[1] ?? 'sendrecv';
}

function audioSection(sdp: string | null): string {
  const start = (sdp ?? '').search(/^m=audio /m);
  if (sdp === null || start === -1) return '';
  const rest = sdp.slice(start);
  const next = rest.slice(1).search(/^m=/m);
  return next === -1 ? rest : rest.slice(0, next + 1);
}

/** `<callflow><extension>`: the application that runs is found by name, the newest of that name in the log's count. */
function readExecution(
  callflow: CdrElement | undefined,
  variables: Variables,
  log: readonly { application: string }[],
  notes: string[],
): ExecutionRecord | null {
  const extension = child(callflow, 'extension');
  if (extension === undefined) return null;
  const applications = extension.children
    .filter((element) => element.name === 'application')
    .map((element) => ({ application: element.attributes['app_name'] ?? '', data: element.attributes['app_data'] ?? '' }));
  const current = variables['current_application'];
  const data = variables['current_application_data'] ?? '';
  const named = applications.flatMap((entry, index) => (entry.application === current ? [index] : []));
  const exact = named.filter((index) => applications[index]?.data === data);
  const executed = log.filter((entry) => entry.application === current).length;
  // The same application twice with the same data: as many as were begun.
  const index = exact.length === 1 ? exact[0] : named[Math.min(Math.max(executed, 1), named.length) - 1];
  if (current !== undefined && index === undefined)
    notes.push(`current_application ${current} is none of the extension's; the extension is run from its first`);
  return {
    extensionName: extension.attributes['name'] ?? '',
    extensionNumber: extension.attributes['number'] ?? '',
    applications,
    index: index ?? 0,
    running: index !== undefined,
    startedAt: 0,
    deadline: 0,
  };
}

/** `conference NAME@PROFILE+PIN+flags{a|b}` and the member's variables. */
function readConference(variables: Variables): ConferenceMemberRecord | null {
  if (variables['current_application'] !== 'conference') return null;
  const data = variables['current_application_data'] ?? '';
  const match = /^(?:bridge:)?([^@+]*)(?:@([^+]*))?/.exec(data);
  const room = variables['conference_name'] ?? match?.[1] ?? '';
  if (room === '') return null;
  const flags = new Set((/flags\{([^}]*)\}/.exec(data)?.[1] ?? '').split('|'));
  return {
    room,
    profile: match?.[2] || 'default',
    memberId: wholeNumber(variables['conference_member_id']) ?? 0,
    roomUuid: variables['conference_uuid'] ?? '',
    muted: flags.has('mute'),
    deaf: flags.has('deaf'),
    moderator: variables['conference_moderator'] === 'true' || flags.has('moderator'),
  };
}

function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^\s*\d{1,16}\s*$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

function needPort(name: string, text: string): number {
  const port = wholeNumber(text);
  if (port === null || port < 1 || port > 65_535) throw new Error(`variables/${name}: ${JSON.stringify(text.slice(0, 20))} is no port`);
  return port;
}
