export { type AudioDescription, type Direction, mayReceive, maySend, readAudio } from './audio.ts';
export { bumpVersion, originOf, withAddress, withDirection, withPort, withVersion } from './change.ts';
export { canRelay, type OfferedCodec } from './codec.ts';
export {
  type AnswerOptions,
  type AnswerResult,
  type AppliedAnswer,
  applyAnswer,
  createAnswer,
  createBridgeOffer,
  createOffer,
  type LocalSession,
} from './offer-answer.ts';
export { parseSdp, writeSdp } from './session.ts';
