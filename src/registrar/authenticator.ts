import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock, Random } from '../base/index.ts';
import type { DirectoryUser, SipProfile } from '../config/index.ts';
import {
  computeDigestResponse,
  createResponse,
  type DigestAlgorithm,
  type DigestCredentials,
  formatChallenge,
  headerValue,
  headerValues,
  parseCredentials,
  parseNameAddress,
  type SipRequest,
  type SipResponse,
} from '../sip/index.ts';

/** A nonce older than this is stale: the client repeats its request with a new one, without asking a person. */
export const NONCE_LIFETIME_MICROSECONDS = 300_000_000;
/** More Authorization headers in one request are not looked at. */
const MAXIMUM_CREDENTIALS = 8;
const NONCE_SALT_LENGTH = 8;

export type FindUser = (domain: string, user: string) => DirectoryUser | null;

export interface AuthenticatorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly findUser: FindUser;
  /** Signs nonces. Kept over restarts, so that a nonce given before a crash is still good after it; at least 16 characters. */
  readonly secret: string;
}

export type Verification =
  | { readonly kind: 'ok'; readonly user: DirectoryUser }
  /** No credentials for our realm: challenge. */
  | { readonly kind: 'missing' }
  /** Right, but with an old nonce (or one we did not give): challenge with stale=true. */
  | { readonly kind: 'stale' }
  /** Unknown user or wrong password; which of them is not told. */
  | { readonly kind: 'wrong' };

/**
 * Digest authentication of requests (RFC 3261 §22, RFC 8760) without any state: a nonce is its time, a salt and a
 * signature over both and the realm. Nonce counts are not compared, since UDP and crashes repeat requests.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;

  constructor(options: AuthenticatorOptions) {
    if (options.secret.length < 16) throw new Error('broken invariant: the nonce secret has at least 16 characters');
    this.#options = options;
  }

  /** A 401 with WWW-Authenticate or a 407 with Proxy-Authenticate; one header for each algorithm, the strongest first. */
  challenge(request: SipRequest, profile: SipProfile, status: 401 | 407, stale = false): SipResponse {
    const realm = realmOf(request, profile);
    const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate';
    const nonce = this.#nonce(realm);
    return createResponse(request, status, {
      toTag: this.#options.random.token(10),
      headers: algorithmsOf(profile).map((algorithm) => ({
        name,
        value: formatChallenge({ realm, nonce, opaque: null, algorithm, qop: ['auth'], stale }),
      })),
    });
  }

  /** Looks at Authorization and Proxy-Authorization. The user is searched in the domain of the request, then in the realm. */
  verify(request: SipRequest, profile: SipProfile): Verification {
    const realm = realmOf(request, profile);
    const algorithms = algorithmsOf(profile);
    const credentials = [...headerValues(request, 'Authorization'), ...headerValues(request, 'Proxy-Authorization')]
      .slice(0, MAXIMUM_CREDENTIALS)
      .map(parseCredentials)
      .filter((entry) => entry !== null && entry.realm === realm && algorithms.includes(entry.algorithm) && entry.qop !== 'auth-int')
      .filter((entry) => entry !== null);
    const [first] = credentials;
    if (first === undefined) return { kind: 'missing' };

    const user = this.#find(first.username, domainOf(request, profile), realm);
    if (user === null || !credentials.some((entry) => entry.username === first.username && matches(entry, user, request.method))) {
      return { kind: 'wrong' };
    }
    return this.#isFresh(first.nonce, realm) ? { kind: 'ok', user } : { kind: 'stale' };
  }

  #find(name: string, domain: string, realm: string): DirectoryUser | null {
    return this.#options.findUser(domain, name) ?? (realm === domain ? null : this.#options.findUser(realm, name));
  }

  #nonce(realm: string): string {
    const body = `${this.#options.clock.wallMicroseconds().toString(36)}.${this.#options.random.token(NONCE_SALT_LENGTH)}`;
    return `${body}.${this.#signature(body, realm)}`;
  }

  #isFresh(nonce: string, realm: string): boolean {
    const match = /^(([0-9a-z]{1,14})\.[0-9A-Za-z]{1,32})\.([0-9a-f]{32})$/.exec(nonce);
    if (match === null) return false;
    const [, body = '', time = '', signature = ''] = match;
    if (!equalText(signature, this.#signature(body, realm))) return false;
    // A clock that was set back makes nonces of the future; they are no better than old ones.
    return Math.abs(this.#options.clock.wallMicroseconds() - Number.parseInt(time, 36)) <= NONCE_LIFETIME_MICROSECONDS;
  }

  #signature(body: string, realm: string): string {
    return createHmac('sha256', this.#options.secret).update(`${body}:${realm}`).digest('hex').slice(0, 32);
  }
}

/** `challenge-realm`: the text itself, or FreeSWITCH's `auto_from` and `auto_to`. */
function realmOf(request: SipRequest, profile: SipProfile): string {
  if (profile.challengeRealm === 'auto_from') return hostOf(request, 'From');
  if (profile.challengeRealm === 'auto_to' || profile.challengeRealm === '') return hostOf(request, 'To');
  return profile.challengeRealm;
}

/** Where the user is looked up: `force-register-domain`, else the domain in To (REGISTER) or From (all others). */
export function domainOf(request: SipRequest, profile: SipProfile): string {
  const forced = request.method === 'REGISTER' ? profile.parameters.get('force-register-domain') : undefined;
  return forced ?? hostOf(request, request.method === 'REGISTER' ? 'To' : 'From');
}

function hostOf(request: SipRequest, header: 'From' | 'To'): string {
  return parseNameAddress(headerValue(request, header) ?? '')?.uri.host.toLowerCase() ?? '';
}

/** FreeSWITCH's `rfc8760-auth-algorithms`; MD5 alone by default, since many phones read only the first challenge. */
function algorithmsOf(profile: SipProfile): readonly DigestAlgorithm[] {
  const wanted = (profile.parameters.get('rfc8760-auth-algorithms') ?? '').toUpperCase().split(/[\s,]+/);
  const supported: readonly DigestAlgorithm[] = ['SHA-256', 'MD5'];
  const chosen = supported.filter((algorithm) => wanted.includes(algorithm));
  return chosen.length === 0 ? ['MD5'] : chosen;
}

function matches(credentials: DigestCredentials, user: DirectoryUser, method: string): boolean {
  const secret =
    user.password !== null && user.password !== ''
      ? { password: user.password }
      : // `a1-hash` is an MD5 hash: it says nothing about SHA-256.
        user.a1Hash !== null && user.a1Hash !== '' && credentials.algorithm === 'MD5'
        ? { ha1: user.a1Hash }
        : null;
  if (secret === null) return false;
  const { username, realm, uri, nonce, algorithm, qop, nonceCount, cnonce } = credentials;
  return equalText(
    credentials.response,
    computeDigestResponse({ username, realm, secret, method, uri, nonce, algorithm, qop, nonceCount, cnonce }),
  );
}

function equalText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
