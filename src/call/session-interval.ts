import type { SipProfile } from '../config/index.ts';
import type { SipHeader, SipRequest, SipResponse } from '../sip/index.ts';
import { headerValue, headerValues } from '../sip/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import type { SessionTimerRecord } from './record.ts';

/** RFC 4028 §5: no interval below 90 s. */
const SMALLEST_INTERVAL = 90;
/** RFC 4028 §10: without a refresh, BYE this long before the end, or a third of the interval if that is less. Seconds. */
const END_EARLY = 32;

export interface SessionExpires {
  /** Seconds. */
  readonly interval: number;
  readonly refresher: 'uac' | 'uas' | null;
}

/** Session-Expires of a message, null when there is none that can be read. */
export function sessionExpiresOf(message: SipRequest | SipResponse): SessionExpires | null {
  const match = /^(\d{1,9})\s*(?:;(.*))?$/.exec(headerValue(message, 'Session-Expires') ?? '');
  if (match === null) return null;
  const refresher = /(?:^|;)\s*refresher\s*=\s*"?(uac|uas)/i.exec(match[2] ?? '')?.[1]?.toLowerCase();
  return { interval: Number(match[1]), refresher: refresher === 'uac' || refresher === 'uas' ? refresher : null };
}

function minimumOf(message: SipRequest | SipResponse): number {
  return Number(/^\d{1,9}/.exec(headerValue(message, 'Min-SE') ?? '')?.[0] ?? SMALLEST_INTERVAL);
}

function supportsTimer(request: SipRequest): boolean {
  return ['Supported', 'Require'].some((name) => headerValues(request, name).some((value) => /(^|[,\s])timer([,\s]|$)/i.test(value)));
}

/** The Min-SE of a 422, when the request's interval is smaller than the profile allows (RFC 4028 §9); else null. */
export function intervalTooSmall(profile: SipProfile, request: SipRequest): string | null {
  const wanted = sessionExpiresOf(request);
  if (!profile.sessionTimersEnabled || wanted === null || !supportsTimer(request)) return null;
  return wanted.interval < profile.minimumSessionExpiresSeconds ? String(profile.minimumSessionExpiresSeconds) : null;
}

/** Starts the leg's session timer anew: now is a refresh. */
export function startInterval(context: CallContext, leg: Leg, interval: number, weRefresh: boolean): void {
  leg.record.sessionTimer = { interval, weRefresh, deadline: context.wallMicroseconds() + interval * 1_000_000 };
  leg.dirty = true;
  armSessionTimer(context, leg);
}

/** RFC 4028 §9: what our 2xx to an INVITE or UPDATE says of the session timer; it is in force from here on. */
export function agreeAsServer(context: CallContext, leg: Leg, request: SipRequest): readonly SipHeader[] {
  const profile = context.profile(leg.record.profileName);
  if (profile === null || !profile.sessionTimersEnabled || !leg.up) return [];
  const wanted = sessionExpiresOf(request);
  const supported = supportsTimer(request);
  const own = profile.sessionTimeoutSeconds;
  if (wanted === null && own === 0) {
    endInterval(context, leg);
    return [];
  }
  const floor = Math.max(minimumOf(request), profile.minimumSessionExpiresSeconds);
  const interval = wanted === null ? Math.max(own, floor) : own > 0 ? Math.max(Math.min(own, wanted.interval), floor) : wanted.interval;
  // Table 2 of RFC 4028: only a peer that knows the extension can be the refresher.
  const refresher = !supported ? 'uas' : (wanted?.refresher ?? 'uac');
  startInterval(context, leg, interval, refresher === 'uas');
  const headers: SipHeader[] = [{ name: 'Session-Expires', value: `${interval};refresher=${refresher}` }];
  if (refresher === 'uac') headers.push({ name: 'Require', value: 'timer' });
  return headers;
}

/** What our first INVITE asks for; `minimum` is the Min-SE of a 422. */
export function offerInterval(profile: SipProfile, minimum: number): readonly SipHeader[] {
  if (!profile.sessionTimersEnabled || profile.sessionTimeoutSeconds === 0) return [];
  const floor = Math.max(minimum, profile.minimumSessionExpiresSeconds);
  return [
    { name: 'Session-Expires', value: String(Math.max(profile.sessionTimeoutSeconds, floor)) },
    { name: 'Min-SE', value: String(floor) },
  ];
}

/** Session-Expires of a request of ours within the dialog: who refreshes stays as it is. */
export function refreshHeaders(leg: Leg, profile: SipProfile): readonly SipHeader[] {
  const timer = leg.record.sessionTimer;
  if (timer === null) return [];
  return [
    { name: 'Session-Expires', value: `${timer.interval};refresher=${timer.weRefresh ? 'uac' : 'uas'}` },
    { name: 'Min-SE', value: String(Math.min(profile.minimumSessionExpiresSeconds, timer.interval)) },
  ];
}

/** RFC 4028 §7.2: a 2xx to an INVITE or UPDATE of ours. Without Session-Expires there is no timer. */
export function agreeAsClient(context: CallContext, leg: Leg, response: SipResponse): void {
  const agreed = sessionExpiresOf(response);
  if (agreed === null) endInterval(context, leg);
  else startInterval(context, leg, Math.max(agreed.interval, SMALLEST_INTERVAL), agreed.refresher !== 'uas');
}

/** A 422 to a request of ours within the dialog (RFC 4028 §7.3): the interval that its Min-SE asks for. */
export function raiseInterval(context: CallContext, leg: Leg, response: SipResponse): boolean {
  const timer = leg.record.sessionTimer;
  const minimum = minimumOf(response);
  if (timer === null || minimum <= timer.interval) return false;
  leg.record.sessionTimer = { ...timer, interval: minimum };
  leg.dirty = true;
  armSessionTimer(context, leg);
  return true;
}

/** Min-SE of a 422. */
export function minimumAsked(response: SipResponse): number {
  return minimumOf(response);
}

function endInterval(context: CallContext, leg: Leg): void {
  if (leg.record.sessionTimer === null) return;
  leg.record.sessionTimer = null;
  leg.dirty = true;
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'session', delayMilliseconds: null });
}

/** Wall microseconds at which a session without a refresh is ended by BYE. */
export function endOfSession(timer: SessionTimerRecord): number {
  return timer.deadline - Math.min(END_EARLY, timer.interval / 3) * 1_000_000;
}

/** Wall microseconds at which we refresh: half of the interval (RFC 4028 §7.2). */
export function refreshDue(timer: SessionTimerRecord): number {
  return timer.deadline - (timer.interval / 2) * 1_000_000;
}

/** Sets the timer for what comes next: our refresh, or the end. */
export function armSessionTimer(context: CallContext, leg: Leg): void {
  const timer = leg.record.sessionTimer;
  if (timer === null) return;
  const at = timer.weRefresh ? refreshDue(timer) : endOfSession(timer);
  setSessionTimer(context, leg, (at - context.wallMicroseconds()) / 1000);
}

export function setSessionTimer(context: CallContext, leg: Leg, milliseconds: number): void {
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'session', delayMilliseconds: Math.max(0, Math.ceil(milliseconds)) });
}
