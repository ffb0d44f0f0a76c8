import { causeNumber } from '../base/index.ts';
import { createCancel } from '../sip/index.ts';
import { reasonHeader, sipFromCause } from './cause.ts';
import type { CallContext, HangupOptions } from './context.ts';
import type { Leg } from './leg.ts';
import { finishClient, followRequest, respond, sendRequest } from './signalling.ts';

/**
 * Ends a leg in whatever state it is: refuses, cancels or says BYE, lets its partner go on, and ends it when the peer
 * has been told. Calling it again changes nothing.
 */
export function hangup(context: CallContext, leg: Leg, cause: string, options: HangupOptions = {}): void {
  if (!leg.up) return;
  const record = leg.record;
  const wasAnswered = record.phase === 'answered';
  record.phase = 'ending';
  record.hangupCause = cause;
  record.times.hangup = context.wallMicroseconds();
  leg.opening = null;
  leg.dirty = true;
  const bridgeAttempt = record.bridgeAttempt;
  record.bridgeAttempt = null;
  record.variables['hangup_cause'] = cause;
  record.variables['hangup_cause_q850'] = String(causeNumber(cause));
  for (const name of ['application', 'originate', 'hangup', 'verify', 'session', 'offer'] as const) {
    context.emit({ kind: 'timer', leg: leg.uuid, name, delayMilliseconds: null });
  }
  finishExecution(context, leg);
  context.event('CHANNEL_HANGUP', leg, [['Hangup-Cause', cause]]);
  for (const callee of bridgeAttempt?.callees ?? []) {
    const calleeLeg = context.legs.get(callee);
    if (calleeLeg !== undefined) context.hangup(calleeLeg, 'ORIGINATOR_CANCEL');
  }
  context.leaveTransfer(leg, sipFromCause(cause));
  context.leaveConference(leg);
  context.unbridge(leg);
  context.emit({ kind: 'closeMedia', leg: leg.uuid });
  tellPeer(context, leg, cause, wasAnswered, options);
  record.variables['sip_hangup_disposition'] = record.hangupDisposition;
  if (record.direction === 'outbound' && !wasAnswered) context.calleeFailed(leg);
}

/** The running application is over, whatever it was. */
export function finishExecution(context: CallContext, leg: Leg): void {
  const execution = leg.record.execution;
  if (execution === null || !execution.running) return;
  execution.running = false;
  const running = execution.applications[execution.index];
  if (running === undefined) return;
  context.event('CHANNEL_EXECUTE_COMPLETE', leg, [
    ['Application', running.application],
    ['Application-Data', running.data],
  ]);
}

function tellPeer(context: CallContext, leg: Leg, cause: string, wasAnswered: boolean, options: HangupOptions): void {
  const record = leg.record;
  if (options.byPeer === true) {
    record.hangupDisposition = options.disposition ?? (wasAnswered ? 'recv_bye' : 'recv_refuse');
    finishLeg(context, leg);
    return;
  }
  if (wasAnswered) {
    record.hangupDisposition = 'send_bye';
    for (const transaction of record.serverTransactions) {
      if (transaction.method === 'INVITE' && transaction.responseStatus < 200) respond(context, leg, transaction, 487);
    }
    // RFC 3261 §15: the callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its 2xx.
    if (record.direction === 'inbound' && !record.acknowledged) return;
    sayBye(context, leg);
    return;
  }
  if (record.direction === 'inbound') {
    const transaction = leg.inviteTransaction();
    record.hangupDisposition = options.disposition ?? 'send_refuse';
    if (transaction !== null && transaction.responseStatus < 200) {
      context.emit({ kind: 'stopRepeating', leg: leg.uuid, key: transaction.key });
      const status = options.status ?? sipFromCause(cause);
      record.hangupCode = status;
      respond(context, leg, transaction, status, {
        ...(options.reason === undefined ? {} : { reason: options.reason }),
        headers: [{ name: 'Reason', value: reasonHeader(cause) }, ...(options.headers ?? [])],
      });
    }
    finishLeg(context, leg);
    return;
  }
  record.hangupDisposition = 'send_cancel';
  const invite = record.clientTransactions.find((transaction) => transaction.purpose === 'invite');
  if (invite === undefined) {
    finishLeg(context, leg);
    return;
  }
  // RFC 3261 §9.1: without a provisional response the CANCEL has to wait for one.
  if (invite.provisional > 0) sendCancel(context, leg);
}

/** BYE, after which the leg is over whatever the answer. */
export function sayBye(context: CallContext, leg: Leg): void {
  const cause = leg.record.hangupCause ?? 'NORMAL_CLEARING';
  sendRequest(context, leg, 'BYE', { purpose: 'bye', headers: [{ name: 'Reason', value: reasonHeader(cause) }] });
}

/** CANCEL of the leg's INVITE (RFC 3261 §9.1), once. */
export function sendCancel(context: CallContext, leg: Leg): void {
  const invite = leg.record.clientTransactions.find((transaction) => transaction.purpose === 'invite');
  if (invite === undefined || leg.record.clientTransactions.some((transaction) => transaction.purpose === 'cancel')) return;
  const request = leg.requests.get(invite.branch);
  if (request === undefined) return;
  followRequest(context, leg, createCancel(request), invite.branch, invite.destination, 'cancel');
}

/** The peer has been told, or cannot be: CDR, then the row goes. */
export function finishLeg(context: CallContext, leg: Leg): void {
  if (leg.record.phase === 'ended') return;
  leg.record.phase = 'ended';
  leg.dirty = true;
  for (const transaction of [...leg.record.clientTransactions]) finishClient(leg, transaction.branch, transaction.method);
  context.event('CHANNEL_HANGUP_COMPLETE', leg, [['Hangup-Cause', leg.record.hangupCause ?? 'NORMAL_CLEARING']]);
  context.event('CHANNEL_DESTROY', leg);
  context.emit({ kind: 'end', leg: leg.uuid, record: leg.record });
  context.removeLeg(leg);
}
