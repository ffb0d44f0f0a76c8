export { aLawToMuLaw, decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw, muLawToALaw } from './g711.ts';
export {
  isRtcp,
  isRtp,
  payloadOf,
  RTP_HEADER_LENGTH,
  readMarker,
  readPayloadType,
  readSequence,
  readSsrc,
  readTimestamp,
  sequenceDifference,
  timestampDifference,
  writeHeader,
  writePayloadType,
} from './packet.ts';
export {
  digitOfEvent,
  eventOfDigit,
  MAXIMUM_TELEPHONE_EVENT_DURATION,
  readTelephoneEvent,
  TELEPHONE_EVENT_END_REPEATS,
  writeTelephoneEvent,
} from './telephone-event.ts';
export { ToneScript } from './tone-script.ts';
export { readWav } from './wav.ts';
