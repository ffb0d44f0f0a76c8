import type { Address } from '../base/index.ts';
import { type AudioDescription, audioOf, type Direction, negotiateDirection } from './audio.ts';
import {
  CodecList,
  canRelay,
  DEFAULT_PACKET_TIME,
  isG711,
  isSpeech,
  matchesPreference,
  type OfferedCodec,
  type SdpCodec,
  TELEPHONE_EVENT,
  usablePacketTime,
  writtenName,
} from './codec.ts';
import { parseSdp, type SessionDescription, writeSdp } from './session.ts';

const DEFAULT_USER_NAME = 'undrop';

/** Who we are in `o=` and `c=`, and where we listen. */
export interface LocalSession {
  /** IP address that the peer shall send to. */
  readonly address: string;
  readonly port: number;
  /** `o=` session id: the same for all descriptions of one dialog. */
  readonly sessionId: string;
  /** `o=` version: one higher for each changed description. */
  readonly sessionVersion: number;
  /** `o=` user name and `s=`; default `undrop`. */
  readonly userName?: string;
}

/** What was agreed, as media wants it: how we code what we send. */
export interface NegotiatedFormat {
  readonly payloadType: number;
  /** Upper case. */
  readonly name: string;
  readonly clockRate: number;
  /** Milliseconds. */
  readonly packetTime: number;
  /** Payload type of telephone-event, or null. */
  readonly telephoneEvent: number | null;
}

interface Agreement {
  readonly format: NegotiatedFormat;
  /** `a=fmtp` that the peer gave for the codec. */
  readonly fmtp: string | null;
  /** null while the peer says 0.0.0.0. */
  readonly remote: Address | null;
  readonly remoteRtcp: Address | null;
  /** From our side. */
  readonly direction: Direction;
}

export interface Rejection {
  readonly kind: 'rejected';
  /** For the log and the Warning header; the SIP answer is 488 Not Acceptable Here. */
  readonly reason: string;
}

export interface OfferOptions extends LocalSession {
  readonly codecs: readonly OfferedCodec[];
  /** null: telephone-event is not offered. */
  readonly telephoneEventPayloadType: number | null;
  /** Milliseconds; default: what the first codec prefers, else 20. */
  readonly packetTime?: number;
  readonly direction?: Direction;
}

/** A first offer from our own configuration (RFC 3264 §5). Codecs without a known payload format are left out. */
export function createOffer(options: OfferOptions): string {
  const list = new CodecList(options.telephoneEventPayloadType);
  for (const preference of options.codecs) list.addPreference(preference);
  return writeOffer(options, list, options.telephoneEventPayloadType);
}

export interface BridgeOfferOptions extends OfferOptions {
  /** SDP that the calling leg offered. */
  readonly offer: string;
}

/**
 * An offer to the called leg from what the calling leg offered, so that RTP can be relayed unchanged: its order, payload
 * types and fmtp, as far as `codecs` (the called leg's profile) allows them; PCMU and PCMA are added where the caller has
 * either, since A-law and µ-law are translated.
 */
export function createBridgeOffer(options: BridgeOfferOptions): { readonly kind: 'offer'; readonly sdp: string } | Rejection {
  const parsed = parseSdp(options.offer);
  if (parsed.kind === 'invalid') return rejected(`the caller's SDP cannot be read: ${parsed.reason}`);
  const audio = audioOf(parsed.session);
  if ('reason' in audio) return rejected(audio.reason);
  const telephoneEvent =
    options.telephoneEventPayloadType === null ? null : (audio.telephoneEvents.get(8000) ?? options.telephoneEventPayloadType);
  // Only the caller's own telephone-event is kept free: ours gives way to the caller's payload types.
  const list = new CodecList(telephoneEvent === null ? null : (audio.telephoneEvents.get(8000) ?? null));
  for (const codec of audio.codecs) {
    if (isSpeech(codec) && options.codecs.some((preference) => matchesPreference(codec, preference))) list.add(codec);
  }
  if (audio.codecs.some((codec) => isG711(codec.name))) {
    for (const preference of options.codecs) if (isG711(preference.name.toUpperCase())) list.addPreference(preference);
  }
  if (list.codecs.length === 0) return rejected(`the called profile allows none of ${names(audio)}`);
  // The caller's own payload types for the other clock rates too.
  for (const codec of audio.codecs) {
    const used = list.codecs.some((speech) => isSpeech(speech) && speech.clockRate === codec.clockRate);
    if (telephoneEvent !== null && codec.name === TELEPHONE_EVENT && used) list.add(codec);
  }
  const packetTime = options.packetTime ?? audio.packetTime ?? undefined;
  return { kind: 'offer', sdp: writeOffer(packetTime === undefined ? options : { ...options, packetTime }, list, telephoneEvent) };
}

export interface AnswerOptions extends LocalSession {
  readonly offer: string;
  /** What we accept; the offer's order decides (FreeSWITCH's `generous`). */
  readonly codecs: readonly OfferedCodec[];
  /**
   * Name of the codec to choose when offered (what the other leg of the bridge uses); for PCMU and PCMA the other of the
   * two is second choice. Otherwise the usual order decides: compare `format` by `canRelay`.
   */
  readonly preferred?: string | null;
  /** `false`: telephone-event is refused. */
  readonly telephoneEvent?: boolean;
  /** What we want; the answer narrows it to what the offer allows. Default sendrecv. */
  readonly direction?: Direction;
}

export type AnswerResult = ({ readonly kind: 'answer'; readonly sdp: string } & Agreement) | Rejection;

/**
 * RFC 3264 §6: answers the first usable audio section with one codec (and telephone-event) under the offer's payload
 * types; every other section is refused with port 0, in the same order.
 */
export function createAnswer(options: AnswerOptions): AnswerResult {
  const parsed = parseSdp(options.offer);
  if (parsed.kind === 'invalid') return rejected(`the SDP cannot be read: ${parsed.reason}`);
  const audio = audioOf(parsed.session);
  if ('reason' in audio) return rejected(audio.reason);
  const codec = choose(audio, options.codecs, options.preferred ?? null);
  if (codec === null) return rejected(`no common codec: ${names(audio)} offered`);

  const preference = options.codecs.find((entry) => matchesPreference(codec, entry));
  const packetTime = audio.packetTime ?? usablePacketTime(preference?.packetTime) ?? DEFAULT_PACKET_TIME;
  const telephoneEvent = options.telephoneEvent === false ? null : telephoneEventFor(audio, codec);
  const direction = negotiateDirection(options.direction ?? 'sendrecv', audio.direction);
  const codecs = [codec, ...audio.codecs.filter((entry) => entry.name === TELEPHONE_EVENT && entry.payloadType === telephoneEvent)];
  const session = describe(options, parsed.session.timing);
  session.media = parsed.session.media.map((section, index) =>
    index === audio.index
      ? mediaSection(audio.protocol, options.port, codecs, packetTime, direction)
      : { type: section.type, port: 0, protocol: section.protocol, payloads: section.payloads ?? '', rtp: [], fmtp: [] },
  );
  return { kind: 'answer', sdp: writeSdp(session), ...agreement(audio, codec, telephoneEvent, packetTime, direction) };
}

export type AppliedAnswer = ({ readonly kind: 'accepted' } & Agreement) | Rejection;

/** RFC 3264 §7: what the answer to our offer means. Payload types are those of the answer: it says how we shall send. */
export function applyAnswer(options: { readonly offer: string; readonly answer: string }): AppliedAnswer {
  const offered = parseSdp(options.offer);
  if (offered.kind === 'invalid') return rejected(`our own offer cannot be read: ${offered.reason}`);
  const ours = audioOf(offered.session);
  if ('reason' in ours) return rejected(`our own offer: ${ours.reason}`);
  const answered = parseSdp(options.answer);
  if (answered.kind === 'invalid') return rejected(`the answer's SDP cannot be read: ${answered.reason}`);
  const theirs = audioOf(answered.session);
  if ('reason' in theirs) return rejected(theirs.reason);
  const codec = theirs.codecs.find(
    (entry) => isSpeech(entry) && ours.codecs.some((own) => own.name === entry.name && own.clockRate === entry.clockRate),
  );
  if (codec === undefined) return rejected(`the answer names no codec that was offered: ${names(theirs)}`);
  const telephoneEvent = ours.telephoneEvents.size === 0 ? null : telephoneEventFor(theirs, codec);
  const packetTime = theirs.packetTime ?? ours.packetTime ?? DEFAULT_PACKET_TIME;
  return {
    kind: 'accepted',
    ...agreement(theirs, codec, telephoneEvent, packetTime, negotiateDirection(ours.direction, theirs.direction)),
  };
}

function choose(audio: AudioDescription, supported: readonly OfferedCodec[], preferred: string | null): SdpCodec | null {
  const usable = audio.codecs.filter((codec) => isSpeech(codec) && supported.some((preference) => matchesPreference(codec, preference)));
  const wanted = preferred?.toUpperCase();
  return (
    usable.find((codec) => codec.name === wanted) ??
    usable.find((codec) => wanted !== undefined && canRelay(codec, { name: wanted, clockRate: codec.clockRate })) ??
    usable[0] ??
    null
  );
}

/** Of the codec's clock rate; FreeSWITCH and many phones use the 8000 Hz one beside any codec. */
function telephoneEventFor(audio: AudioDescription, codec: SdpCodec): number | null {
  return audio.telephoneEvents.get(codec.clockRate) ?? audio.telephoneEvents.get(8000) ?? null;
}

function agreement(
  audio: AudioDescription,
  codec: SdpCodec,
  telephoneEvent: number | null,
  packetTime: number,
  direction: Direction,
): Agreement {
  return {
    format: { payloadType: codec.payloadType, name: codec.name, clockRate: codec.clockRate, packetTime, telephoneEvent },
    fmtp: codec.fmtp,
    remote: audio.address,
    remoteRtcp: audio.rtcp,
    direction,
  };
}

function writeOffer(options: OfferOptions, list: CodecList, telephoneEvent: number | null): string {
  if (telephoneEvent !== null) list.addTelephoneEvents(telephoneEvent);
  const packetTime = usablePacketTime(options.packetTime) ?? usablePacketTime(options.codecs[0]?.packetTime) ?? DEFAULT_PACKET_TIME;
  const session = describe(options, undefined);
  session.media = [mediaSection('RTP/AVP', options.port, list.codecs, packetTime, options.direction ?? 'sendrecv')];
  return writeSdp(session);
}

function describe(local: LocalSession, timing: SessionDescription['timing'] | undefined): SessionDescription {
  const version = local.address.includes(':') ? 6 : 4;
  const userName = (local.userName ?? DEFAULT_USER_NAME).replace(/[\s\0]/g, '_') || DEFAULT_USER_NAME;
  return {
    version: 0,
    origin: {
      username: userName,
      sessionId: local.sessionId,
      sessionVersion: local.sessionVersion,
      netType: 'IN',
      ipVer: version,
      address: local.address,
    },
    name: userName,
    connection: { version, ip: local.address },
    // RFC 3264 §6: "The "t=" line in the answer MUST be equal to that of the offer".
    timing: timing ?? { start: 0, stop: 0 },
    media: [],
  };
}

function mediaSection(
  protocol: string,
  port: number,
  codecs: readonly SdpCodec[],
  packetTime: number,
  direction: Direction,
): SessionDescription['media'][number] {
  return {
    type: 'audio',
    port,
    protocol,
    payloads: codecs.map((codec) => codec.payloadType).join(' '),
    rtp: codecs.map((codec) => ({
      payload: codec.payloadType,
      codec: writtenName(codec.name),
      rate: codec.clockRate,
      ...(codec.channels > 1 ? { encoding: codec.channels } : {}),
    })),
    fmtp: codecs.flatMap((codec) => (codec.fmtp === null ? [] : [{ payload: codec.payloadType, config: codec.fmtp }])),
    ptime: packetTime,
    direction,
  };
}

function names(audio: AudioDescription): string {
  return audio.codecs
    .map((codec) => `${codec.name}/${codec.clockRate}`)
    .join(', ')
    .slice(0, 200);
}

function rejected(reason: string): Rejection {
  return { kind: 'rejected', reason };
}
