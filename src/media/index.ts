export { ControlServer, MAX_WAITING_EVENTS } from './control-server.ts';
export { type IpNumber, IpTable } from './ip-table.ts';
export { JOURNAL_BYTES, Journal, MAX_ENDPOINTS } from './journal.ts';
export { MediaPlane, type MediaPlaneOptions, type RestoreResult } from './media-plane.ts';
export {
  MAX_CONTROL_CONNECTIONS,
  MAX_CONTROL_LINE_BYTES,
  MAX_CONTROL_PENDING_BYTES,
  MAX_DATAGRAM_BYTES,
  PacketIoError,
  type PacketOutput,
  type SocketHandle,
} from './packet-io.ts';
export * from './protocol.ts';
