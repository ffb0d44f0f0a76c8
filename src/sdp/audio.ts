import type { Address } from '../base/index.ts';
import { type SdpCodec, staticCodec, TELEPHONE_EVENT, usablePacketTime } from './codec.ts';
import { parseSdp, type SessionDescription } from './session.ts';

/** RFC 3264 §5.1, from the side that wrote it. */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export const MAXIMUM_CODECS = 64;

/** The audio section that a call uses, as its writer sees it. */
export interface AudioDescription {
  /** Position among the m= lines. */
  readonly index: number;
  readonly protocol: string;
  /** Where the writer listens for RTP; null while it says 0.0.0.0 or ::. */
  readonly address: Address | null;
  /** Where it listens for RTCP (RFC 3605); null for the next port. */
  readonly rtcp: Address | null;
  /** 0.0.0.0 (RFC 2543's hold) already counted in: its writer does not receive. */
  readonly direction: Direction;
  /** The writer holds the call: it does not listen. */
  readonly held: boolean;
  /** In its order of preference, telephone-event and comfort noise among them. */
  readonly codecs: readonly SdpCodec[];
  /** Clock rate → payload type. */
  readonly telephoneEvents: ReadonlyMap<number, number>;
  /** Milliseconds, null when not written. */
  readonly packetTime: number | null;
}

type MediaSection = SessionDescription['media'][number];

/** The first usable audio section of an SDP text, or why there is none. Never throws. */
export function readAudio(text: string): AudioDescription | { readonly reason: string } {
  const parsed = parseSdp(text);
  return parsed.kind === 'invalid' ? { reason: parsed.reason } : audioOf(parsed.session);
}

/** RTP/AVP or RTP/AVPF, a port, an IP address: the first m=audio that has all of them. */
export function audioOf(session: SessionDescription): AudioDescription | { readonly reason: string } {
  let reason = 'there is no audio section';
  for (const [index, section] of session.media.entries()) {
    if (section.type !== 'audio') continue;
    const audio = readSection(session, section, index);
    if (!('reason' in audio)) return audio;
    reason = audio.reason;
  }
  return { reason };
}

function readSection(session: SessionDescription, section: MediaSection, index: number): AudioDescription | { readonly reason: string } {
  if (section.port === 0) return { reason: 'the audio section has port 0' };
  if (section.protocol !== 'RTP/AVP' && section.protocol !== 'RTP/AVPF')
    return { reason: `the transport ${section.protocol.slice(0, 40)} is not spoken here` };
  const ip = String((section.connection ?? session.connection)?.ip ?? '');
  if (!isIpAddress(ip)) return { reason: `the connection address "${ip.slice(0, 60)}" is not an IP address` };
  const codecs = readCodecs(section);
  if (codecs.length === 0) return { reason: 'the audio section names no known payload type' };

  const unreachable = ip === '0.0.0.0' || ip === '::';
  const written = asDirection(section.direction) ?? asDirection(session.direction) ?? 'sendrecv';
  const direction = directionOf(maySend(written), mayReceive(written) && !unreachable);
  const rtcpIp = String(section.rtcp?.address ?? ip);
  const rtcpPort = Number(section.rtcp?.port ?? 0);
  return {
    index,
    protocol: section.protocol,
    address: unreachable ? null : { ip, port: section.port },
    rtcp: unreachable || !(rtcpPort > 0 && rtcpPort <= 65_535) || !isIpAddress(rtcpIp) ? null : { ip: rtcpIp, port: rtcpPort },
    direction,
    held: !mayReceive(direction),
    codecs,
    telephoneEvents: new Map(codecs.filter((codec) => codec.name === TELEPHONE_EVENT).map((codec) => [codec.clockRate, codec.payloadType])),
    packetTime: usablePacketTime(section.ptime),
  };
}

function readCodecs(section: MediaSection): SdpCodec[] {
  const codecs: SdpCodec[] = [];
  for (const text of (section.payloads ?? '').split(/\s+/).slice(0, MAXIMUM_CODECS)) {
    const payloadType = /^\d{1,3}$/.test(text) ? Number(text) : -1;
    if (payloadType < 0 || payloadType > 127 || codecs.some((codec) => codec.payloadType === payloadType)) continue;
    const parameters = section.fmtp.find((entry) => Number(entry.payload) === payloadType);
    const fmtp = parameters === undefined ? null : String(parameters.config);
    const map = section.rtp.find((entry) => Number(entry.payload) === payloadType);
    const fromTable = staticCodec(payloadType, fmtp);
    if (map === undefined) {
      if (fromTable !== null) codecs.push(fromTable);
      continue;
    }
    const name = String(map.codec).toUpperCase();
    const rate = Number(map.rate ?? fromTable?.clockRate ?? 0);
    // FreeSWITCH can write `telephone-event/0`.
    const clockRate = rate === 0 && name === TELEPHONE_EVENT ? 8000 : rate;
    if (name === '' || !(clockRate > 0 && clockRate <= 384_000)) continue;
    const channels = Number(map.encoding ?? 1);
    codecs.push({
      payloadType,
      name,
      clockRate,
      channels: Number.isInteger(channels) && channels > 0 && channels < 256 ? channels : 1,
      fmtp,
    });
  }
  return codecs;
}

export function maySend(direction: Direction): boolean {
  return direction === 'sendrecv' || direction === 'sendonly';
}

export function mayReceive(direction: Direction): boolean {
  return direction === 'sendrecv' || direction === 'recvonly';
}

export function directionOf(send: boolean, receive: boolean): Direction {
  if (send) return receive ? 'sendrecv' : 'sendonly';
  return receive ? 'recvonly' : 'inactive';
}

/** What we may do when we want `ours` and the peer wrote `theirs`: RFC 3264 §6.1. */
export function negotiateDirection(ours: Direction, theirs: Direction): Direction {
  return directionOf(maySend(ours) && mayReceive(theirs), mayReceive(ours) && maySend(theirs));
}

function asDirection(value: unknown): Direction | null {
  return value === 'sendrecv' || value === 'sendonly' || value === 'recvonly' || value === 'inactive' ? value : null;
}

function isIpAddress(text: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split('.').every((part) => Number(part) <= 255);
  return text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text) && URL.canParse(`http://[${text}]/`);
}
