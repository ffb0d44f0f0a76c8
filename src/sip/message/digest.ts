// Digest authentication as pure functions: RFC 2617, 7616, and 8760 for SIP. Texts are wire text (see bytes.ts).

import { createHash } from 'node:crypto';
import { trimBlanks } from './blanks.ts';
import { bytesOf } from './bytes.ts';
import { quote, splitCommaList, unquote } from './parameters.ts';

export type DigestAlgorithm = 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess' | 'SHA-512-256' | 'SHA-512-256-sess';

const ALGORITHMS: readonly DigestAlgorithm[] = ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess', 'SHA-512-256', 'SHA-512-256-sess'];

/** Value of WWW-Authenticate or Proxy-Authenticate. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | null;
  /** MD5 when the header names none. */
  readonly algorithm: DigestAlgorithm;
  /** Empty when the header names none (RFC 2069 form). */
  readonly qop: readonly string[];
  /** The nonce was old, the password right: try again without asking a person. */
  readonly stale: boolean;
}

/** Value of Authorization or Proxy-Authorization. */
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** Lower-case hexadecimal. */
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  readonly opaque: string | null;
  readonly qop: 'auth' | 'auth-int' | null;
  /** Eight hexadecimal digits, with qop only. */
  readonly nonceCount: string | null;
  readonly cnonce: string | null;
}

/** Null when it is no Digest challenge that we can answer (an unknown algorithm: RFC 8760 §2.4 says to ignore it). */
export function parseChallenge(value: string): DigestChallenge | null {
  const fields = parseFields(value);
  const realm = fields?.get('realm');
  const nonce = fields?.get('nonce');
  if (fields === null || realm === undefined || nonce === undefined) return null;
  const algorithm = algorithmNamed(fields.get('algorithm'));
  if (algorithm === null) return null;
  const qop = splitCommaList(fields.get('qop') ?? '').map((option) => option.toLowerCase());
  return { realm, nonce, opaque: fields.get('opaque') ?? null, algorithm, qop, stale: fields.get('stale')?.toLowerCase() === 'true' };
}

/** `Digest realm="…", nonce="…", …`. */
export function formatChallenge(challenge: DigestChallenge): string {
  const fields = [`realm=${quote(challenge.realm)}`, `nonce=${quote(challenge.nonce)}`];
  if (challenge.opaque !== null) fields.push(`opaque=${quote(challenge.opaque)}`);
  if (challenge.stale) fields.push('stale=true');
  fields.push(`algorithm=${challenge.algorithm}`);
  if (challenge.qop.length > 0) fields.push(`qop=${quote(challenge.qop.join(','))}`);
  return `Digest ${fields.join(', ')}`;
}

/** Null when it is no complete set of Digest credentials. */
export function parseCredentials(value: string): DigestCredentials | null {
  const fields = parseFields(value);
  if (fields === null) return null;
  const username = fields.get('username');
  const realm = fields.get('realm');
  const nonce = fields.get('nonce');
  const uri = fields.get('uri');
  const response = fields.get('response');
  const algorithm = algorithmNamed(fields.get('algorithm'));
  if (username === undefined || realm === undefined || nonce === undefined || uri === undefined || response === undefined) return null;
  const qop = fields.get('qop')?.toLowerCase() ?? null;
  const nonceCount = fields.get('nc') ?? null;
  const cnonce = fields.get('cnonce') ?? null;
  if (algorithm === null || (qop !== null && qop !== 'auth' && qop !== 'auth-int')) return null;
  if (qop !== null && (nonceCount === null || !/^[0-9a-f]{8}$/i.test(nonceCount) || cnonce === null)) return null;
  const opaque = fields.get('opaque') ?? null;
  return { username, realm, nonce, uri, response: response.toLowerCase(), algorithm, opaque, qop, nonceCount, cnonce };
}

/** `Digest username="…", …` in the quoting that RFC 3261 §25.1 demands (algorithm, qop and nc unquoted). */
export function formatCredentials(credentials: DigestCredentials): string {
  const fields = [
    `username=${quote(credentials.username)}`,
    `realm=${quote(credentials.realm)}`,
    `nonce=${quote(credentials.nonce)}`,
    `uri=${quote(credentials.uri)}`,
    `response=${quote(credentials.response)}`,
    `algorithm=${credentials.algorithm}`,
  ];
  if (credentials.cnonce !== null) fields.push(`cnonce=${quote(credentials.cnonce)}`);
  if (credentials.opaque !== null) fields.push(`opaque=${quote(credentials.opaque)}`);
  if (credentials.qop !== null) fields.push(`qop=${credentials.qop}`);
  if (credentials.nonceCount !== null) fields.push(`nc=${credentials.nonceCount}`);
  return `Digest ${fields.join(', ')}`;
}

export interface DigestInput {
  readonly username: string;
  readonly realm: string;
  /** The password, or H(username:realm:password) as FreeSWITCH's `a1-hash` holds it. */
  readonly secret: { readonly password: string } | { readonly ha1: string };
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  readonly qop: 'auth' | 'auth-int' | null;
  readonly nonceCount: string | null;
  readonly cnonce: string | null;
  /** Hashed for auth-int only. */
  readonly body?: string;
}

/** The `response` field, lower-case hexadecimal (RFC 7616 §3.4.1). */
export function computeDigestResponse(input: DigestInput): string {
  const hash = hasher(input.algorithm);
  const cnonce = input.cnonce ?? '';
  let ha1 = 'ha1' in input.secret ? input.secret.ha1.toLowerCase() : hash(`${input.username}:${input.realm}:${input.secret.password}`);
  if (input.algorithm.endsWith('-sess')) ha1 = hash(`${ha1}:${input.nonce}:${cnonce}`);
  const body = input.qop === 'auth-int' ? `:${hash(input.body ?? '')}` : '';
  const ha2 = hash(`${input.method}:${input.uri}${body}`);
  if (input.qop === null) return hash(`${ha1}:${input.nonce}:${ha2}`);
  return hash(`${ha1}:${input.nonce}:${input.nonceCount ?? ''}:${cnonce}:${input.qop}:${ha2}`);
}

function hasher(algorithm: DigestAlgorithm): (text: string) => string {
  const name = algorithm.startsWith('MD5') ? 'md5' : algorithm.startsWith('SHA-256') ? 'sha256' : 'sha512-256';
  return (text) => createHash(name).update(bytesOf(text)).digest('hex');
}

function algorithmNamed(name: string | undefined): DigestAlgorithm | null {
  if (name === undefined) return 'MD5';
  const lower = name.toLowerCase();
  return ALGORITHMS.find((algorithm) => algorithm.toLowerCase() === lower) ?? null;
}

function parseFields(value: string): ReadonlyMap<string, string> | null {
  const scheme = /^\s*Digest\s+/i.exec(value);
  if (scheme === null) return null;
  const fields = new Map<string, string>();
  for (const part of splitCommaList(value.slice(scheme[0].length))) {
    const equals = part.indexOf('=');
    if (equals <= 0) return null;
    const name = trimBlanks(part.slice(0, equals)).toLowerCase();
    if (fields.has(name)) return null;
    fields.set(name, unquote(trimBlanks(part.slice(equals + 1))));
  }
  return fields;
}
