import type { Address } from '../base/index.ts';
import { canRelay, readAudio } from '../sdp/index.ts';
import type { SipRequest } from '../sip/index.ts';
import { headerValue, parseCSeq, refreshTarget } from '../sip/index.ts';
import { applicationDigit } from './application.ts';
import { bind } from './bridge.ts';
import type { CallContext } from './context.ts';
import { sayBye } from './hangup.ts';
import { answer } from './inbound.ts';
import type { Leg } from './leg.ts';
import { setEndpoint } from './media-control.ts';
import { acceptAnswer, answerOffer, endpointChangeOf } from './negotiation.ts';
import { noteHoldTime, offerCodec, offerIfWaiting, partnerOf, reconnect } from './offer.ts';
import type { ServerTransactionRecord } from './record.ts';
import { receiveRefer } from './refer.ts';
import { intervalTooSmall } from './session-interval.ts';
import { openServerTransaction, respond } from './signalling.ts';

/** A request of the peer within the dialog. */
export function receiveRequest(context: CallContext, leg: Leg, key: string, request: SipRequest, source: Address): void {
  const dialog = leg.record.dialog;
  if (dialog === null) return;
  const transaction = openServerTransaction(leg, key, request, source);
  const cseq = parseCSeq(headerValue(request, 'CSeq') ?? '')?.number ?? 0;
  // RFC 3261 §12.2.2: a lower CSeq is out of order and MUST be rejected with 500.
  if (dialog.remoteCSeq !== null && cseq < dialog.remoteCSeq) {
    respond(context, leg, transaction, 500, { reason: 'CSeq Out Of Order' });
    return;
  }
  dialog.remoteCSeq = cseq;
  dialog.peerAddress = source;
  switch (request.method) {
    case 'BYE':
      receiveBye(context, leg, transaction, request);
      return;
    case 'INVITE':
    case 'UPDATE':
      receiveOffer(context, leg, transaction, request, source);
      return;
    case 'PRACK':
      receivePrack(context, leg, transaction, request);
      return;
    case 'INFO':
      receiveInfo(context, leg, transaction, request);
      return;
    case 'REFER':
      receiveRefer(context, leg, transaction, request);
      return;
    case 'OPTIONS':
      respond(context, leg, transaction, 200, { headers: [{ name: 'Accept', value: 'application/sdp' }] });
      return;
    case 'NOTIFY':
      respond(context, leg, transaction, 481);
      return;
    default:
      respond(context, leg, transaction, 405);
  }
}

function receiveBye(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest): void {
  const invite = leg.inviteTransaction();
  // RFC 3261 §15.1.2: a pending request of the peer gets 487.
  if (invite !== null && invite.responseStatus < 200) {
    respond(context, leg, invite, 487);
  }
  respond(context, leg, transaction, 200);
  const reason = headerValue(request, 'Reason');
  if (reason !== null) leg.record.variables['sip_hangup_reason'] = reason;
  context.emit({ kind: 'stopRepeating', leg: leg.uuid, key: invite?.key ?? '' });
  context.hangup(leg, 'NORMAL_CLEARING', { byPeer: true, disposition: 'recv_bye' });
}

/** re-INVITE (RFC 3261 §14.2) or UPDATE (RFC 3311): a new offer, or none and only a refresh. */
function receiveOffer(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest, source: Address): void {
  const media = leg.record.media;
  const dialog = leg.record.dialog;
  if (media === null || dialog === null || !leg.up) {
    respond(context, leg, transaction, leg.up ? 500 : 481);
    return;
  }
  const profile = context.profile(leg.record.profileName);
  const minimum = profile === null ? null : intervalTooSmall(profile, request);
  if (minimum !== null) {
    respond(context, leg, transaction, 422, { headers: [{ name: 'Min-SE', value: minimum }] });
    return;
  }
  // RFC 3261 §14.2, RFC 3311 §5.2: an INVITE or offer of ours is out.
  const ours = leg.record.clientTransactions.some(
    ({ method, purpose }) => purpose !== 'invite' && (method === 'INVITE' || (method === 'UPDATE' && purpose === 'update')),
  );
  if (ours && (request.method === 'INVITE' || request.body !== '')) {
    respond(context, leg, transaction, 491);
    return;
  }
  const unanswered = leg.record.serverTransactions.some(
    (other) => other !== transaction && other.method === 'INVITE' && other.responseStatus < 200,
  );
  if (unanswered && (request.method === 'INVITE' || (request.body !== '' && leg.answered))) {
    respond(context, leg, transaction, 500, { headers: [{ name: 'Retry-After', value: '1' }] });
    return;
  }
  refreshTarget(dialog, request, source);
  if (request.body === '') {
    if (request.method === 'UPDATE') {
      respond(context, leg, transaction, 200);
      return;
    }
    // An INVITE without an offer: ours is in the 200, the answer in the ACK.
    media.offer = 'local';
    respond(context, leg, transaction, 200, media.localSdp === null ? {} : { sdp: media.localSdp });
    return;
  }
  answerSession(context, leg, transaction, request, true);
}

/**
 * Answers a new offer. One that leaves only codecs which cannot be passed on to the partner is put to the partner first
 * (`ask`), and answered when the partner has agreed: `partnerRenegotiated`.
 */
function answerSession(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest, ask: boolean): void {
  const media = leg.record.media;
  if (media === null) return;
  const partner = partnerOf(context, leg);
  const partnerFormat = partner?.record.media?.endpoint?.format ?? null;
  const codec = partnerFormat?.name ?? media.endpoint?.format?.name ?? null;
  const local = media.held === 'local' || media.held === 'both';
  const answered = answerOffer(context, leg, request.body, codec, local ? 'sendonly' : 'sendrecv');
  if (answered.kind === 'rejected') {
    respond(context, leg, transaction, 488);
    return;
  }
  if (partner !== null && partnerFormat !== null && !canRelay(answered.format, partnerFormat)) {
    // RFC 3311 §5.2: an UPDATE cannot wait for the partner.
    if (!ask || request.method === 'UPDATE' || !offerCodec(context, partner, answered.format.name)) {
      respond(context, leg, transaction, 488);
      return;
    }
    respond(context, leg, transaction, 100);
    return;
  }
  media.remoteSdp = request.body;
  media.localSdp = answered.sdp;
  media.offer = 'none';
  leg.record.variables['switch_r_sdp'] = request.body;
  const change = endpointChangeOf(answered, media.endpoint);
  const theirs = readAudio(request.body);
  noteHold(context, leg, 'held' in theirs && theirs.held);
  setEndpoint(context, leg, change);
  reconnect(context, leg);
  respond(context, leg, transaction, 200, { sdp: answered.sdp });
}

/** A re-INVITE of ours is over: the partner's own, which may have been the reason for it, can be answered. */
export function partnerRenegotiated(context: CallContext, leg: Leg, status: number): void {
  const partner = partnerOf(context, leg);
  const waiting = partner?.record.serverTransactions.find(
    (entry) => entry.method === 'INVITE' && entry.responseStatus < 200 && partner.answered,
  );
  const request = waiting === undefined ? undefined : partner?.requests.get(waiting.key);
  if (partner === null || waiting === undefined || request === undefined) return;
  if (status < 300) answerSession(context, partner, waiting, request, false);
  else respond(context, partner, waiting, status === 491 ? 491 : 488);
}

/** The leg lost its partner while its peer's re-INVITE waited for that one: it is answered on its own. */
export function answerAlone(context: CallContext, leg: Leg): void {
  const waiting = leg.record.serverTransactions.find((entry) => entry.method === 'INVITE' && entry.responseStatus < 200);
  const request = waiting === undefined ? undefined : leg.requests.get(waiting.key);
  if (leg.answered && waiting !== undefined && request !== undefined) answerSession(context, leg, waiting, request, false);
}

/** The peer stopped or began to listen again. */
function noteHold(context: CallContext, leg: Leg, held: boolean): void {
  const media = leg.record.media;
  if (media === null || (media.held === 'remote' || media.held === 'both') === held) return;
  const local = media.held === 'local' || media.held === 'both';
  media.held = held ? (local ? 'both' : 'remote') : local ? 'local' : 'none';
  if (!local) noteHoldTime(context, leg, held);
  context.event(held ? 'CHANNEL_HOLD' : 'CHANNEL_UNHOLD', leg);
}

function receivePrack(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest): void {
  const invite = leg.inviteTransaction();
  const sequence = Number((headerValue(request, 'RAck') ?? '').split(/\s+/)[0] || Number.NaN);
  if (invite === null || invite.reliableSequence === null || invite.reliableSequence !== sequence) {
    respond(context, leg, transaction, 481);
    return;
  }
  invite.reliableSequence = null;
  context.emit({ kind: 'stopRepeating', leg: leg.uuid, key: invite.key });
  respond(context, leg, transaction, 200);
  if (leg.answerHeld) {
    leg.answerHeld = false;
    answer(context, leg);
    // The bridge was made while the 200 had to wait.
    const partner = leg.record.partner === null ? undefined : context.legs.get(leg.record.partner);
    if (partner !== undefined) bind(context, leg, partner);
  }
}

/** INFO with DTMF (`application/dtmf-relay`, `application/dtmf`). */
function receiveInfo(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest): void {
  const type = (headerValue(request, 'Content-Type') ?? '').toLowerCase();
  const relayed = /^\s*Signal\s*=\s*([0-9A-D*#])/im.exec(request.body);
  const plain = /^\s*([0-9A-D*#])\s*$/i.exec(request.body);
  const digit = (type.startsWith('application/dtmf-relay') ? relayed : type.startsWith('application/dtmf') ? plain : null)?.[1];
  respond(context, leg, transaction, 200);
  if (digit === undefined) return;
  const duration = Number(/Duration\s*=\s*(\d+)/i.exec(request.body)?.[1] ?? 100);
  receiveDtmf(context, leg, digit.toUpperCase(), duration, 'INFO');
  const partner = leg.record.partner === null ? undefined : context.legs.get(leg.record.partner);
  if (partner !== undefined)
    context.emit({ kind: 'sendDtmf', leg: partner.uuid, digits: digit.toUpperCase(), durationMilliseconds: duration });
}

export function receiveDtmf(context: CallContext, leg: Leg, digit: string, durationMilliseconds: number, source: 'RTP' | 'INFO'): void {
  context.event('DTMF', leg, [
    ['DTMF-Digit', digit],
    ['DTMF-Duration', String(durationMilliseconds * 8)],
    ['DTMF-Source', source],
  ]);
  applicationDigit(context, leg, digit);
}

/** The ACK to our 2xx; with the answer when the offer was ours. */
export function receiveAcknowledge(context: CallContext, leg: Leg, request: SipRequest): void {
  const media = leg.record.media;
  const cseq = parseCSeq(headerValue(request, 'CSeq') ?? '')?.number;
  const answered = leg.record.serverTransactions.find(
    (transaction) =>
      transaction.method === 'INVITE' && transaction.responseStatus >= 200 && transaction.request.includes(`CSeq: ${cseq ?? -1} INVITE`),
  );
  if (answered === undefined) return;
  leg.record.serverTransactions = leg.record.serverTransactions.filter((transaction) => transaction !== answered);
  leg.requests.delete(answered.key);
  leg.dirty = true;
  context.emit({ kind: 'stopRepeating', leg: leg.uuid, key: answered.key });
  const first = !leg.record.acknowledged;
  leg.record.acknowledged = true;
  if (!leg.up) {
    if (first && leg.record.phase === 'ending') sayBye(context, leg);
    return;
  }
  if (media === null) return;
  if (media.offer !== 'local' || leg.record.clientTransactions.some(({ purpose }) => purpose === 'reinvite')) {
    offerIfWaiting(context, leg);
    return;
  }
  const agreed = request.body === '' ? null : acceptAnswer(leg, request.body);
  if (agreed === null) {
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION');
    return;
  }
  media.remoteSdp = request.body;
  media.offer = 'none';
  setEndpoint(context, leg, endpointChangeOf(agreed, media.endpoint));
  reconnect(context, leg);
  offerIfWaiting(context, leg);
}
