import { reasonPhrase } from '../sip/index.ts';
import { bind } from './bridge.ts';
import type { CallContext } from './context.ts';
import { finishExecution } from './hangup.ts';
import type { Leg } from './leg.ts';
import { sendRequest } from './signalling.ts';

/** RFC 3515 §2.4.4: what became of the reference, as a message/sipfrag. */
export function notifyTransfer(context: CallContext, leg: Leg, status: number): void {
  const transfer = leg.record.transfer;
  if (transfer == null || !transfer.subscribed || !leg.up) return;
  sendRequest(context, leg, 'NOTIFY', {
    purpose: 'notify',
    headers: [
      { name: 'Event', value: `refer;id=${transfer.id}` },
      { name: 'Subscription-State', value: status < 200 ? 'active;expires=180' : 'terminated;reason=noresource' },
    ],
    body: { type: 'message/sipfrag;version=2.0', text: `SIP/2.0 ${status} ${reasonPhrase(status)}\r\n` },
  });
}

/**
 * The new call of a transferee was answered (2xx) or failed. On a failure the two old partners have each other again, as
 * long as both are there; then true.
 */
export function transferOutcome(context: CallContext, transferee: Leg, status: number): boolean {
  const uuid = transferee.record.transferor;
  if (uuid == null) return false;
  transferee.record.transferor = null;
  transferee.dirty = true;
  const leg = context.legs.get(uuid);
  const transfer = leg?.record.transfer;
  if (leg === undefined || !leg.up || transfer == null || transfer.state !== 'trying') return false;
  const returns = status >= 300 && transferee.up && transferee.answered && leg.answered;
  transfer.state = returns ? 'failed' : 'done';
  leg.dirty = true;
  notifyTransfer(context, leg, status);
  if (returns) {
    finishExecution(context, transferee);
    transferee.record.execution = null;
    bind(context, leg, transferee);
  }
  endWhenTold(context, leg);
  return returns;
}

/** A transferor leaves when its peer has the last NOTIFY; one whose transfer failed goes on. */
function endWhenTold(context: CallContext, leg: Leg): void {
  const transfer = leg.record.transfer;
  if (transfer == null || transfer.state === 'trying') return;
  if (leg.record.clientTransactions.some(({ purpose }) => purpose === 'notify')) return;
  leg.record.transfer = null;
  leg.dirty = true;
  if (transfer.state === 'done') context.hangup(leg, transfer.kind === 'blind' ? 'BLIND_TRANSFER' : 'ATTENDED_TRANSFER');
}

/** Our NOTIFY has its final response. RFC 6665 §4.2.2: a failure ends the subscription, not the call. */
export function notified(context: CallContext, leg: Leg, status: number): void {
  const transfer = leg.record.transfer;
  if (transfer == null) return;
  if (status >= 300 && transfer.subscribed) {
    transfer.subscribed = false;
    leg.dirty = true;
  }
  endWhenTold(context, leg);
}

/** A leg goes, or does something else: what it was transferring, or transferred by, is told. */
export function leaveTransfer(context: CallContext, leg: Leg, status: number): void {
  transferOutcome(context, leg, leg.up ? 200 : status);
  const transfer = leg.record.transfer;
  if (transfer == null) return;
  leg.record.transfer = null;
  leg.dirty = true;
  const transferee = context.legs.get(transfer.transferee);
  if (transferee?.record.transferor !== leg.uuid) return;
  transferee.record.transferor = null;
  transferee.dirty = true;
}

/** After a crash: a transferor waits for the outcome again, or for its NOTIFY to be answered. */
export function resumeTransfer(context: CallContext, leg: Leg): void {
  const transfer = leg.record.transfer;
  if (transfer == null) return;
  const transferee = context.legs.get(transfer.transferee);
  if (transfer.state === 'trying' && transferee?.record.transferor !== leg.uuid) {
    transfer.state = 'done';
    leg.dirty = true;
    notifyTransfer(context, leg, 503);
  }
  endWhenTold(context, leg);
}
