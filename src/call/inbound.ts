import { isIP } from 'node:net';
import type { SipHeader, SipRequest } from '../sip/index.ts';
import { dialogFromInvite, formatUri, headerValue, headerValues, parseNameAddress, parseUri, parseVia } from '../sip/index.ts';
import { causeFromSip } from './cause.ts';
import type { CallContext } from './context.ts';
import { emptyCaller } from './context.ts';
import type { CallInput } from './input.ts';
import { Leg } from './leg.ts';
import { openMedia, setEndpoint } from './media-control.ts';
import { answerOffer, endpointChangeOf, offerWithoutPeer } from './negotiation.ts';
import { newLegRecord } from './new-leg.ts';
import type { ServerTransactionRecord } from './record.ts';
import { judgeReplaces } from './replaces.ts';
import { intervalTooSmall } from './session-interval.ts';
import { openServerTransaction, respond } from './signalling.ts';

/** Option tags that we understand, for Require (RFC 3261 §8.2.2.3). */
const SUPPORTED_OPTIONS = new Set(['100rel', 'replaces', 'timer', 'path', 'outbound']);

/** A new call comes in: 100 at once, then the media port, then the dialplan. */
export function receiveInvite(context: CallContext, input: Extract<CallInput, { kind: 'invite' }>): void {
  const { request, source } = input;
  const profile = context.profile(input.profile);
  if (profile === null) return;
  const from = parseNameAddress(headerValue(request, 'From') ?? '');
  const to = parseNameAddress(headerValue(request, 'To') ?? '');
  const target = parseUri(request.uri);
  const caller = emptyCaller();
  const number = from?.uri.user ?? 'anonymous';
  caller.username = input.user?.id ?? number;
  caller.dialplan = profile.dialplan;
  caller.callerIdNumber = number;
  caller.callerIdName = from?.displayName ?? number;
  caller.ani = number;
  caller.networkAddr = source.ip;
  caller.destinationNumber = input.gateway?.destination ?? target?.user ?? 'service';
  caller.context = input.user?.variables.get('user_context') ?? input.gateway?.context ?? profile.context;

  const party = context.party(profile);
  const { ip, port } = party.advertised;
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const record = newLegRecord(context, {
    direction: 'inbound',
    profile,
    caller,
    channelName: `sofia/${profile.name}/${number}@${from?.uri.host ?? source.ip}`,
  });
  record.dialog = dialogFromInvite(request, {
    localTag: context.token(13),
    localContact: `sip:${caller.destinationNumber}@${host}:${port};transport=udp`,
    source,
  });
  const leg = new Leg(record);
  if (input.user !== null) {
    for (const [name, value] of input.user.variables) record.variables[name] = value;
    record.variables['user_name'] = input.user.id;
    record.variables['domain_name'] = input.user.domain;
    record.variables['sip_authorized'] = 'true';
  }
  setInboundVariables(record.variables, input, { from, to, target });
  const transaction = openServerTransaction(leg, input.key, request, source);
  context.addLeg(leg);
  respond(context, leg, transaction, 100);
  context.event('CHANNEL_CREATE', leg);

  const unsupported = headerValues(request, 'Require')
    .flatMap((value) => value.split(','))
    .map((option) => option.trim().toLowerCase())
    .filter((option) => option !== '' && !SUPPORTED_OPTIONS.has(option));
  if (unsupported.length > 0) {
    respond(context, leg, transaction, 420, { headers: [{ name: 'Unsupported', value: unsupported.join(', ') }] });
    context.hangup(leg, 'INTERWORKING', { byPeer: true, disposition: 'send_refuse' });
    return;
  }
  if (!admit(context, leg, transaction, request)) return;
  if (!openMedia(context, leg, 'route')) {
    context.hangup(leg, 'SWITCH_CONGESTION', { status: 503, reason: 'No RTP Port Left' });
    return;
  }
  if (record.media !== null) record.media.remoteSdp = request.body === '' ? null : request.body;
  record.variables['switch_r_sdp'] = request.body;
}

/** Session interval too small, or a Replaces that cannot be done: refused before anything is opened for it. */
function admit(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest): boolean {
  const profile = context.profile(leg.record.profileName);
  const minimum = profile === null ? null : intervalTooSmall(profile, request);
  const refuse = (status: number, headers: readonly SipHeader[] = []): boolean => {
    respond(context, leg, transaction, status, { headers });
    leg.record.hangupCode = status;
    context.hangup(leg, causeFromSip(status), { byPeer: true, disposition: 'send_refuse' });
    return false;
  };
  if (minimum !== null) return refuse(422, [{ name: 'Min-SE', value: minimum }]);
  const replaces = headerValues(request, 'Replaces');
  if (replaces.length === 0) return true;
  const judged = judgeReplaces(context, replaces);
  if (judged.kind === 'refuse') return refuse(judged.status);
  leg.record.replaces = judged.leg.uuid;
  return true;
}

/** The channel variables that FreeSWITCH sets from an INVITE (sofia.c, sofia_handle_sip_i_invite). */
function setInboundVariables(
  variables: Record<string, string>,
  input: Extract<CallInput, { kind: 'invite' }>,
  parts: {
    readonly from: ReturnType<typeof parseNameAddress>;
    readonly to: ReturnType<typeof parseNameAddress>;
    readonly target: ReturnType<typeof parseUri>;
  },
): void {
  const { request, source } = input;
  const put = (name: string, value: string | number | null | undefined): void => {
    if (value !== null && value !== undefined && value !== '') variables[name] = String(value);
  };
  put('sip_gateway', input.gateway?.name);
  if (input.gateway?.fromTrunk === true) put('sip_gateway_name', input.gateway.name);
  put('sip_from_user', parts.from?.uri.user);
  put('sip_from_uri', parts.from === null ? null : `${parts.from.uri.user ?? ''}@${parts.from.uri.host}`);
  put('sip_from_host', parts.from?.uri.host);
  put('sip_from_display', parts.from?.displayName);
  put('sip_network_ip', source.ip);
  put('sip_network_port', source.port);
  put('sip_received_ip', source.ip);
  put('sip_received_port', source.port);
  put('sip_via_protocol', 'udp');
  put('sip_req_user', parts.target?.user);
  put('sip_req_uri', parts.target === null ? null : formatUri(parts.target).replace(/^sips?:/, ''));
  put('sip_req_host', parts.target?.host);
  put('sip_to_user', parts.to?.uri.user);
  put('sip_to_uri', parts.to === null ? null : `${parts.to.uri.user ?? ''}@${parts.to.uri.host}`);
  put('sip_to_host', parts.to?.uri.host);
  put('sip_call_id', headerValue(request, 'Call-ID'));
  put('sip_full_via', headerValues(request, 'Via').join(', '));
  put('sip_user_agent', headerValue(request, 'User-Agent'));
  put('sip_allow', headerValues(request, 'Allow').join(', '));
  put('max_forwards', headerValue(request, 'Max-Forwards'));
  const contact = parseNameAddress(headerValue(request, 'Contact') ?? '');
  put('sip_contact_user', contact?.uri.user);
  put('sip_contact_port', contact?.uri.port);
  put('sip_contact_uri', contact === null ? null : formatUri(contact.uri).replace(/^sips?:/, ''));
  put('sip_contact_host', contact?.uri.host);
  const via = parseVia(headerValue(request, 'Via') ?? '');
  put('sip_via_host', via?.host);
  put('sip_via_port', via?.port);
  put('sip_via_rport', via?.parameters.get('rport'));
  if (contact !== null && isIP(contact.uri.host) !== 0 && contact.uri.host !== source.ip) put('sip_nat_detected', 'true');
  const route = headerValues(request, 'Record-Route');
  if (route.length > 0) put('sip_invite_record_route', route.join(','));
}

/** 180 Ringing to the caller, unless it heard more already. */
export function ringReady(context: CallContext, leg: Leg): void {
  const transaction = leg.inviteTransaction();
  if (leg.record.direction !== 'inbound' || transaction === null || !leg.up || leg.answered || leg.record.phase === 'early') return;
  if (transaction.responseStatus === 180) return;
  leg.record.phase = 'proceeding';
  leg.record.times.progress ||= context.wallMicroseconds();
  sendProvisional(context, leg, 180, null);
  context.event('CHANNEL_PROGRESS', leg);
}

/** 183 with SDP: early media towards the caller. False when no common codec exists (then the leg is refused). */
export function preAnswer(context: CallContext, leg: Leg, preferredCodec: string | null = null): boolean {
  const transaction = leg.inviteTransaction();
  if (leg.record.direction !== 'inbound' || transaction === null || !leg.up || leg.answered || leg.record.phase === 'early') return leg.up;
  if (leg.record.media?.remoteSdp === null) {
    ringReady(context, leg);
    return true;
  }
  const sdp = negotiateAnswer(context, leg, preferredCodec);
  if (sdp === null) return false;
  leg.record.phase = 'early';
  leg.record.times.progressMedia ||= context.wallMicroseconds();
  sendProvisional(context, leg, 183, sdp);
  context.event('CHANNEL_PROGRESS_MEDIA', leg);
  return true;
}

/** A provisional response, reliable when the peer requires it, or supports it and the profile enables it (RFC 3262 §3). */
function sendProvisional(context: CallContext, leg: Leg, status: number, sdp: string | null): void {
  const transaction = leg.inviteTransaction();
  const profile = context.profile(leg.record.profileName);
  const request = transaction === null ? undefined : leg.requests.get(transaction.key);
  if (transaction === null || profile === null || request === undefined) return;
  const has = (header: string): boolean => headerValues(request, header).some((value) => /(^|[,\s])100rel([,\s]|$)/i.test(value));
  const outstanding = transaction.reliableSequence !== null;
  const reliable = has('Require') || (profile.reliableProvisionals && has('Supported'));
  // RFC 3262 §3: a second reliable provisional must not be sent before the first is acknowledged.
  if (reliable && outstanding) return;
  const sequence = reliable ? 1 + (context.uint32() % 0x7fff_fffe) : null;
  respond(context, leg, transaction, status, {
    ...(sdp === null ? {} : { sdp }),
    headers:
      sequence === null
        ? []
        : [
            { name: 'Require', value: '100rel' },
            { name: 'RSeq', value: String(sequence) },
          ],
  });
}

/** Answers the peer's offer with the codec that the other leg uses where possible; null when the leg had to be refused. */
function negotiateAnswer(context: CallContext, leg: Leg, preferredCodec: string | null): string | null {
  const media = leg.record.media;
  if (media === null || media.remoteSdp === null) return null;
  // RFC 3261 §13.3.1.4: an answer given in a reliable provisional is repeated unchanged.
  if (media.localSdp !== null && media.offer === 'none') return media.localSdp;
  const answer = answerOffer(context, leg, media.remoteSdp, preferredCodec);
  if (answer.kind === 'rejected') {
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION', { status: 488, reason: 'Not Acceptable Here' });
    return null;
  }
  media.localSdp = answer.sdp;
  media.offer = 'none';
  setEndpoint(context, leg, endpointChangeOf(answer));
  return answer.sdp;
}

/** 200 to the caller. True when the leg is answered now (or was, or is an outbound one). */
export function answer(context: CallContext, leg: Leg, preferredCodec: string | null = null): boolean {
  if (leg.answered || leg.record.direction === 'outbound') return leg.up;
  const transaction = leg.inviteTransaction();
  const media = leg.record.media;
  if (!leg.up || transaction === null || media === null) return false;
  let sdp: string | null;
  if (media.remoteSdp === null) {
    sdp = offerWithoutPeer(context, leg);
    media.localSdp = sdp;
    media.offer = 'local';
  } else {
    sdp = negotiateAnswer(context, leg, preferredCodec);
  }
  if (sdp === null) return false;
  // RFC 3262 §5: no 2xx while a reliable provisional with a session description is unacknowledged.
  if (transaction.reliableSequence !== null && leg.record.phase === 'early') {
    leg.answerHeld = true;
    return true;
  }
  leg.record.phase = 'answered';
  leg.record.times.answered = context.wallMicroseconds();
  leg.record.variables['endpoint_disposition'] = 'ANSWER';
  context.emit({ kind: 'stopRepeating', leg: leg.uuid, key: transaction.key });
  respond(context, leg, transaction, 200, { sdp });
  // Timeouts of RTP count from the answer.
  setEndpoint(context, leg, {});
  context.event('CHANNEL_ANSWER', leg);
  return true;
}
