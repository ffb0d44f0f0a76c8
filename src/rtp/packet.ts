/**
 * RFC 3550 §5.1, read and written in place: a relay touches a few header bytes of a datagram and nothing else.
 * The accessors do not check the length; `isRtp` does, once for each datagram.
 */

export const RTP_VERSION = 2;
export const RTP_HEADER_LENGTH = 12;

/** Whether `bytes` starts like RTP (version 2, room for a header) and not like RTCP (RFC 5761 §4: types 192–223). */
export function isRtp(bytes: Uint8Array): boolean {
  if (bytes.length < RTP_HEADER_LENGTH || (bytes[0] ?? 0) >> 6 !== RTP_VERSION) return false;
  const second = bytes[1] ?? 0;
  return second < 192 || second > 223;
}

/** Whether `bytes` starts like RTCP: RFC 3550 §6, RFC 5761 §4. */
export function isRtcp(bytes: Uint8Array): boolean {
  if (bytes.length < 8 || (bytes[0] ?? 0) >> 6 !== RTP_VERSION) return false;
  const second = bytes[1] ?? 0;
  return second >= 192 && second <= 223;
}

function read16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function read32(bytes: Uint8Array, offset: number): number {
  return ((read16(bytes, offset) << 16) | read16(bytes, offset + 2)) >>> 0;
}

function write16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >>> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}

function write32(bytes: Uint8Array, offset: number, value: number): void {
  write16(bytes, offset, value >>> 16);
  write16(bytes, offset + 2, value);
}

export function readMarker(bytes: Uint8Array): boolean {
  return ((bytes[1] ?? 0) & 0x80) !== 0;
}

export function readPayloadType(bytes: Uint8Array): number {
  return (bytes[1] ?? 0) & 0x7f;
}

export function writePayloadType(bytes: Uint8Array, payloadType: number): void {
  bytes[1] = ((bytes[1] ?? 0) & 0x80) | (payloadType & 0x7f);
}

export function readSequence(bytes: Uint8Array): number {
  return read16(bytes, 2);
}

export function writeSequence(bytes: Uint8Array, sequence: number): void {
  write16(bytes, 2, sequence);
}

/** Unsigned 32 bits. */
export function readTimestamp(bytes: Uint8Array): number {
  return read32(bytes, 4);
}

export function writeTimestamp(bytes: Uint8Array, timestamp: number): void {
  write32(bytes, 4, timestamp);
}

/** Unsigned 32 bits. */
export function readSsrc(bytes: Uint8Array): number {
  return read32(bytes, 8);
}

export function writeSsrc(bytes: Uint8Array, ssrc: number): void {
  write32(bytes, 8, ssrc);
}

export interface RtpHeader {
  readonly marker: boolean;
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
}

/** Writes a whole 12-byte header (version 2, no padding, extension or CSRC) at the start of `into`. */
export function writeHeader(into: Uint8Array, header: RtpHeader): void {
  into[0] = RTP_VERSION << 6;
  into[1] = (header.marker ? 0x80 : 0) | (header.payloadType & 0x7f);
  writeSequence(into, header.sequence);
  writeTimestamp(into, header.timestamp);
  writeSsrc(into, header.ssrc);
}

/**
 * The payload without header, CSRC list, header extension and padding, as a view; null when the header claims more
 * than the datagram holds.
 */
export function payloadOf(bytes: Uint8Array): Uint8Array | null {
  const first = bytes[0] ?? 0;
  let start = RTP_HEADER_LENGTH + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (start + 4 > bytes.length) return null;
    start += 4 + 4 * read16(bytes, start + 2);
  }
  const padding = (first & 0x20) === 0 ? 0 : (bytes[bytes.length - 1] ?? 0);
  if ((first & 0x20) !== 0 && padding === 0) return null;
  const end = bytes.length - padding;
  return start <= end ? bytes.subarray(start, end) : null;
}

/** How far `sequence` is ahead of `reference` (RFC 3550 §A.1): −32768…32767, across the wrap. */
export function sequenceDifference(sequence: number, reference: number): number {
  return ((sequence - reference) << 16) >> 16;
}

/** How far `timestamp` is ahead of `reference`: −2³¹…2³¹−1, across the wrap. */
export function timestampDifference(timestamp: number, reference: number): number {
  return (timestamp - reference) | 0;
}
