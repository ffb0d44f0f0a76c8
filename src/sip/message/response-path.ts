import type { Address } from '../../base/index.ts';
import { headerValue, withFirstHeader } from './headers.ts';
import type { SipMessage, SipRequest } from './message.ts';
import { formatVia, parseVia } from './via.ts';

const DEFAULT_PORT = 5060;

/**
 * Notes in the top Via where the request really came from: `received` when the sent-by host differs or rport is asked for
 * (RFC 3261 §18.2.1, RFC 3581 §4), `rport` when asked for. `forceRport` treats every request as if it asked (FreeSWITCH's
 * NDLB-force-rport). A `received` that the peer wrote itself is not believed.
 */
export function stampReceived(request: SipRequest, source: Address, forceRport = false): SipRequest {
  const via = parseVia(headerValue(request, 'Via') ?? '');
  if (via === null) return request;
  const wantsPort = via.parameters.has('rport') || forceRport;
  const differs = via.host.toLowerCase() !== source.ip.toLowerCase();
  if (!wantsPort && !differs && !via.parameters.has('received')) return request;
  const parameters = new Map(via.parameters);
  parameters.delete('received');
  if (wantsPort) parameters.set('rport', String(source.port));
  if (wantsPort || differs) parameters.set('received', source.ip);
  return withFirstHeader(request, 'Via', formatVia({ ...via, parameters }));
}

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

function ipOf(host: string | undefined): string | null {
  if (host === undefined) return null;
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return IPV4.test(bare) || bare.includes(':') ? bare : null;
}

/**
 * Where a response goes, from the top Via (RFC 3261 §18.2.2, RFC 3581 §4): maddr, else received with rport, else sent-by.
 * `message` is the response, or the request after stampReceived. No name is ever looked up: what is no IP address is passed
 * over, at last for `source`.
 */
export function responseDestination(message: SipMessage, source: Address): Address {
  const via = parseVia(headerValue(message, 'Via') ?? '');
  if (via === null) return source;
  const port = via.port ?? DEFAULT_PORT;
  const multicast = ipOf(via.parameters.get('maddr'));
  if (multicast !== null) return { ip: multicast, port };
  const rport = Number(via.parameters.get('rport') ?? '');
  const returnPort = Number.isInteger(rport) && rport > 0 && rport < 65_536 ? rport : port;
  const received = ipOf(via.parameters.get('received'));
  if (received !== null) return { ip: received, port: returnPort };
  const sentBy = ipOf(via.host);
  return sentBy === null ? source : { ip: sentBy, port };
}
