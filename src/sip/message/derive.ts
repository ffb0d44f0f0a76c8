// Messages that follow from another message.
import { assert } from '../../base/index.ts';
import { headerValue, headerValues } from './headers.ts';
import type { SipHeader, SipRequest, SipResponse } from './message.ts';
import { tagOf } from './name-address.ts';
import { reasonPhrase } from './reason-phrase.ts';
import { parseCSeq } from './via.ts';

/** Requests that can create a dialog: RFC 3261 §12, 3515, 6665. */
const DIALOG_CREATING = new Set(['INVITE', 'SUBSCRIBE', 'REFER']);

export interface ResponseOptions {
  readonly reason?: string;
  /** Put into To when it has no tag yet; not used for 100 (RFC 3261 §8.2.6.2). */
  readonly toTag?: string;
  /** After the copied ones, e.g. Contact, Allow, Content-Type. */
  readonly headers?: readonly SipHeader[];
  readonly body?: string;
}

/**
 * RFC 3261 §8.2.6: every Via, From, To, Call-ID and CSeq of the request; Record-Route in 101–299 to a request that creates a
 * dialog (§12.1.1); Timestamp in 100 (§8.2.6.1).
 */
export function createResponse(request: SipRequest, status: number, options: ResponseOptions = {}): SipResponse {
  const headers: SipHeader[] = [];
  const to = headerValue(request, 'To') ?? '';
  const hasTag = tagOf(to) !== null;
  const recordRoute = status > 100 && status < 300 && !hasTag && DIALOG_CREATING.has(request.method);
  for (const header of request.headers) {
    switch (header.name) {
      case 'Via':
      case 'From':
      case 'Call-ID':
      case 'CSeq':
        headers.push(header);
        break;
      case 'To':
        headers.push(
          hasTag || options.toTag === undefined || status === 100 ? header : { name: 'To', value: `${to};tag=${options.toTag}` },
        );
        break;
      case 'Record-Route':
        if (recordRoute) headers.push(header);
        break;
      case 'Timestamp':
        if (status === 100) headers.push(header);
        break;
      default:
    }
  }
  if (options.headers !== undefined) headers.push(...options.headers);
  return { kind: 'response', status, reason: options.reason ?? reasonPhrase(status), headers, body: options.body ?? '' };
}

/** The ACK to a non-2xx final response: RFC 3261 §17.1.1.3. */
export function createAcknowledge(invite: SipRequest, response: SipResponse): SipRequest {
  return sameHop(invite, 'ACK', headerValue(response, 'To') ?? headerValue(invite, 'To') ?? '');
}

/** RFC 3261 §9.1; to be sent only once a provisional response has come. */
export function createCancel(invite: SipRequest): SipRequest {
  return sameHop(invite, 'CANCEL', headerValue(invite, 'To') ?? '');
}

/** A request on the same hop and branch as the INVITE: only the top Via, the same Route. */
function sameHop(invite: SipRequest, method: string, to: string): SipRequest {
  const cseq = parseCSeq(headerValue(invite, 'CSeq') ?? '');
  assert(cseq !== null, 'an INVITE that is out has a CSeq');
  const headers: SipHeader[] = [
    { name: 'Via', value: headerValue(invite, 'Via') ?? '' },
    ...headerValues(invite, 'Route').map((value) => ({ name: 'Route', value })),
    { name: 'Max-Forwards', value: '70' },
    { name: 'From', value: headerValue(invite, 'From') ?? '' },
    { name: 'To', value: to },
    { name: 'Call-ID', value: headerValue(invite, 'Call-ID') ?? '' },
    { name: 'CSeq', value: `${cseq.number} ${method}` },
  ];
  return { kind: 'request', method, uri: invite.uri, headers, body: '' };
}
