import { canRelay, readAudio, withDirection, withVersion } from '../sdp/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { relay, setEndpoint } from './media-control.ts';
import { offerOfCodec } from './negotiation.ts';
import { negotiating, sendRequest } from './signalling.ts';

/** Sends a changed description by re-INVITE; what was agreed before is kept for the case that it is refused. */
function sendOffer(context: CallContext, leg: Leg, sdp: string): void {
  const media = leg.record.media;
  if (media === null) return;
  media.fallbackSdp = media.localSdp;
  media.sessionVersion += 1;
  media.localSdp = withVersion(sdp, media.sessionVersion);
  media.offer = 'local';
  media.offerWaits = false;
  sendRequest(context, leg, 'INVITE', { purpose: 'reinvite', sdp: media.localSdp });
}

/** The offer of ours that is out was refused: the session stays as it was (RFC 3261 §14.1). */
export function withdrawOffer(leg: Leg): void {
  const media = leg.record.media;
  if (media === null) return;
  media.offer = 'none';
  if (media.fallbackSdp != null) media.localSdp = media.fallbackSdp;
  media.fallbackSdp = null;
  leg.dirty = true;
}

/** Tells the peer the direction that our side wants now: `sendonly` while we hold it. */
function offerDirection(context: CallContext, leg: Leg): void {
  const media = leg.record.media;
  if (media === null || media.localSdp === null || !leg.answered) return;
  if (negotiating(leg) || !leg.record.acknowledged) {
    media.offerWaits = true;
    leg.dirty = true;
    return;
  }
  const direction = media.held === 'local' ? 'sendonly' : media.held === 'both' ? 'inactive' : 'sendrecv';
  sendOffer(context, leg, withDirection(media.localSdp, direction));
}

/** The offer that had to wait goes out, as soon as nothing else is being negotiated. */
export function offerIfWaiting(context: CallContext, leg: Leg): void {
  if (leg.record.media?.offerWaits === true) offerDirection(context, leg);
}

/**
 * RFC 3261 §14.1: after a 491 the owner of the Call-ID (who sent the first INVITE) waits 2.1 to 4 s, the other side 0 to
 * 2 s, both in units of 10 ms. `fresh`: the offer was just refused; else (after a crash) only if one still waits.
 */
export function offerLater(context: CallContext, leg: Leg): void {
  const media = leg.record.media;
  if (media === null) return;
  media.offerWaits = true;
  leg.dirty = true;
  const units = leg.record.direction === 'outbound' ? 210 + (context.uint32() % 191) : context.uint32() % 201;
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'offer', delayMilliseconds: units * 10 });
}

/** Puts the peer of an answered leg on hold, or takes it back. False when there is no session to hold. */
export function hold(context: CallContext, leg: Leg, on: boolean): boolean {
  const media = leg.record.media;
  if (media === null || media.localSdp === null || !leg.answered) return false;
  const held = media.held === 'local' || media.held === 'both';
  if (held === on) return true;
  const remote = media.held === 'remote' || media.held === 'both';
  media.held = on ? (remote ? 'both' : 'local') : remote ? 'remote' : 'none';
  if (on !== remote) noteHoldTime(context, leg, on);
  context.event(on ? 'CHANNEL_HOLD' : 'CHANNEL_UNHOLD', leg);
  setEndpoint(context, leg, { receive: !on });
  reconnect(context, leg);
  offerDirection(context, leg);
  return true;
}

/** `last_hold` and `hold_accum` of the CDR; a leg is on hold while either side holds. */
export function noteHoldTime(context: CallContext, leg: Leg, on: boolean): void {
  const { times } = leg.record;
  const now = context.wallMicroseconds();
  if (on) times.lastHold = now;
  else if (times.lastHold > 0) times.holdAccumulated += now - times.lastHold;
  leg.dirty = true;
}

/** The leg's partner, while both live. */
export function partnerOf(context: CallContext, leg: Leg): Leg | null {
  return leg.record.partner === null ? null : (context.legs.get(leg.record.partner) ?? null);
}

/** Connects the leg's audio to its partner's anew, after a change of hold or codec. */
export function reconnect(context: CallContext, leg: Leg): void {
  const partner = partnerOf(context, leg);
  if (partner !== null) relay(context, leg, partner);
}

/** Whether the audio of two legs can be passed on as it is (or by A-law/µ-law). */
export function codecsFit(left: Leg, right: Leg): boolean {
  const formats = [left.record.media?.endpoint?.format ?? null, right.record.media?.endpoint?.format ?? null] as const;
  return formats[0] === null || formats[1] === null || canRelay(formats[0], formats[1]);
}

/** Offers a leg one codec by re-INVITE. False when its profile does not allow it, or another offer is open. */
export function offerCodec(context: CallContext, leg: Leg, name: string): boolean {
  if (!leg.answered || !leg.record.acknowledged || negotiating(leg)) return false;
  const sdp = offerOfCodec(context, leg, name);
  if (sdp === null) return false;
  sendOffer(context, leg, sdp);
  return true;
}

/** 2: the peer has named that codec; 1: it may know it, since it only answered our offer; 0: it offered others. */
function chance(leg: Leg, codec: string): number {
  const audio = readAudio(leg.record.media?.remoteSdp ?? '');
  if (!('reason' in audio) && audio.codecs.some((entry) => entry.name === codec.toUpperCase())) return 2;
  return leg.record.direction === 'outbound' ? 1 : 0;
}

/** Brings two legs to one codec by re-INVITE of the one whose peer more likely knows the other's. False when that cannot be. */
export function alignCodecs(context: CallContext, left: Leg, right: Leg): boolean {
  if (codecsFit(left, right)) return true;
  const ways = [
    { leg: left, codec: right.record.media?.endpoint?.format?.name ?? '' },
    { leg: right, codec: left.record.media?.endpoint?.format?.name ?? '' },
  ]
    .map((way) => ({ ...way, chance: chance(way.leg, way.codec) }))
    .sort((one, other) => other.chance - one.chance);
  return ways.some((way) => way.chance > 0 && offerCodec(context, way.leg, way.codec));
}
