import { splitNameAddress, splitUri } from './address-text.ts';
import { urlEncode } from './encoding.ts';
import type { LegRecord } from './record.ts';

/** What the row of a leg says of the runtime that wrote it. */
export interface RowContext {
  readonly coreUuid: string;
  readonly switchname: string;
}

/** A name that can be an XML element; any other variable is in `<undrop>` only. */
const ELEMENT_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]*$/;
const ARRAY_PREFIX = 'ARRAY::';

/** `<variables>` of a leg: its own, and those that FreeSWITCH needs to recover it, derived where they are not set. */
export function writeVariables(record: LegRecord, final: ReadonlyMap<string, string>): string {
  const own = record.variables;
  let out = '<variables>\n';
  const add = (name: string, value: string | number): void => {
    if (own[name] === undefined && value !== '') out += `<${name}>${typeof value === 'number' ? value : urlEncode(value)}</${name}>\n`;
  };
  add('direction', record.direction);
  if (record.direction === 'outbound') add('is_outbound', 'true');
  add('uuid', record.uuid);
  add('session_id', record.sessionId);
  for (const name in own) {
    const value = own[name];
    if (value === undefined || final.has(name) || !ELEMENT_NAME.test(name)) continue;
    if (value.startsWith(ARRAY_PREFIX)) {
      for (const element of value.slice(ARRAY_PREFIX.length).split('|:')) out += `<${name}>${urlEncode(element)}</${name}>\n`;
    } else {
      out += `<${name}>${urlEncode(value)}</${name}>\n`;
    }
  }
  add('channel_name', record.channelName);
  add('sofia_profile_name', record.profileName);
  add('recovery_profile_name', record.profileName);
  add('call_uuid', record.callUuid);
  if (record.phase === 'answered') add('endpoint_disposition', 'ANSWER');
  addMedia(record, add);
  addExecution(record, add);
  if (record.partner !== null) {
    add('bridge_uuid', record.partner);
    add('signal_bond', record.partner);
  }
  addDialog(record, add);
  for (const [name, value] of final) out += `<${name}>${urlEncode(value)}</${name}>\n`;
  return `${out}</variables>\n`;
}

type Add = (name: string, value: string | number) => void;

function addDialog(record: LegRecord, add: Add): void {
  const dialog = record.dialog;
  if (dialog === null) return;
  const isInbound = record.direction === 'inbound';
  const local = withTag(dialog.localIdentity, dialog.localTag);
  const remote = withTag(dialog.remoteIdentity, dialog.remoteTag);
  const from = isInbound ? dialog.remoteIdentity : dialog.localIdentity;
  const to = isInbound ? dialog.localIdentity : dialog.remoteIdentity;
  addNameAddress('from', from, add);
  addNameAddress('to', to, add);
  const target = splitUri(dialog.remoteTarget);
  add('sip_contact_params', target.parameters);
  add('sip_contact_user', target.user);
  add('sip_contact_port', target.port);
  add('sip_contact_uri', userHostPort(target));
  add('sip_contact_host', target.host);
  const network = dialog.peerAddress;
  add('sip_network_ip', network.ip);
  add('sip_network_port', network.port);
  add('sip_received_ip', network.ip);
  add('sip_received_port', network.port);
  if (dialog.natAddress !== null) add('sip_nat_detected', 'true');
  if (dialog.remoteAllow.length > 0) add('sip_allow', dialog.remoteAllow.join(', '));
  if (isInbound) {
    const request = splitUri(splitNameAddress(dialog.localIdentity).uri);
    add('sip_req_user', request.user);
    add('sip_req_host', request.host);
    add('sip_req_uri', userHostPort(request));
    if (dialog.routeSet.length > 0) add('sip_invite_record_route', dialog.routeSet.join(','));
    add('sip_cseq', dialog.remoteCSeq ?? 1);
    add('sofia_profile_url', dialog.localContact);
  } else {
    add('sip_req_uri', dialog.remoteTarget.replace(/^sips?:/i, ''));
    add('sip_outgoing_contact_uri', `<${dialog.localContact}>`);
    add('sip_recover_contact', `<${dialog.remoteTarget}>`);
    if (dialog.routeSet.length > 0) add('sip_invite_route_uri', dialog.routeSet.join(','));
    add('sip_cseq', dialog.localCSeq);
  }
  add('sip_to_tag', (isInbound ? dialog.localTag : dialog.remoteTag) ?? '');
  add('sip_from_tag', (isInbound ? dialog.remoteTag : dialog.localTag) ?? '');
  add('sip_call_id', dialog.callId);
  add('sip_full_from', isInbound ? remote : local);
  add('sip_full_to', isInbound ? local : remote);
  const invite = isInbound
    ? record.serverTransactions.find((transaction) => transaction.method === 'INVITE')?.request
    : record.clientTransactions.find((transaction) => transaction.method === 'INVITE')?.request;
  const via = invite === undefined ? undefined : /^(?:Via|v)[ \t]*:[ \t]*(.+)$/im.exec(invite)?.[1]?.trim();
  if (via !== undefined) add('sip_full_via', via);
}

function addNameAddress(side: 'from' | 'to', identity: string, add: Add): void {
  const { display, uri } = splitNameAddress(identity);
  const parts = splitUri(uri);
  add(`sip_${side}_display`, display);
  add(`sip_${side}_params`, parts.parameters);
  add(`sip_${side}_user`, parts.user);
  add(`sip_${side}_port`, parts.port);
  add(`sip_${side}_uri`, userHostPort(parts));
  add(`sip_${side}_host`, parts.host);
}

function userHostPort(parts: { user: string; host: string; port: string }): string {
  return `${parts.user === '' ? '' : `${parts.user}@`}${parts.host}${parts.port === '' ? '' : `:${parts.port}`}`;
}

function withTag(identity: string, tag: string | null): string {
  return tag === null ? identity : `${identity};tag=${tag}`;
}

function addMedia(record: LegRecord, add: Add): void {
  const media = record.media;
  if (media === null) return;
  if (media.remoteSdp !== null) add('switch_r_sdp', media.remoteSdp);
  if (media.localSdp !== null) add('rtp_local_sdp_str', media.localSdp);
  const endpoint = media.endpoint;
  if (endpoint === null) return;
  add('local_media_ip', endpoint.localIp);
  add('local_media_port', endpoint.localPort);
  add('advertised_media_ip', /^c=IN IP[46] (\S+)/m.exec(media.localSdp ?? '')?.[1] ?? endpoint.localIp);
  const remote = endpoint.learned ?? endpoint.remote;
  if (remote !== null) {
    add('remote_media_ip', remote.ip);
    add('remote_media_port', remote.port);
  }
  add('audio_media_flow', endpoint.send ? (endpoint.receive ? 'sendrecv' : 'sendonly') : endpoint.receive ? 'recvonly' : 'inactive');
  add('rtp_use_ssrc', endpoint.ssrc);
  const format = endpoint.format;
  if (format === null) return;
  add('rtp_use_codec_name', format.name);
  add('rtp_use_codec_rate', format.clockRate);
  add('rtp_use_codec_ptime', format.packetTime);
  add('rtp_use_codec_channels', 1);
  add('rtp_last_audio_codec_string', `${format.name}@${format.clockRate}h@${format.packetTime}i@1c`);
  add('rtp_use_pt', format.payloadType);
  add('rtp_audio_recv_pt', format.payloadType);
  add('read_codec', format.name);
  add('read_rate', format.clockRate);
  add('write_codec', format.name);
  add('write_rate', format.clockRate);
  add('dtmf_type', format.telephoneEvent === null ? 'info' : 'rfc2833');
  if (format.telephoneEvent !== null) {
    add('rtp_2833_send_payload', format.telephoneEvent);
    add('rtp_2833_recv_payload', format.telephoneEvent);
  }
}

function addExecution(record: LegRecord, add: Add): void {
  const execution = record.execution;
  const current = execution?.running === true ? execution.applications[execution.index] : undefined;
  if (current !== undefined) {
    add('current_application_data', current.data);
    add('current_application', current.application);
  }
  const conference = record.conference;
  if (conference === null) return;
  add('conference_name', conference.room);
  add('conference_member_id', conference.memberId);
  add('conference_moderator', conference.moderator ? 'true' : 'false');
  add('conference_uuid', conference.roomUuid);
}
