export { answerChallenge, type ChallengeAnswer, type DigestAccount } from './answer-challenge.ts';
export { bytesOf, fromWireText, textOf, toWireText } from './bytes.ts';
export { createAcknowledge, createCancel, createResponse } from './derive.ts';
export {
  computeDigestResponse,
  type DigestAlgorithm,
  type DigestCredentials,
  formatChallenge,
  formatCredentials,
  parseChallenge,
  parseCredentials,
} from './digest.ts';
export {
  headerValue,
  headerValues,
  withBody,
  withFirstHeader,
  withHeader,
  withoutFirstHeader,
  withoutHeader,
  withPrependedHeader,
} from './headers.ts';
export { MAXIMUM_HEADERS, MAXIMUM_MESSAGE_BYTES } from './limits.ts';
export type { SipHeader, SipMessage, SipRequest, SipResponse, SipUri } from './message.ts';
export { formatNameAddress, parseNameAddress, tagOf } from './name-address.ts';
export { parseParameters } from './parameters.ts';
export { parseMessage } from './parse.ts';
export { reasonPhrase } from './reason-phrase.ts';
export { responseDestination, stampReceived } from './response-path.ts';
export { messageText, serializeMessage } from './serialize.ts';
export { formatUri, parseUri, sameUri } from './uri.ts';
export { formatVia, parseCSeq, parseVia } from './via.ts';
