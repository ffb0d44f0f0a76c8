export { aLawToMuLaw, decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw, muLawToALaw } from './g711.ts';
export {
  addSequence,
  addTimestamp,
  isRtcp,
  isRtp,
  PAYLOAD_TYPE_COMFORT_NOISE,
  PAYLOAD_TYPE_PCMA,
  PAYLOAD_TYPE_PCMU,
  payloadOf,
  RTP_HEADER_LENGTH,
  type RtpHeader,
  readMarker,
  readPayloadType,
  readSequence,
  readSsrc,
  readTimestamp,
  sequenceDifference,
  timestampDifference,
  writeHeader,
  writeMarker,
  writePayloadType,
  writeSequence,
  writeSsrc,
  writeTimestamp,
} from './packet.ts';
export {
  digitOfEvent,
  eventOfDigit,
  MAXIMUM_TELEPHONE_EVENT_DURATION,
  readTelephoneEvent,
  TELEPHONE_EVENT_END_REPEATS,
  TELEPHONE_EVENT_LENGTH,
  type TelephoneEvent,
  writeTelephoneEvent,
} from './telephone-event.ts';
export { ToneScript } from './tone-script.ts';
export { readWav } from './wav.ts';
