import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { sendRequest } from './signalling.ts';

/** Tries before a far end that does not answer is given up; one begins at the earliest this long after the one before: three over 90 s. */
const VERIFY_TRIES = 3;
const VERIFY_INTERVAL = 30_000;

/**
 * Asks the far end of a recovered dialog whether it still has the call: UPDATE without SDP where its Allow lists it,
 * else a re-INVITE with the unchanged SDP (same `o=` version).
 */
export function verify(context: CallContext, leg: Leg, how: 'auto' | 'reinvite'): void {
  const { dialog, media } = leg.record;
  if (!leg.answered || dialog === null || media === null || leg.verifyTries === null) return;
  if (leg.record.clientTransactions.some(({ purpose }) => purpose === 'verify' || purpose === 'reinvite')) return;
  if (media.localSdp === null && !(how === 'auto' && dialog.remoteAllow.includes('UPDATE'))) {
    // Nothing that could be asked without a change: the leg stays as it is.
    leg.verifyTries = null;
    return;
  }
  leg.verifyTries += 1;
  leg.verifyAskedAt = context.wallMicroseconds();
  if (how === 'auto' && dialog.remoteAllow.includes('UPDATE')) {
    sendRequest(context, leg, 'UPDATE', { purpose: 'verify' });
    return;
  }
  if (media.localSdp === null) return;
  media.offer = 'local';
  sendRequest(context, leg, 'INVITE', { purpose: 'verify', sdp: media.localSdp });
}

/** A new port was bound, since the old one was taken: the peer has to be told (same codecs, higher version). */
export function announcePort(context: CallContext, leg: Leg, sdp: string): void {
  const media = leg.record.media;
  if (media === null) return;
  media.localSdp = sdp;
  media.offer = 'local';
  sendRequest(context, leg, 'INVITE', { purpose: 'reinvite', sdp: media.localSdp });
}

/** The far end still has the call. */
export function verified(context: CallContext, leg: Leg): void {
  if (leg.verifyTries === null) return;
  leg.verifyTries = null;
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'verify', delayMilliseconds: null });
  context.recoveryOutcome(leg, 'verified', '');
}

/** No answer to a verification: once more later, or the leg is given up. */
export function verificationFailed(context: CallContext, leg: Leg): void {
  if (leg.verifyTries === null) {
    context.hangup(leg, 'RECOVERY_ON_TIMER_EXPIRE');
    return;
  }
  if (leg.verifyTries >= VERIFY_TRIES) {
    context.recoveryOutcome(leg, 'failed', `the far end did not answer ${VERIFY_TRIES} times`);
    context.hangup(leg, 'RECOVERY_ON_TIMER_EXPIRE');
    return;
  }
  const passed = (context.wallMicroseconds() - leg.verifyAskedAt) / 1000;
  const delayMilliseconds = Math.min(VERIFY_INTERVAL, Math.max(0, VERIFY_INTERVAL - passed));
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'verify', delayMilliseconds });
}
