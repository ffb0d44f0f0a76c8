import { assert, sameAddress } from '../base/index.ts';
import { parseCodecPreferences, type SipProfile } from '../config/index.ts';
import type { EndpointState } from '../media/protocol.ts';
import type { AnswerResult, AppliedAnswer, Direction, LocalSession } from '../sdp/index.ts';
import { applyAnswer, createAnswer, createBridgeOffer, createOffer, mayReceive, maySend } from '../sdp/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

type Agreed = Extract<AnswerResult, { kind: 'answer' }> | Extract<AppliedAnswer, { kind: 'accepted' }>;

function profileOf(context: CallContext, leg: Leg): SipProfile {
  const profile = context.profile(leg.record.profileName);
  assert(profile !== null, `profile ${leg.record.profileName} of leg ${leg.uuid} exists`);
  return profile;
}

/** Address, port and `o=` of the leg's next description; the version grows with each one that differs. */
function localSession(context: CallContext, leg: Leg): LocalSession {
  const media = leg.record.media;
  const profile = profileOf(context, leg);
  assert(media !== null && media.endpoint !== null, `leg ${leg.uuid} has a port before it speaks of one`);
  return {
    address: profile.extRtpIp ?? profile.rtpIp,
    port: media.endpoint.localPort,
    sessionId: media.sessionId,
    sessionVersion: media.sessionVersion,
  };
}

/** An answer to the peer's offer; `preferredCodec` is what the other leg of the bridge uses. */
export function answerOffer(
  context: CallContext,
  leg: Leg,
  offer: string,
  preferredCodec: string | null,
  direction?: Direction,
): AnswerResult {
  const profile = profileOf(context, leg);
  const media = leg.record.media;
  assert(media !== null, `leg ${leg.uuid} has media`);
  if (media.localSdp !== null) media.sessionVersion += 1;
  return createAnswer({
    ...localSession(context, leg),
    offer,
    codecs: profile.inboundCodecs,
    preferred: preferredCodec,
    telephoneEvent: profile.dtmfType === 'rfc2833',
    ...(direction === undefined ? {} : { direction }),
  });
}

/** Our offer in a 200 to an INVITE that came without one. */
export function offerWithoutPeer(context: CallContext, leg: Leg): string {
  const profile = profileOf(context, leg);
  return createOffer({
    ...localSession(context, leg),
    codecs: profile.inboundCodecs,
    telephoneEventPayloadType: profile.dtmfType === 'rfc2833' ? profile.telephoneEventPayloadType : null,
  });
}

/**
 * The offer of an outbound leg: from what its originator offered, so that RTP can be relayed unchanged. An originator
 * that is answered already has one codec, and the offer says that one first.
 */
export function offerToCallee(context: CallContext, leg: Leg, originator: Leg | null): string | null {
  const profile = profileOf(context, leg);
  const telephoneEventPayloadType = profile.dtmfType === 'rfc2833' ? profile.telephoneEventPayloadType : null;
  const agreed = originator?.record.media?.endpoint?.format ?? null;
  // `absolute_codec_string` of the leg takes the place of the profile's list; one that cannot be read is ignored.
  const own = parseCodecPreferences(leg.record.variables['absolute_codec_string'] ?? '') ?? [];
  const codecs = [...(own.length > 0 ? own : profile.outboundCodecs)];
  if (agreed !== null) codecs.sort((left, right) => Number(right.name === agreed.name) - Number(left.name === agreed.name));
  const callerSdp = originator?.record.media?.remoteSdp ?? null;
  if (callerSdp === null) return createOffer({ ...localSession(context, leg), codecs, telephoneEventPayloadType });
  const offer = createBridgeOffer({ ...localSession(context, leg), codecs, telephoneEventPayloadType, offer: callerSdp });
  return offer.kind === 'offer' ? offer.sdp : null;
}

/** An offer of one codec to a peer that we already talk to; null when its profile does not allow that codec. */
export function offerOfCodec(context: CallContext, leg: Leg, name: string): string | null {
  const profile = profileOf(context, leg);
  const allowed = [...profile.inboundCodecs, ...profile.outboundCodecs].find((codec) => codec.name.toUpperCase() === name.toUpperCase());
  if (allowed === undefined) return null;
  const telephoneEventPayloadType = profile.dtmfType === 'rfc2833' ? profile.telephoneEventPayloadType : null;
  return createOffer({ ...localSession(context, leg), codecs: [allowed], telephoneEventPayloadType });
}

/** What an answer to our offer means, or null when it cannot be used. */
export function acceptAnswer(leg: Leg, answerSdp: string): Extract<AppliedAnswer, { kind: 'accepted' }> | null {
  const offer = leg.record.media?.localSdp ?? null;
  if (offer === null) return null;
  const applied = applyAnswer({ offer, answer: answerSdp });
  return applied.kind === 'accepted' ? applied : null;
}

/** The part of the endpoint's state that an agreement decides. A changed remote address unlearns the source. */
export function endpointChangeOf(agreed: Agreed, previous: EndpointState | null = null): Partial<EndpointState> {
  const moved = previous !== null && agreed.remote !== null && !sameAddress(previous.remote, agreed.remote);
  return {
    remote: agreed.remote,
    remoteRtcp: agreed.remoteRtcp,
    format: agreed.format,
    send: maySend(agreed.direction) && agreed.remote !== null,
    receive: mayReceive(agreed.direction),
    ...(moved ? { learned: null } : {}),
  };
}
