import { bytesOf } from '../sip/index.ts';
import { resumeApplication } from './application.ts';
import { hasAccount } from './authenticate.ts';
import { partnerGone } from './bridge.ts';
import { enterRoom } from './conference.ts';
import type { CallContext } from './context.ts';
import { resumeBroadcast } from './control.ts';
import { finishLeg, sayBye, sendCancel } from './hangup.ts';
import { Leg } from './leg.ts';
import { openMedia } from './media-control.ts';
import { offerLater } from './offer.ts';
import { openOutbound } from './outbound.ts';
import type { LegRecord } from './record.ts';
import { resumeScheduledHangup } from './scheduled-hangup.ts';
import { resumeSessionTimer } from './session-timer.ts';
import { parseStoredRequest } from './signalling.ts';
import { resumeTransfer } from './transfer-outcome.ts';

/** Our CSeq goes on this much higher, so that a request sent without a save of its own is never repeated (gaps are legal). */
const CSEQ_GAP = 100;

/** First half of a recovery: the leg exists again and `media` is told; nothing is signalled yet. */
export function restoreMedia(context: CallContext, record: LegRecord): Leg {
  const leg = new Leg(record);
  record.times.resurrected = context.wallMicroseconds();
  record.variables['recovered'] = 'true';
  if (record.dialog !== null) record.dialog.localCSeq += CSEQ_GAP;
  for (const transaction of record.serverTransactions) {
    const request = parseStoredRequest(transaction.request);
    if (request !== null) leg.requests.set(transaction.key, request);
  }
  for (const transaction of record.clientTransactions) {
    const request = parseStoredRequest(transaction.request);
    if (request !== null) leg.requests.set(transaction.branch, request);
  }
  context.addLeg(leg);
  const endpoint = record.media?.endpoint ?? null;
  if (endpoint === null || !leg.up) return leg;
  leg.opening = 'resume';
  if (record.phase === 'setup' && record.direction === 'inbound' && record.execution === null) leg.opening = 'route';
  if (record.phase === 'setup' && record.direction === 'outbound' && record.clientTransactions.length === 0) leg.opening = 'invite';
  context.emit({ kind: 'media', leg: leg.uuid, endpoint, opening: true });
  return leg;
}

/** Second half: open transactions live again, what was pending is said again. */
export function restoreSignalling(context: CallContext, leg: Leg): void {
  const { record } = leg;
  for (const transaction of record.serverTransactions) {
    const request = leg.requests.get(transaction.key);
    if (request === undefined) continue;
    context.emit({ kind: 'restoreServer', leg: leg.uuid, profile: record.profileName, transaction, request });
    const success = transaction.method === 'INVITE' && transaction.responseStatus >= 200 && transaction.responseStatus < 300;
    if (transaction.response !== null && (success || transaction.reliableSequence !== null)) {
      const reliable = transaction.reliableSequence !== null && !success;
      const bytes = bytesOf(transaction.response);
      context.emit({ kind: 'repeatUntilAcknowledged', leg: leg.uuid, profile: record.profileName, key: transaction.key, bytes, reliable });
    }
  }
  for (const transaction of record.clientTransactions) {
    const request = leg.requests.get(transaction.branch);
    if (transaction.purpose === 'ack' || request === undefined) continue;
    const { branch, destination } = transaction;
    // A challenge may have been acknowledged just before the crash; nobody says it again unless the INVITE is said again.
    const challenged = transaction.purpose === 'invite' && transaction.provisional === 100 && hasAccount(context, leg);
    const provisional = challenged ? 0 : transaction.provisional;
    const bytes = bytesOf(transaction.request);
    const stored = parseStoredRequest(transaction.request) ?? request;
    context.emit({
      kind: 'restoreClient',
      leg: leg.uuid,
      profile: record.profileName,
      branch,
      request: stored,
      bytes,
      destination,
      provisional,
    });
  }
  if (record.phase === 'ended') {
    record.phase = 'ending';
    finishLeg(context, leg);
    context.recoveryOutcome(leg, 'finished', 'it had ended before the crash');
    return;
  }
  if (record.phase === 'ending') resumeHangup(context, leg);
}

/** Hangup had begun: finish it. */
function resumeHangup(context: CallContext, leg: Leg): void {
  const { record } = leg;
  context.recoveryOutcome(leg, 'finished', 'it was hanging up');
  const has = (purpose: string): boolean => record.clientTransactions.some((transaction) => transaction.purpose === purpose);
  const invite = record.clientTransactions.find((transaction) => transaction.purpose === 'invite');
  if (has('bye') || has('cancel')) return;
  if (invite !== undefined) {
    if (invite.provisional > 0) sendCancel(context, leg);
    return;
  }
  const waitsForAcknowledge = record.serverTransactions.some(
    (transaction) => transaction.method === 'INVITE' && transaction.responseStatus >= 200,
  );
  if (record.times.answered > 0 && record.acknowledged) sayBye(context, leg);
  else if (!waitsForAcknowledge) finishLeg(context, leg);
}

/** Third: applications go on where they were. All legs of the run must exist by now. */
export function resume(context: CallContext, leg: Leg): void {
  const { record } = leg;
  if (!leg.up) return;
  resumeScheduledHangup(context, leg);
  resumeSessionTimer(context, leg);
  if (record.media?.offerWaits === true) offerLater(context, leg);
  if (record.conference !== null) enterRoom(context, leg);
  if (record.media?.endpoint == null) {
    // The crash came before a port was chosen.
    if (record.phase !== 'setup') return;
    if (record.direction === 'outbound') {
      if (record.originator !== null) orphan(context, leg);
      if (leg.up) openOutbound(context, leg);
      if (leg.up) resumeExecution(context, leg);
    } else if (!openMedia(context, leg, 'route')) context.hangup(leg, 'SWITCH_CONGESTION');
    return;
  }
  if (record.partner !== null && context.legs.get(record.partner) === undefined) {
    partnerGone(context, leg, 'NORMAL_CLEARING');
    return;
  }
  if (leg.opening !== null && leg.opening !== 'resume') return;
  resumeBroadcast(context, leg);
  if (record.transfer != null) {
    resumeTransfer(context, leg);
    if (record.partner === null) return;
  }
  if (record.direction === 'outbound' && record.originator !== null && record.partner === null && record.execution === null) {
    orphan(context, leg);
    return;
  }
  resumeExecution(context, leg);
}

function resumeExecution(context: CallContext, leg: Leg): void {
  const { execution } = leg.record;
  if (execution === null) return;
  if (leg.record.direction === 'outbound' && !leg.answered) {
    // An originate that still rings: its applications begin with the answer.
    const left = Math.max(0, (execution.deadline - context.wallMicroseconds()) / 1000);
    context.emit({ kind: 'timer', leg: leg.uuid, name: 'originate', delayMilliseconds: left });
    return;
  }
  resumeApplication(context, leg);
}

/** An outbound leg whose originator is gone has nobody to talk to. */
function orphan(context: CallContext, leg: Leg): void {
  const originator = leg.record.originator === null ? undefined : context.legs.get(leg.record.originator.uuid);
  const awaited = originator?.record.bridgeAttempt?.callees.includes(leg.uuid) ?? false;
  if (!awaited) context.hangup(leg, 'ORIGINATOR_CANCEL');
}
