/** Seconds from 1900 to 1970 (RFC 3550, 4). */
const NTP_EPOCH_SECONDS = 2_208_988_800;

/** Bytes that `writeSenderReport` needs at most. */
export const RTCP_REPORT_BYTES = 128;

/** Writes a sender report without report blocks and an SDES CNAME (RFC 3550, 6.4.1 and 6.5); returns the length. */
export function writeSenderReport(
  into: Uint8Array,
  report: { ssrc: number; wallMicroseconds: number; timestamp: number; packets: number; octets: number; cname: string },
): number {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const seconds = Math.floor(report.wallMicroseconds / 1e6);
  view.setUint16(0, 0x80c8);
  view.setUint16(2, 6);
  view.setUint32(4, report.ssrc);
  view.setUint32(8, seconds + NTP_EPOCH_SECONDS);
  view.setUint32(12, Math.floor(((report.wallMicroseconds - seconds * 1e6) / 1e6) * 2 ** 32));
  view.setUint32(16, report.timestamp);
  view.setUint32(20, report.packets);
  view.setUint32(24, report.octets);
  const name = report.cname.slice(0, 60);
  // Item header and text, then at least one zero up to the next word.
  const chunk = 4 + Math.ceil((2 + name.length + 1) / 4) * 4;
  into.fill(0, 28, 28 + 4 + chunk);
  view.setUint16(28, 0x81ca);
  view.setUint16(30, chunk / 4);
  view.setUint32(32, report.ssrc);
  into[36] = 1;
  into[37] = name.length;
  for (let index = 0; index < name.length; index++) into[38 + index] = name.charCodeAt(index) & 127;
  return 32 + chunk;
}
