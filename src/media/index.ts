export { IpTable } from './ip-table.ts';
export { JOURNAL_BYTES, Journal, MAX_ENDPOINTS } from './journal.ts';
export { MediaPlane } from './media-plane.ts';
export {
  PacketIoError,
  type PacketOutput,
  type SocketHandle,
} from './packet-io.ts';
export * from './protocol.ts';
