import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { relay, setMode } from './media-control.ts';
import { hold, partnerOf } from './offer.ts';
import { playSource } from './play-source.ts';
import type { BroadcastRecord } from './record.ts';
import { sendRequest } from './signalling.ts';

/** Digits of one `uuid_send_dtmf`. */
const MAXIMUM_DIGITS = 100;
const DEFAULT_DIGIT_DURATION = 250;

/** `uuid_hold`: on, off, or the other of the two. False when the leg has no session to hold. */
export function holdLeg(context: CallContext, leg: Leg, how: 'on' | 'off' | 'toggle'): boolean {
  const held = leg.record.media?.held ?? 'none';
  return hold(context, leg, how === 'toggle' ? held !== 'local' && held !== 'both' : how === 'on');
}

/** `uuid_send_dtmf`: `digits[@milliseconds]` as RFC 4733 events, or by INFO where the peer knows none. */
export function sendDigits(context: CallContext, leg: Leg, text: string): boolean {
  const match = /^([0-9A-D*#]+)(?:@(\d{1,5}))?$/i.exec(text);
  const digits = match?.[1]?.toUpperCase() ?? '';
  if (digits === '' || digits.length > MAXIMUM_DIGITS || !leg.up) return false;
  const durationMilliseconds = Number(match?.[2] ?? DEFAULT_DIGIT_DURATION);
  const format = leg.record.media?.endpoint?.format ?? null;
  if (format?.telephoneEvent != null) {
    context.emit({ kind: 'sendDtmf', leg: leg.uuid, digits, durationMilliseconds });
    return true;
  }
  if (!leg.answered || context.profile(leg.record.profileName)?.dtmfType === 'none') return false;
  for (const digit of digits) {
    const text = `Signal=${digit}\r\nDuration=${durationMilliseconds}\r\n`;
    sendRequest(context, leg, 'INFO', { purpose: 'info', body: { type: 'application/dtmf-relay', text } });
  }
  return true;
}

/** `uuid_broadcast`: plays a sound to a leg; what it did goes on afterwards. Its partner hears nothing meanwhile. */
export function broadcast(context: CallContext, leg: Leg, path: string): boolean {
  const endpoint = leg.record.media?.endpoint;
  if (!leg.up || endpoint?.format == null || leg.record.broadcast != null) return false;
  if (playSource(context, path) === null) return false;
  const record: BroadcastRecord = {
    playId: `cast-${context.token(8)}`,
    startedAt: context.wallMicroseconds(),
    before: endpoint.mode,
  };
  leg.record.broadcast = record;
  leg.record.variables['broadcast_path'] = path;
  const partner = partnerOf(context, leg);
  if (partner !== null && partner.record.broadcast == null) setMode(context, partner, { kind: 'idle' });
  playBroadcast(context, leg, 0);
  return true;
}

function playBroadcast(context: CallContext, leg: Leg, position: number): void {
  const record = leg.record.broadcast;
  if (record == null) return;
  const found = playSource(context, leg.record.variables['broadcast_path'] ?? '');
  if (found === null) {
    broadcastPlayed(context, leg, record.playId);
    return;
  }
  const { source, loops } = found;
  // An endless sound would never give the leg back.
  setMode(context, leg, { kind: 'play', playId: record.playId, source, loops: Math.max(1, loops), position });
}

/** The sound is over: true when it was a broadcast's. */
export function broadcastPlayed(context: CallContext, leg: Leg, playId: string): boolean {
  const record = leg.record.broadcast;
  if (record?.playId !== playId) return false;
  leg.record.broadcast = null;
  leg.dirty = true;
  const partner = partnerOf(context, leg);
  if (partner === null) setMode(context, leg, record.before);
  else relay(context, leg, partner);
  return true;
}

/** After a crash the sound goes on where it was. */
export function resumeBroadcast(context: CallContext, leg: Leg): void {
  const record = leg.record.broadcast;
  if (record != null) playBroadcast(context, leg, Math.max(0, Math.floor((context.wallMicroseconds() - record.startedAt) / 1000)));
}
