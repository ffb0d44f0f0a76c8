export { bytesOf, fromWireText, textOf, toWireText } from './bytes.ts';
export { createAcknowledge, createCancel, createResponse, type ResponseOptions } from './derive.ts';
export {
  computeDigestResponse,
  type DigestAlgorithm,
  type DigestChallenge,
  type DigestCredentials,
  type DigestInput,
  formatChallenge,
  formatCredentials,
  parseChallenge,
  parseCredentials,
} from './digest.ts';
export { canonicalHeaderName } from './header-names.ts';
export {
  headerValue,
  headerValues,
  withAppendedHeader,
  withBody,
  withFirstHeader,
  withHeader,
  withHeaders,
  withoutFirstHeader,
  withoutHeader,
  withPrependedHeader,
} from './headers.ts';
export { MAXIMUM_HEADER_LENGTH, MAXIMUM_HEADERS, MAXIMUM_MESSAGE_BYTES } from './limits.ts';
export type { CSeq, NameAddress, SipHeader, SipMessage, SipRequest, SipResponse, SipUri, Via } from './message.ts';
export { formatNameAddress, parseNameAddress, tagOf } from './name-address.ts';
export {
  formatParameterList,
  type ParameterizedValue,
  parseParameterList,
  parseParameters,
  quote,
  splitCommaList,
  unquote,
} from './parameters.ts';
export { type ParseResult, parseMessage } from './parse.ts';
export { reasonPhrase } from './reason-phrase.ts';
export { responseDestination, stampReceived } from './response-path.ts';
export { messageText, serializeMessage } from './serialize.ts';
export { formatUri, parseUri, sameUri } from './uri.ts';
export { formatVia, parseCSeq, parseVia } from './via.ts';
