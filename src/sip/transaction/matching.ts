// How a message finds its transaction: RFC 3261 §17.1.3 and §17.2.3.
import { assert } from '../../base/index.ts';
import { formatVia, headerValue, parseCSeq, parseVia, type SipRequest, type SipResponse, tagOf } from '../message/index.ts';

const MAGIC_COOKIE = 'z9hG4bK';
/** Cannot occur in a header value, so parts cannot run into each other. */
const SEPARATOR = '\n';

/** The branch of the request's top Via; every request of ours has one. */
export function branchOf(request: SipRequest): string {
  const branch = parseVia(headerValue(request, 'Via') ?? '')?.parameters.get('branch');
  assert(branch !== undefined && branch !== '', 'a request of ours has a branch');
  return branch;
}

/** Key of a client transaction: the branch and the CSeq method, since a CANCEL shares the branch (§17.1.3). */
export function clientKey(branch: string, method: string): string {
  return `${branch}${SEPARATOR}${method}`;
}

/** Key of the client transaction that a response answers, or null. */
export function responseKey(response: SipResponse): string | null {
  const branch = parseVia(headerValue(response, 'Via') ?? '')?.parameters.get('branch');
  const cseq = parseCSeq(headerValue(response, 'CSeq') ?? '');
  return branch === undefined || cseq === null ? null : clientKey(branch, cseq.method);
}

/** Whether the request's branch is unique as RFC 3261 wants it; otherwise its sender follows RFC 2543. */
export function hasMagicCookie(request: SipRequest): boolean {
  const branch = parseVia(headerValue(request, 'Via') ?? '')?.parameters.get('branch') ?? '';
  return branch.length > MAGIC_COOKIE.length && branch.slice(0, MAGIC_COOKIE.length).toLowerCase() === MAGIC_COOKIE.toLowerCase();
}

/**
 * Key of a server transaction (§17.2.3): branch, sent-by and method, or for an RFC 2543 peer Request-URI, tags, Call-ID, CSeq
 * number, top Via and method. `method` is the one looked for: INVITE for an ACK or CANCEL. `toTag` replaces the request's own,
 * for an ACK, whose To tag may be the one of our response.
 */
export function serverKey(request: SipRequest, method: string, toTag?: string): string {
  const via = parseVia(headerValue(request, 'Via') ?? '');
  if (via !== null && hasMagicCookie(request)) {
    return [via.parameters.get('branch'), via.host.toLowerCase(), via.port ?? '', method].join(SEPARATOR);
  }
  const parameters = new Map(via?.parameters);
  // Our own additions; a NAT may give a retransmission another port.
  parameters.delete('received');
  parameters.delete('rport');
  return [
    request.uri,
    tagOf(headerValue(request, 'From') ?? '') ?? '',
    toTag ?? tagOf(headerValue(request, 'To') ?? '') ?? '',
    headerValue(request, 'Call-ID') ?? '',
    parseCSeq(headerValue(request, 'CSeq') ?? '')?.number ?? '',
    via === null ? '' : formatVia({ ...via, parameters }),
    method,
  ].join(SEPARATOR);
}
