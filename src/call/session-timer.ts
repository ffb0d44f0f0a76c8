import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { endOfSession, refreshDue, setSessionTimer } from './session-interval.ts';
import { negotiating, sendRequest } from './signalling.ts';

/** A peer whose session ran out while we were dead gets this long to refresh it; milliseconds. */
const GRACE_AFTER_CRASH = 32_000;
/** How soon a refresh that could not be sent, or was refused for now, is tried again; milliseconds. */
const SOONEST_RETRY = 2_000;

/** The session timer fired: we refresh, or nobody did and the session is over (RFC 4028 §7.2, §10). */
export function sessionTimerFired(context: CallContext, leg: Leg): void {
  const timer = leg.record.sessionTimer;
  if (timer === null || !leg.answered) return;
  const now = context.wallMicroseconds();
  const left = (endOfSession(timer) - now) / 1000;
  if (left <= 0) {
    context.logger.log('notice', `no refresh of the session within ${timer.interval} s`, { uuid: leg.uuid });
    context.hangup(leg, 'RECOVERY_ON_TIMER_EXPIRE');
    return;
  }
  if (!timer.weRefresh) {
    setSessionTimer(context, leg, left);
    return;
  }
  if (!negotiating(leg)) refresh(context, leg);
  setSessionTimer(context, leg, Math.min(left, Math.max(SOONEST_RETRY, left / 4)));
}

/** UPDATE without SDP where the peer allows it, else a re-INVITE with the unchanged SDP. */
function refresh(context: CallContext, leg: Leg): void {
  const { dialog, media } = leg.record;
  if (dialog === null || media === null) return;
  if (dialog.remoteAllow.includes('UPDATE')) {
    sendRequest(context, leg, 'UPDATE', { purpose: 'refresh' });
    return;
  }
  if (media.localSdp === null) return;
  media.offer = 'local';
  sendRequest(context, leg, 'INVITE', { purpose: 'refresh', sdp: media.localSdp });
}

/**
 * After a crash. The deadline passed while we were dead: as the refresher we refresh at once; else the peer gets 32 s to
 * do it, then BYE.
 */
export function resumeSessionTimer(context: CallContext, leg: Leg): void {
  const timer = leg.record.sessionTimer;
  if (timer === null || !leg.answered) return;
  const now = context.wallMicroseconds();
  const left = (endOfSession(timer) - now) / 1000;
  const due = timer.weRefresh ? (refreshDue(timer) - now) / 1000 : Math.max(left, GRACE_AFTER_CRASH);
  if (left < GRACE_AFTER_CRASH) {
    timer.deadline += Math.ceil((GRACE_AFTER_CRASH - left) * 1000);
    leg.dirty = true;
  }
  setSessionTimer(context, leg, due);
}
