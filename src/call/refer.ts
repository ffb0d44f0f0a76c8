import type { SipRequest } from '../sip/index.ts';
import { formatUri, headerValue, headerValues, parseCSeq, parseNameAddress } from '../sip/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { partnerOf } from './offer.ts';
import type { ServerTransactionRecord } from './record.ts';
import { findReplaced, parseReplaces } from './replaces.ts';
import { respond } from './signalling.ts';
import { detach, move, succeed } from './transfer.ts';
import { notifyTransfer, transferOutcome } from './transfer-outcome.ts';

/** The Replaces in the header part of a Refer-To URI; undefined: none, null: unreadable. */
function replacesOf(headers: string | null): ReturnType<typeof parseReplaces> | undefined {
  const field = (headers ?? '').split('&').find((part) => /^replaces=/i.test(part));
  if (field === undefined) return undefined;
  try {
    return parseReplaces(decodeURIComponent(field.slice('replaces='.length)));
  } catch {
    return null;
  }
}

/**
 * REFER of the peer within the dialog (RFC 3515): blind, or with Replaces an attended transfer between two legs of ours.
 * Answered 202; the outcome is said by NOTIFY, unless the peer wants none (RFC 4488).
 */
export function receiveRefer(context: CallContext, leg: Leg, transaction: ServerTransactionRecord, request: SipRequest): void {
  const values = headerValues(request, 'Refer-To');
  const target = values.length === 1 ? parseNameAddress(values[0] ?? '') : null;
  const replaces = replacesOf(target?.uri.headers ?? null);
  if (target === null || replaces === null) {
    respond(context, leg, transaction, 400, { reason: 'Bad Refer-To' });
    return;
  }
  if (!leg.answered) {
    respond(context, leg, transaction, 403, { reason: 'Not Answered' });
    return;
  }
  if ((target.uri.parameters.get('method') ?? 'INVITE').toUpperCase() !== 'INVITE') {
    respond(context, leg, transaction, 501);
    return;
  }
  if (leg.record.transfer != null) {
    respond(context, leg, transaction, 491);
    return;
  }
  const partner = partnerOf(context, leg);
  const consulted = replaces === undefined ? null : findReplaced(context, replaces, true);
  const transferee = partner ?? (consulted === null ? null : partnerOf(context, consulted));
  if (transferee === null || consulted === leg) {
    respond(context, leg, transaction, 403, { reason: 'No Partner To Transfer' });
    return;
  }
  const subscribed = (headerValue(request, 'Refer-Sub') ?? 'true').trim().toLowerCase() !== 'false';
  const id = parseCSeq(headerValue(request, 'CSeq') ?? '')?.number ?? 0;
  respond(context, leg, transaction, 202, { headers: [{ name: 'Refer-Sub', value: String(subscribed) }] });
  leg.record.transfer = {
    id,
    kind: replaces === undefined ? 'blind' : 'attended',
    transferee: transferee.uuid,
    subscribed,
    state: 'trying',
  };
  const { variables } = leg.record;
  variables['sip_refer_to'] = values[0] ?? '';
  const referredBy = headerValue(request, 'Referred-By');
  transferee.record.variables['sip_refer_to'] = formatUri(target.uri);
  transferee.record.variables['sip_h_Referred-By'] = referredBy ?? `<${leg.record.dialog?.remoteTarget ?? ''}>`;
  leg.dirty = true;
  notifyTransfer(context, leg, 100);
  if (replaces !== undefined) {
    attended(context, leg, consulted, partner, transferee);
    return;
  }
  const contextName =
    variables['force_transfer_context'] ??
    transferee.record.variables['force_transfer_context'] ??
    variables['transfer_context'] ??
    transferee.record.caller.context;
  const dialplan = variables['force_transfer_dialplan'] ?? null;
  part(context, leg, transferee);
  move(context, transferee, target.uri.user ?? target.uri.host, dialplan, contextName);
  // Whoever does not ring somebody now has arrived.
  if (transferee.up && transferee.record.bridgeAttempt === null) transferOutcome(context, transferee, 200);
}

/** Separates transferor and transferee; the first waits for what becomes of the second. */
function part(context: CallContext, leg: Leg, transferee: Leg): void {
  const { transfer } = leg.record;
  leg.record.transfer = null;
  detach(context, leg, true);
  detach(context, transferee);
  leg.record.transfer = transfer ?? null;
  transferee.record.transferor = leg.uuid;
}

/** RFC 5589 §7: the transferor's two calls become one, and both its legs end. */
function attended(context: CallContext, leg: Leg, consulted: Leg | null, partner: Leg | null, transferee: Leg): void {
  const transfer = leg.record.transfer;
  if (transfer == null) return;
  const place = partner === null ? leg : consulted;
  if (consulted === null || place === null || !consulted.up) {
    fail(context, leg, 481);
    return;
  }
  leg.record.transfer = null;
  const outcome = succeed(context, transferee, place, true);
  if (outcome !== null) detach(context, leg);
  leg.record.transfer = transfer;
  leg.dirty = true;
  if (outcome === null) {
    fail(context, leg, 488);
    return;
  }
  if (!leg.up) return;
  transferee.record.transferor = leg.uuid;
  transferee.dirty = true;
  context.hangup(consulted, 'ATTENDED_TRANSFER', consulted.answered ? {} : { status: 487 });
  if (outcome === 'connected') transferOutcome(context, transferee, 200);
}

/** The transfer cannot be done; the call goes on as it was. */
function fail(context: CallContext, leg: Leg, status: number): void {
  if (leg.record.transfer == null) return;
  leg.record.transfer.state = 'failed';
  leg.dirty = true;
  notifyTransfer(context, leg, status);
  if (!leg.record.transfer.subscribed) leg.record.transfer = null;
}
