import type { Address } from '../base/index.ts';
import { assert } from '../base/index.ts';
import type { SipProfile } from '../config/index.ts';
import type { SipHeader, SipRequest } from '../sip/index.ts';
import { ALLOW, bytesOf, createResponse, dialogDestination, dialogRequest, messageText, parseMessage } from '../sip/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import type { ClientTransactionRecord, DialogRecord, ServerTransactionRecord } from './record.ts';
import { agreeAsServer, refreshHeaders } from './session-interval.ts';

/** Extensions that we know, for Supported. */
export const SUPPORTED = 'timer, replaces';

/** A request stored as text; the store holds only what we parsed before, so it parses again. */
export function parseStoredRequest(text: string): SipRequest | null {
  const parsed = parseMessage(bytesOf(text));
  return parsed.kind === 'message' && parsed.message.kind === 'request' ? parsed.message : null;
}

export function openServerTransaction(leg: Leg, key: string, request: SipRequest, source: Address): ServerTransactionRecord {
  pruneAnswered(leg);
  const transaction: ServerTransactionRecord = {
    method: request.method,
    key,
    request: messageText(request),
    source,
    response: null,
    responseStatus: 0,
    reliableSequence: null,
    answeredAt: 0,
  };
  leg.record.serverTransactions.push(transaction);
  leg.requests.set(key, request);
  leg.dirty = true;
  return transaction;
}

/**
 * Answered transactions stay in the record until the next change, so that the save which precedes the response holds
 * its bytes; a 2xx to INVITE stays until its ACK.
 */
function pruneAnswered(leg: Leg): void {
  const isOpen = (transaction: ServerTransactionRecord): boolean =>
    transaction.responseStatus < 200 || (transaction.method === 'INVITE' && transaction.responseStatus < 300);
  for (const transaction of leg.record.serverTransactions) if (!isOpen(transaction)) leg.requests.delete(transaction.key);
  leg.record.serverTransactions = leg.record.serverTransactions.filter(isOpen);
}

export interface ResponseParts {
  readonly sdp?: string;
  readonly headers?: readonly SipHeader[];
  readonly reason?: string;
}

/** Builds a response of this leg, keeps it for retransmissions and for the store, and sends it behind the barrier. */
export function respond(
  context: CallContext,
  leg: Leg,
  transaction: ServerTransactionRecord,
  status: number,
  parts: ResponseParts = {},
): void {
  const request = leg.requests.get(transaction.key);
  const dialog = leg.record.dialog;
  const profile = context.profile(leg.record.profileName);
  assert(request !== undefined && dialog !== null && profile !== null, `leg ${leg.uuid} answers a request that it holds`);
  const party = context.party(profile);
  const headers: SipHeader[] = [];
  const targetRefresh = transaction.method === 'INVITE' || transaction.method === 'UPDATE';
  if (targetRefresh && status > 100 && status < 300) headers.push({ name: 'Contact', value: `<${dialog.localContact}>` });
  headers.push({ name: 'User-Agent', value: party.userAgent });
  if (status !== 100) headers.push({ name: 'Allow', value: ALLOW });
  if (targetRefresh && status >= 200 && status < 300) {
    headers.push({ name: 'Supported', value: SUPPORTED }, ...agreeAsServer(context, leg, request));
  }
  headers.push(...(parts.headers ?? []));
  if (parts.sdp !== undefined) headers.push({ name: 'Content-Type', value: 'application/sdp' });
  const response = createResponse(request, status, {
    ...(parts.reason === undefined ? {} : { reason: parts.reason }),
    ...(status === 100 ? {} : { toTag: dialog.localTag }),
    headers,
    body: parts.sdp ?? '',
  });
  const text = messageText(response);
  const bytes = bytesOf(text);
  const reliable = parts.headers?.find((header) => header.name === 'RSeq');
  if (status !== 100) {
    transaction.response = text;
    transaction.responseStatus = status;
    transaction.reliableSequence = reliable === undefined ? null : Number(reliable.value);
    transaction.answeredAt = status >= 200 && status < 300 && transaction.method === 'INVITE' ? context.wallMicroseconds() : 0;
    leg.dirty = true;
  }
  context.emit({ kind: 'respond', leg: leg.uuid, key: transaction.key, status, bytes });
  const repeats = (status < 300 && status >= 200 && transaction.method === 'INVITE') || reliable !== undefined;
  if (repeats) {
    const { profileName } = leg.record;
    context.emit({
      kind: 'repeatUntilAcknowledged',
      leg: leg.uuid,
      profile: profileName,
      key: transaction.key,
      bytes,
      reliable: reliable !== undefined,
    });
  }
}

export interface RequestOptions {
  readonly purpose: ClientTransactionRecord['purpose'];
  readonly sdp?: string;
  /** A body that is no SDP. */
  readonly body?: { readonly type: string; readonly text: string };
  readonly headers?: readonly SipHeader[];
}

/** Sends a request within the dialog, followed to its final response, behind the barrier. */
export function sendRequest(context: CallContext, leg: Leg, method: string, options: RequestOptions): ClientTransactionRecord {
  const dialog = leg.record.dialog;
  assert(dialog !== null, `leg ${leg.uuid} has a dialog`);
  dialog.localCSeq += 1;
  return sendDialogRequest(context, leg, dialog, method, dialog.localCSeq, options);
}

/** The same in a given dialog, whose CSeq the caller keeps: an early dialog of a fork. */
export function sendDialogRequest(
  context: CallContext,
  leg: Leg,
  dialog: DialogRecord,
  method: string,
  cseq: number,
  options: RequestOptions,
): ClientTransactionRecord {
  const profile = context.profile(leg.record.profileName);
  assert(profile !== null, `profile ${leg.record.profileName} of leg ${leg.uuid} exists`);
  const branch = `z9hG4bK${context.token(16)}`;
  const refreshesTarget = method === 'INVITE' || method === 'UPDATE';
  const request = dialogRequest(dialog, context.party(profile), {
    method,
    branch,
    cseq,
    headers: [...(refreshesTarget ? targetRefreshHeaders(leg, profile) : []), ...(options.headers ?? [])],
    body: options.body?.text ?? options.sdp ?? '',
    ...(options.body === undefined ? {} : { contentType: options.body.type }),
  });
  return followRequest(context, leg, request, branch, dialogDestination(dialog), options.purpose);
}

/** A re-INVITE or UPDATE without Session-Expires would end the session timer (RFC 4028 §7.4). */
function targetRefreshHeaders(leg: Leg, profile: SipProfile): readonly SipHeader[] {
  return [{ name: 'Allow', value: ALLOW }, { name: 'Supported', value: SUPPORTED }, ...refreshHeaders(leg, profile)];
}

/** Records and sends a request that is already built. */
export function followRequest(
  context: CallContext,
  leg: Leg,
  request: SipRequest,
  branch: string,
  destination: Address,
  purpose: ClientTransactionRecord['purpose'],
): ClientTransactionRecord {
  const text = messageText(request);
  const transaction: ClientTransactionRecord = { method: request.method, branch, request: text, destination, provisional: 0, purpose };
  leg.record.clientTransactions.push(transaction);
  leg.dirty = true;
  const { profileName } = leg.record;
  context.emit({ kind: 'request', leg: leg.uuid, profile: profileName, branch, request, bytes: bytesOf(text), destination });
  return transaction;
}

/** The ACK to a 2xx (RFC 3261 §13.2.2.4): kept in the record, since a retransmitted 2xx wants it again, also after a crash. */
export function acknowledge(
  context: CallContext,
  leg: Leg,
  dialog: DialogRecord,
  cseq: number,
  sdp: string | null,
  headers: readonly SipHeader[] = [],
): void {
  const profile = context.profile(leg.record.profileName);
  assert(profile !== null, `profile ${leg.record.profileName} of leg ${leg.uuid} exists`);
  const branch = `z9hG4bK${context.token(16)}`;
  const request = dialogRequest(dialog, context.party(profile), {
    method: 'ACK',
    branch,
    cseq,
    headers,
    ...(sdp === null ? {} : { body: sdp }),
  });
  const text = messageText(request);
  const destination = dialogDestination(dialog);
  const others = leg.record.clientTransactions.filter((transaction) => transaction.purpose !== 'ack');
  leg.record.clientTransactions = [...others, { method: 'ACK', branch, request: text, destination, provisional: 0, purpose: 'ack' }];
  leg.dirty = true;
  context.emit({ kind: 'datagram', leg: leg.uuid, profile: leg.record.profileName, bytes: bytesOf(text), destination });
}

/** Says the stored ACK again, behind the save of the first one when that is still under way; false when there is none for that CSeq. */
export function repeatAcknowledge(context: CallContext, leg: Leg, cseq: number): boolean {
  const stored = leg.record.clientTransactions.find((transaction) => transaction.purpose === 'ack');
  if (stored === undefined || !stored.request.includes(`CSeq: ${cseq} ACK`)) return false;
  const { profileName } = leg.record;
  context.emit({
    kind: 'datagram',
    leg: leg.uuid,
    profile: profileName,
    bytes: bytesOf(stored.request),
    destination: stored.destination,
  });
  return true;
}

/** Takes a finished client transaction out of the record. */
export function finishClient(leg: Leg, branch: string, method: string): ClientTransactionRecord | null {
  const index = leg.record.clientTransactions.findIndex((transaction) => transaction.branch === branch && transaction.method === method);
  if (index < 0) return null;
  const [transaction] = leg.record.clientTransactions.splice(index, 1);
  leg.dirty = true;
  return transaction ?? null;
}

export function findClient(leg: Leg, branch: string, method: string): ClientTransactionRecord | null {
  return leg.record.clientTransactions.find((transaction) => transaction.branch === branch && transaction.method === method) ?? null;
}

/** An INVITE or UPDATE within the dialog is open, or its 2xx without ACK: no other may go out (RFC 3261 §14.1). */
export function negotiating(leg: Leg): boolean {
  const ours = leg.record.clientTransactions.some(
    ({ method, purpose }) => (method === 'INVITE' || method === 'UPDATE') && purpose !== 'invite' && purpose !== 'ack',
  );
  const theirs = leg.record.serverTransactions.some(({ method, responseStatus }) => method === 'INVITE' && responseStatus < 300);
  return ours || theirs;
}
