// What a client says to a 401 or 407: RFC 3261 §22, RFC 8760. Texts are wire text (see bytes.ts).

import { computeDigestResponse, type DigestChallenge, formatCredentials, parseChallenge, parseCredentials } from './digest.ts';
import { headerValues, withHeaders } from './headers.ts';
import type { SipRequest, SipResponse } from './message.ts';

/** Challenges of one response that are looked at. */
const MAXIMUM_CHALLENGES = 8;

/** Whose password is used; the realm is the one of the challenge. */
export interface DigestAccount {
  readonly username: string;
  readonly password: string;
}

export type ChallengeAnswer =
  /** The request with the credentials in it, still with its old branch and CSeq. */
  | { readonly kind: 'answered'; readonly request: SipRequest }
  /** These very credentials were refused (no stale=true): trying again cannot help. */
  | { readonly kind: 'refused' }
  /** No challenge that can be answered. */
  | { readonly kind: 'unknown' };

const PAIRS = [
  ['WWW-Authenticate', 'Authorization'],
  ['Proxy-Authenticate', 'Proxy-Authorization'],
] as const;

/**
 * Answers each realm's first challenge that we understand; credentials for other realms stay, so that a proxy and the
 * far end may both ask (RFC 3261 §22.3).
 */
export function answerChallenge(request: SipRequest, response: SipResponse, account: DigestAccount, cnonce: string): ChallengeAnswer {
  let answered = request;
  let found = false;
  for (const [asking, answering] of PAIRS) {
    const realms = new Map<string, DigestChallenge>();
    for (const value of headerValues(response, asking).slice(0, MAXIMUM_CHALLENGES)) {
      const challenge = parseChallenge(value);
      if (challenge !== null && !realms.has(challenge.realm)) realms.set(challenge.realm, challenge);
    }
    if (realms.size === 0) continue;
    found = true;
    const kept = headerValues(request, answering).filter((value) => {
      const credentials = parseCredentials(value);
      return credentials === null || !realms.has(credentials.realm);
    });
    if (headerValues(request, answering).length > kept.length && [...realms.values()].every((challenge) => !challenge.stale)) {
      return { kind: 'refused' };
    }
    const values = [...realms.values()].map((challenge) => credentialsFor(challenge, request, account, cnonce));
    answered = withHeaders(answered, answering, [...kept, ...values]);
  }
  return found ? { kind: 'answered', request: answered } : { kind: 'unknown' };
}

/** One Authorization value; a nonce is used once, so its count is always 1. */
function credentialsFor(challenge: DigestChallenge, request: SipRequest, account: DigestAccount, cnonce: string): string {
  const { realm, nonce, algorithm, opaque } = challenge;
  const qop = challenge.qop.includes('auth') ? 'auth' : challenge.qop.includes('auth-int') ? 'auth-int' : null;
  const sent = { username: account.username, realm, nonce, uri: request.uri, algorithm, qop } as const;
  const counted =
    qop === null ? { nonceCount: null, cnonce: algorithm.endsWith('-sess') ? cnonce : null } : { nonceCount: '00000001', cnonce };
  const response = computeDigestResponse({
    ...sent,
    ...counted,
    secret: { password: account.password },
    method: request.method,
    body: request.body,
  });
  return formatCredentials({ ...sent, ...counted, opaque, response });
}
