/** RTP fields at an offset of a larger buffer, without a view or a copy per packet (RFC 3550, 5.1). */
export const RTP_HEADER_BYTES = 12;

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  );
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function writeHeader(
  bytes: Uint8Array,
  payloadType: number,
  marker: boolean,
  sequence: number,
  timestamp: number,
  ssrc: number,
): void {
  bytes[0] = 0x80;
  bytes[1] = (marker ? 128 : 0) | payloadType;
  bytes[2] = sequence >>> 8;
  bytes[3] = sequence;
  writeUint32(bytes, 4, timestamp);
  writeUint32(bytes, 8, ssrc);
}
