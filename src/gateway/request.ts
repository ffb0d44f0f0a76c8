import {
  headerValue,
  type LocalParty,
  parseCSeq,
  type SipHeader,
  type SipRequest,
  viaValue,
  withFirstHeader,
  withHeader,
} from '../sip/index.ts';

export interface OutOfDialogParts {
  readonly method: 'REGISTER' | 'OPTIONS';
  readonly uri: string;
  readonly branch: string;
  /** Without tag. */
  readonly from: string;
  readonly fromTag: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  readonly contact: string;
  readonly routes: readonly string[];
  readonly headers: readonly SipHeader[];
}

/** A request outside of any dialog: RFC 3261 §8.1.1. */
export function outOfDialogRequest(party: LocalParty, parts: OutOfDialogParts): SipRequest {
  return {
    kind: 'request',
    method: parts.method,
    uri: parts.uri,
    headers: [
      { name: 'Via', value: viaValue(party, parts.branch) },
      ...parts.routes.map((value) => ({ name: 'Route', value })),
      { name: 'Max-Forwards', value: '70' },
      { name: 'From', value: `${parts.from};tag=${parts.fromTag}` },
      { name: 'To', value: parts.to },
      { name: 'Call-ID', value: parts.callId },
      { name: 'CSeq', value: `${parts.cseq} ${parts.method}` },
      { name: 'Contact', value: `<${parts.contact}>` },
      { name: 'User-Agent', value: party.userAgent },
      ...parts.headers,
    ],
    body: '',
  };
}

/** The same request once more: RFC 3261 §8.1.3.5 wants a new branch and a CSeq that is one higher. */
export function sayAgain(request: SipRequest, party: LocalParty, branch: string): { readonly request: SipRequest; readonly cseq: number } {
  const cseq = (parseCSeq(headerValue(request, 'CSeq') ?? '')?.number ?? 0) + 1;
  const again = withHeader(withFirstHeader(request, 'Via', viaValue(party, branch)), 'CSeq', `${cseq} ${request.method}`);
  return { request: again, cseq };
}
