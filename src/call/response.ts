import type { Address } from '../base/index.ts';
import type { SipResponse } from '../sip/index.ts';
import { headerValue, parseCSeq, refreshTarget, tagOf } from '../sip/index.ts';
import { credentialHeaders, sayWithCredentials } from './authenticate.ts';
import type { CallContext } from './context.ts';
import { finishLeg } from './hangup.ts';
import { partnerRenegotiated } from './in-dialog.ts';
import type { Leg } from './leg.ts';
import { setEndpoint } from './media-control.ts';
import { acceptAnswer, endpointChangeOf } from './negotiation.ts';
import { codecsFit, offerIfWaiting, offerLater, partnerOf, reconnect, withdrawOffer } from './offer.ts';
import { inviteTimeout, receiveInviteResponse } from './outbound.ts';
import type { ClientTransactionRecord } from './record.ts';
import { agreeAsClient, raiseInterval, setSessionTimer } from './session-interval.ts';
import { acknowledge, findClient, finishClient, repeatAcknowledge } from './signalling.ts';
import { notified } from './transfer-outcome.ts';
import { verificationFailed, verified } from './verify.ts';

/** A response to a request of ours; 2xx to INVITE come once for each retransmission. */
export function receiveResponse(
  context: CallContext,
  leg: Leg,
  branch: string,
  method: string,
  response: SipResponse,
  source: Address,
): void {
  const transaction = findClient(leg, branch, method);
  if (method === 'INVITE' && (transaction === null || transaction.purpose === 'invite')) {
    const cseq = parseCSeq(headerValue(response, 'CSeq') ?? '')?.number ?? 0;
    // A 2xx of another tag is a fork's, and gets an ACK of its own.
    const own = tagOf(headerValue(response, 'To') ?? '') === leg.record.dialog?.remoteTag;
    if (transaction === null && own && response.status >= 200 && response.status < 300 && repeatAcknowledge(context, leg, cseq)) return;
    receiveInviteResponse(context, leg, branch, response, source);
    return;
  }
  if (transaction === null || response.status < 200) return;
  if (sayWithCredentials(context, leg, transaction, response)) return;
  finishClient(leg, branch, method);
  finished(context, leg, transaction, response, source);
}

/** A request of ours timed out: RFC 3261 §8.1.3.1, as if 408 had come. */
export function requestTimeout(context: CallContext, leg: Leg, branch: string, method: string): void {
  const transaction = findClient(leg, branch, method);
  if (transaction === null) return;
  if (transaction.purpose === 'invite') {
    inviteTimeout(context, leg, branch);
    return;
  }
  finishClient(leg, branch, method);
  finished(context, leg, transaction, null, null);
}

function finished(
  context: CallContext,
  leg: Leg,
  transaction: ClientTransactionRecord,
  response: SipResponse | null,
  source: Address | null,
): void {
  const status = response?.status ?? 408;
  switch (transaction.purpose) {
    case 'bye':
      finishLeg(context, leg);
      return;
    case 'reinvite':
    case 'verify':
    case 'refresh':
    case 'update':
      refreshed(context, leg, transaction, response, source, status);
      return;
    case 'notify':
      notified(context, leg, status);
      return;
    case 'prack':
    case 'info':
    case 'cancel':
    case 'refer':
    case 'ack':
    case 'invite':
      return;
    default:
      return;
  }
}

/** The end of a re-INVITE or UPDATE of ours. */
function refreshed(
  context: CallContext,
  leg: Leg,
  transaction: ClientTransactionRecord,
  response: SipResponse | null,
  source: Address | null,
  status: number,
): void {
  const { dialog, media } = leg.record;
  if (response !== null && status < 300 && dialog !== null && source !== null) {
    refreshTarget(dialog, response, source);
    if (transaction.method === 'INVITE') {
      const cseq = parseCSeq(headerValue(response, 'CSeq') ?? '')?.number ?? 0;
      acknowledge(context, leg, dialog, cseq, null, credentialHeaders(transaction));
    }
    if (!leg.up) return;
    agreeAsClient(context, leg, response);
    const agreed = media !== null && response.body !== '' ? acceptAnswer(leg, response.body) : null;
    if (media !== null) media.offer = 'none';
    if (media !== null && response.body !== '' && agreed === null) {
      context.logger.log('warning', 'the answer to our re-INVITE cannot be used', { uuid: leg.uuid });
      verified(context, leg);
      refused(context, leg, transaction.purpose, 488);
      return;
    }
    if (media !== null && agreed !== null) {
      media.remoteSdp = response.body;
      media.fallbackSdp = null;
      setEndpoint(context, leg, endpointChangeOf(agreed, media.endpoint));
      reconnect(context, leg);
    }
    verified(context, leg);
    partnerRenegotiated(context, leg, status);
    offerIfWaiting(context, leg);
    return;
  }
  if (media !== null) media.offer = 'none';
  // RFC 3261 §12.2.1.2: 481 and a timeout end the dialog; any other answer proves that the far end still has it.
  if (status === 481) {
    context.hangup(leg, 'NORMAL_TEMPORARY_FAILURE', { byPeer: true });
    return;
  }
  if (status === 408) {
    verificationFailed(context, leg);
    return;
  }
  verified(context, leg);
  if (status === 422 && response !== null && raiseInterval(context, leg, response)) setSessionTimer(context, leg, 0);
  refused(context, leg, transaction.purpose, status);
}

/** An offer of ours was refused: what was agreed holds again, or is offered later. */
function refused(context: CallContext, leg: Leg, purpose: ClientTransactionRecord['purpose'], status: number): void {
  if (purpose !== 'reinvite') {
    offerIfWaiting(context, leg);
    return;
  }
  withdrawOffer(leg);
  const partner = partnerOf(context, leg);
  if (status === 491 && (partner === null || codecsFit(leg, partner))) {
    offerLater(context, leg);
    return;
  }
  partnerRenegotiated(context, leg, status);
  if (partner !== null && !codecsFit(leg, partner)) {
    context.logger.log('warning', `no common codec with the partner: re-INVITE answered ${status}`, { uuid: leg.uuid });
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION');
    return;
  }
  offerIfWaiting(context, leg);
}
