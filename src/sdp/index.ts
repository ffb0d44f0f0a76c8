export { type AudioDescription, type Direction, mayReceive, maySend, negotiateDirection, readAudio } from './audio.ts';
export { bumpVersion, originOf, withAddress, withDirection, withPort, withVersion } from './change.ts';
export { canRelay, type OfferedCodec, type SdpCodec } from './codec.ts';
export {
  type AnswerOptions,
  type AnswerResult,
  type AppliedAnswer,
  applyAnswer,
  type BridgeOfferOptions,
  createAnswer,
  createBridgeOffer,
  createOffer,
  type LocalSession,
  type NegotiatedFormat,
  type OfferOptions,
  type Rejection,
} from './offer-answer.ts';
export { type ParsedSdp, parseSdp, type SessionDescription, writeSdp } from './session.ts';
