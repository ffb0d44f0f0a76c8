import { isIP } from 'node:net';
import type { Address, Resolution } from '../base/index.ts';
import { assert } from '../base/index.ts';
import type { SipResponse } from '../sip/index.ts';
import { ALLOW, dialogNextHop, dialogRequest, headerValue, headerValues, parseCSeq, tagOf, updateFromResponse } from '../sip/index.ts';
import { credentialHeaders, gatewayOf, sayWithCredentials } from './authenticate.ts';
import { causeFromSip } from './cause.ts';
import type { CallContext, OutboundRequest } from './context.ts';
import { emptyCaller } from './context.ts';
import { finishLeg, sayBye, sendCancel } from './hangup.ts';
import { Leg } from './leg.ts';
import { openMedia, setEndpoint } from './media-control.ts';
import { acceptAnswer, endpointChangeOf, offerToCallee } from './negotiation.ts';
import { newLegRecord } from './new-leg.ts';
import type { ClientTransactionRecord, DialogRecord } from './record.ts';
import { nextRedirect } from './redirect.ts';
import { agreeAsClient, minimumAsked, offerInterval } from './session-interval.ts';
import {
  acknowledge,
  findClient,
  finishClient,
  followRequest,
  parseStoredRequest,
  repeatAcknowledge,
  SUPPORTED,
  sendDialogRequest,
} from './signalling.ts';

/** Early dialogs of one forked INVITE that we follow. */
const MAXIMUM_EARLY_DIALOGS = 16;

/** Stands in the record of a leg whose next hop is not looked up yet. */
const NOWHERE: Address = { ip: '0.0.0.0', port: 0 };

/** A new outbound leg; its INVITE goes out when its next hop is known and `media` has bound the port. */
export function createOutboundLeg(context: CallContext, request: OutboundRequest): Leg {
  const { profile, originator } = request;
  const gateway = request.gateway ?? null;
  const party = context.party(profile);
  const { ip, port } = party.advertised;
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const caller = emptyCaller();
  caller.username = originator?.record.caller.username ?? '';
  caller.callerIdName = request.callerIdName;
  caller.callerIdNumber = request.callerIdNumber;
  caller.calleeIdName = 'Outbound Call';
  caller.calleeIdNumber = request.destinationNumber;
  caller.ani = originator?.record.caller.ani ?? request.callerIdNumber;
  caller.rdnis = originator?.record.caller.destinationNumber ?? '';
  caller.networkAddr = request.destination?.ip ?? '';
  caller.destinationNumber = request.destinationNumber;
  caller.context = request.context;
  const display = gateway === null ? request.target.replace(/^sips?:/, '').replace(/;.*$/, '') : request.destinationNumber;
  const record = newLegRecord(context, {
    direction: 'outbound',
    profile,
    caller,
    channelName: `sofia/${profile.name}/${display}`,
    ...(originator === null ? {} : { callUuid: originator.record.callUuid }),
  });
  if (originator !== null) {
    record.originator = { caller: { ...originator.record.caller }, uuid: originator.uuid, channelName: originator.record.channelName };
    record.variables['originator'] = originator.uuid;
    record.variables['originating_leg_uuid'] = originator.uuid;
  }
  for (const [name, value] of request.variables) record.variables[name] = value;
  const escaped = request.callerIdName.replace(/["\\]/g, '\\$&').replace(/[\r\n]/g, ' ');
  record.dialog = {
    callId: context.uuid(),
    localTag: context.token(13),
    remoteTag: null,
    localIdentity:
      gateway?.from(request.callerIdName, request.callerIdNumber) ??
      `"${escaped}" <sip:${encodeURIComponent(request.callerIdNumber)}@${host}>`,
    remoteIdentity: `<${request.target}>`,
    localContact: gateway?.contact ?? `sip:mod_sofia@${host}:${port};transport=udp`,
    remoteTarget: request.target,
    routeSet: [...(gateway?.routes ?? [])],
    localCSeq: 1 + (context.uint32() & 0xff_ffff),
    remoteCSeq: null,
    peerAddress: request.destination ?? NOWHERE,
    natAddress: request.destination,
    remoteAllow: [],
  };
  if (gateway !== null) {
    record.variables['sip_gateway'] = gateway.name;
    record.variables['sip_gateway_name'] = gateway.name;
  }
  record.variables['sip_destination_url'] = request.target;
  record.variables['sip_req_uri'] = request.target.replace(/^sips?:/, '');
  record.variables['sip_call_id'] = record.dialog.callId;
  if (request.applications.length > 0) {
    record.execution = {
      extensionName: request.applications[0]?.application ?? '',
      extensionNumber: request.destinationNumber,
      applications: request.applications.map((entry) => ({ ...entry })),
      index: 0,
      running: false,
      startedAt: 0,
      deadline: 0,
    };
  }
  const leg = new Leg(record);
  context.addLeg(leg);
  context.event('CHANNEL_CREATE', leg);
  openOutbound(context, leg);
  return leg;
}

/** First the next hop is looked up, then the port is opened. Also for a leg of an earlier life that got no further. */
export function openOutbound(context: CallContext, leg: Leg): void {
  const { dialog } = leg.record;
  if (dialog !== null && dialog.peerAddress.port === NOWHERE.port) {
    const next = dialogNextHop(dialog);
    if (next === null) {
      context.hangup(leg, 'INVALID_NUMBER_FORMAT');
      return;
    }
    if (isIP(next.host) === 0) {
      leg.opening = 'resolve';
      context.emit({ kind: 'resolve', leg: leg.uuid, host: next.host, port: next.port });
      return;
    }
    setNextHop(leg, { ip: next.host, port: next.port ?? 5060 });
  }
  if (!openMedia(context, leg, 'invite')) context.hangup(leg, 'SWITCH_CONGESTION');
}

/** The host name of the next hop was looked up. */
export function resolved(context: CallContext, leg: Leg, resolution: Resolution): void {
  if (leg.opening !== 'resolve') return;
  leg.opening = null;
  const address = resolution.kind === 'addresses' ? resolution.addresses[0] : undefined;
  if (address === undefined) {
    const reason = resolution.kind === 'failed' ? resolution.reason : 'no address';
    context.logger.log('warning', `the next hop cannot be looked up: ${reason}`, { uuid: leg.uuid });
    context.hangup(leg, 'NETWORK_OUT_OF_ORDER');
    return;
  }
  setNextHop(leg, address);
  if (!openMedia(context, leg, 'invite')) context.hangup(leg, 'SWITCH_CONGESTION');
}

function setNextHop(leg: Leg, address: Address): void {
  const { dialog, caller } = leg.record;
  if (dialog === null) return;
  dialog.peerAddress = address;
  dialog.natAddress = address;
  caller.networkAddr = address.ip;
  leg.dirty = true;
}

/** The INVITE, once the port is open. */
export function sendInvite(context: CallContext, leg: Leg): void {
  const record = leg.record;
  const profile = context.profile(record.profileName);
  assert(record.dialog !== null && record.media !== null && profile !== null, `outbound leg ${leg.uuid} is complete`);
  const originator = record.originator === null ? null : (context.legs.get(record.originator.uuid) ?? null);
  const sdp = offerToCallee(context, leg, originator);
  if (sdp === null) {
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION');
    return;
  }
  record.media.localSdp = sdp;
  record.media.offer = 'local';
  const branch = `z9hG4bK${context.token(16)}`;
  const extensions = profile.reliableProvisionals ? `100rel, ${SUPPORTED}` : SUPPORTED;
  const headers = [
    { name: 'Allow', value: ALLOW },
    { name: 'Supported', value: extensions },
    ...offerInterval(profile, leg.sessionMinimum),
  ];
  const referredBy = originator?.record.variables['sip_h_Referred-By'];
  if (referredBy !== undefined) headers.push({ name: 'Referred-By', value: referredBy.replace(/[\r\n]/g, ' ') });
  const { callerIdName, callerIdNumber } = record.caller;
  headers.push(...(gatewayOf(context, leg)?.identityHeaders(callerIdName, callerIdNumber) ?? []));
  const request = dialogRequest(record.dialog, context.party(profile), {
    method: 'INVITE',
    branch,
    cseq: record.dialog.localCSeq,
    headers,
    body: sdp,
  });
  leg.requests.set(branch, request);
  followRequest(context, leg, request, branch, record.dialog.natAddress ?? record.dialog.peerAddress, 'invite');
}

/** A response to the first INVITE of an outbound leg. */
export function receiveInviteResponse(context: CallContext, leg: Leg, branch: string, response: SipResponse, source: Address): void {
  const record = leg.record;
  const dialog = record.dialog;
  const invite = findClient(leg, branch, 'INVITE');
  if (dialog === null) return;
  if (response.status < 200) {
    if (invite !== null) provisional(context, leg, response, source);
    return;
  }
  if (response.status < 300) {
    success(context, leg, invite, response, source);
    return;
  }
  if (invite === null) return;
  if (leg.up && sayWithCredentials(context, leg, invite, response)) return;
  finishClient(leg, branch, 'INVITE');
  record.variables['sip_term_status'] = String(response.status);
  record.variables['sip_invite_failure_status'] = String(response.status);
  record.variables['sip_invite_failure_phrase'] = response.reason;
  record.hangupCode = response.status;
  if (!leg.up) {
    finishLeg(context, leg);
    return;
  }
  if (anotherTry(context, leg, invite, response)) return;
  const cause = response.status < 400 ? 'REDIRECTION_TO_NEW_DESTINATION' : causeFromSip(response.status);
  context.hangup(leg, cause, { byPeer: true, disposition: 'recv_refuse' });
}

/** The INVITE goes out again: to the next contact of a 3xx, or with the session interval that a 422 asks for. */
function anotherTry(context: CallContext, leg: Leg, invite: ClientTransactionRecord, response: SipResponse): boolean {
  const { dialog, media } = leg.record;
  if (dialog === null || media === null) return false;
  const larger = response.status === 422 && minimumAsked(response) > leg.sessionMinimum;
  let routes: readonly string[] = [];
  if (larger) {
    // It goes where the first went: through the trunk's proxy, whatever a provisional response said of the dialog.
    const original = parseStoredRequest(invite.request);
    if (original === null) return false;
    leg.sessionMinimum = minimumAsked(response);
    dialog.remoteTarget = original.uri;
    dialog.natAddress = invite.destination;
    routes = headerValues(original, 'Route');
  } else if (!nextRedirect(context, leg, response)) return false;
  dialog.localCSeq += 1;
  dialog.remoteTag = null;
  dialog.routeSet = [...routes];
  leg.record.earlyDialogs = [];
  leg.reliableSeen.clear();
  sendInvite(context, leg);
  return true;
}

function provisional(context: CallContext, leg: Leg, response: SipResponse, source: Address): void {
  const record = leg.record;
  const dialog = record.dialog;
  const invite = record.clientTransactions.find((transaction) => transaction.purpose === 'invite');
  if (dialog === null || invite === undefined) return;
  if (response.status > invite.provisional) {
    invite.provisional = response.status;
    leg.dirty = true;
  }
  if (!leg.up) {
    sendCancel(context, leg);
    return;
  }
  const tag = tagOf(headerValue(response, 'To') ?? '');
  if (response.status === 100 || tag === null) return;
  const known = record.earlyDialogs.some((early) => early.remoteTag === tag);
  if (!known && record.earlyDialogs.length < MAXIMUM_EARLY_DIALOGS) {
    updateFromResponse(dialog, response, source);
    record.earlyDialogs.push({ remoteTag: tag, remoteTarget: dialog.remoteTarget, routeSet: dialog.routeSet });
    leg.dirty = true;
  }
  if (!acknowledgeReliable(context, leg, response, tag)) return;
  let earlyMedia = false;
  if (response.body !== '' && record.media !== null) {
    const agreed = acceptAnswer(leg, response.body);
    if (agreed !== null) {
      record.media.remoteSdp = response.body;
      setEndpoint(context, leg, endpointChangeOf(agreed, record.media.endpoint));
      earlyMedia = true;
      if (record.phase !== 'early') record.times.progressMedia ||= context.wallMicroseconds();
      record.phase = 'early';
    }
  }
  if (!earlyMedia && record.phase === 'setup') {
    record.phase = 'proceeding';
    record.times.progress ||= context.wallMicroseconds();
    context.event('CHANNEL_PROGRESS', leg);
  } else if (earlyMedia) {
    context.event('CHANNEL_PROGRESS_MEDIA', leg);
  }
  context.calleeProgress(leg, response.status, earlyMedia);
}

/** PRACK for a reliable provisional (RFC 3262 §4). False when it is a repeated one, which must not be handled again. */
function acknowledgeReliable(context: CallContext, leg: Leg, response: SipResponse, tag: string): boolean {
  const requires = headerValues(response, 'Require').some((value) => /100rel/i.test(value));
  const sequence = Number(headerValue(response, 'RSeq') ?? Number.NaN);
  const cseq = parseCSeq(headerValue(response, 'CSeq') ?? '');
  const dialog = leg.record.dialog;
  if (!requires || !Number.isInteger(sequence) || cseq === null || dialog === null) return true;
  const name = `reliable_${tag}`;
  const last = leg.reliableSeen.get(name) ?? 0;
  if (sequence <= last) return false;
  leg.reliableSeen.set(name, sequence);
  const early = leg.record.earlyDialogs.find((entry) => entry.remoteTag === tag);
  dialog.localCSeq += 1;
  const target: DialogRecord =
    early === undefined ? dialog : { ...dialog, remoteTag: tag, remoteTarget: early.remoteTarget, routeSet: early.routeSet };
  sendDialogRequest(context, leg, target, 'PRACK', dialog.localCSeq, {
    purpose: 'prack',
    headers: [{ name: 'RAck', value: `${sequence} ${cseq.number} ${cseq.method}` }],
  });
  return true;
}

function success(context: CallContext, leg: Leg, invite: ClientTransactionRecord | null, response: SipResponse, source: Address): void {
  const record = leg.record;
  const dialog = record.dialog;
  const cseq = parseCSeq(headerValue(response, 'CSeq') ?? '')?.number ?? 0;
  const tag = tagOf(headerValue(response, 'To') ?? '');
  if (dialog === null) return;
  if (invite === null) {
    // A fork's second 2xx: RFC 3261 §13.2.2.4, each one is acknowledged, and this one ended.
    if (tag === dialog.remoteTag) {
      repeatAcknowledge(context, leg, cseq);
      return;
    }
    const other: DialogRecord = { ...dialog, routeSet: [] };
    updateFromResponse(other, response, source);
    sendForkAcknowledge(context, leg, other, cseq);
    sendDialogRequest(context, leg, other, 'BYE', cseq + 1, { purpose: 'info' });
    return;
  }
  finishClient(leg, invite.branch, 'INVITE');
  updateFromResponse(dialog, response, source);
  record.earlyDialogs = [];
  acknowledge(context, leg, dialog, cseq, null, credentialHeaders(invite));
  record.acknowledged = true;
  if (!leg.up) {
    // The CANCEL lost the race.
    sayBye(context, leg);
    return;
  }
  setOutboundVariables(record.variables, response, source);
  record.redirect = null;
  agreeAsClient(context, leg, response);
  const media = record.media;
  const answerSdp = response.body !== '' ? response.body : (media?.remoteSdp ?? null);
  const agreed = answerSdp === null ? null : acceptAnswer(leg, answerSdp);
  record.phase = 'answered';
  record.times.answered = context.wallMicroseconds();
  record.variables['endpoint_disposition'] = 'ANSWER';
  if (agreed === null || media === null || answerSdp === null) {
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION');
    return;
  }
  media.remoteSdp = answerSdp;
  media.offer = 'none';
  record.variables['switch_r_sdp'] = answerSdp;
  setEndpoint(context, leg, endpointChangeOf(agreed, media.endpoint));
  context.event('CHANNEL_ANSWER', leg);
  context.calleeAnswered(leg);
}

/** ACK in a dialog that is not the leg's own: nothing is kept for it. */
function sendForkAcknowledge(context: CallContext, leg: Leg, dialog: DialogRecord, cseq: number): void {
  const kept = leg.record.clientTransactions.filter((transaction) => transaction.purpose === 'ack');
  acknowledge(context, leg, dialog, cseq, null);
  leg.record.clientTransactions = [...leg.record.clientTransactions.filter((transaction) => transaction.purpose !== 'ack'), ...kept];
}

function setOutboundVariables(variables: Record<string, string>, response: SipResponse, source: Address): void {
  const put = (name: string, value: string | number | null): void => {
    if (value !== null && value !== '') variables[name] = String(value);
  };
  put('sip_reply_host', source.ip);
  put('sip_reply_port', source.port);
  put('sip_network_ip', source.ip);
  put('sip_network_port', source.port);
  put('sip_user_agent', headerValue(response, 'User-Agent'));
  put('sip_allow', headerValues(response, 'Allow').join(', '));
  const contact = headerValue(response, 'Contact');
  put('sip_recover_contact', contact);
  put('sip_full_via', headerValues(response, 'Via').join(', '));
}

/** Timer B on the INVITE. */
export function inviteTimeout(context: CallContext, leg: Leg, branch: string): void {
  finishClient(leg, branch, 'INVITE');
  if (leg.up) context.hangup(leg, 'RECOVERY_ON_TIMER_EXPIRE', { byPeer: true, disposition: 'recv_refuse' });
  else finishLeg(context, leg);
}
