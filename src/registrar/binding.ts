import { type Address, UndropError } from '../base/index.ts';
import type { SipProfile } from '../config/index.ts';
import { formatUri, headerValue, headerValues, parseNameAddress, parseUri, type SipRequest, type SipUri } from '../sip/index.ts';
import type { RegistrationRow } from '../store/index.ts';

export const MAXIMUM_CONTACT_LENGTH = 512;

/** Seconds. */
export interface ExpiryLimits {
  readonly minimum: number;
  /** When the request names none. */
  readonly default: number;
  readonly maximum: number;
}

/** One Contact of a REGISTER. `expires` 0 removes it. */
export interface RequestedBinding {
  readonly contact: string;
  readonly uri: SipUri;
  /** Seconds, within the limits. */
  readonly expires: number;
}

export type RequestedBindings =
  | { readonly kind: 'fetch' }
  | { readonly kind: 'removeAll' }
  | { readonly kind: 'update'; readonly bindings: readonly RequestedBinding[] }
  | { readonly kind: 'tooBrief'; readonly minimum: number }
  | { readonly kind: 'invalid'; readonly reason: string };

/** RFC 3261 §10.3 steps 6 and 7: what a REGISTER asks for. */
export function requestedBindings(
  request: SipRequest,
  profile: SipProfile,
  limits: ExpiryLimits,
  maximumContacts: number,
): RequestedBindings {
  const contacts = headerValues(request, 'Contact');
  const expiresHeader = seconds(headerValue(request, 'Expires'));
  if (contacts.length === 0) return { kind: 'fetch' };
  if (contacts.some((value) => value.trim() === '*')) {
    if (contacts.length === 1 && expiresHeader === 0) return { kind: 'removeAll' };
    return { kind: 'invalid', reason: 'Contact * goes alone and with Expires 0' };
  }
  if (contacts.length > maximumContacts) return { kind: 'invalid', reason: 'Too Many Contacts' };

  const forced = seconds(profile.parameters.get('sip-force-expires') ?? null);
  const bindings: RequestedBinding[] = [];
  for (const value of contacts) {
    const address = value.length > MAXIMUM_CONTACT_LENGTH ? null : parseNameAddress(value);
    if (address === null || address.uri.scheme === 'tel') return { kind: 'invalid', reason: 'Bad Contact' };
    const asked = seconds(address.parameters.get('expires') ?? null) ?? expiresHeader ?? limits.default;
    // "If the registrar returns … an expiration interval greater than zero AND smaller than one hour AND less than a
    // registrar-configured minimum": RFC 3261 §10.3 step 7.
    if (forced === null && asked > 0 && asked < 3600 && asked < limits.minimum) return { kind: 'tooBrief', minimum: limits.minimum };
    const expires = asked === 0 ? 0 : forced !== null && forced > 0 ? forced : Math.min(asked, limits.maximum);
    bindings.push({ contact: formatUri(address.uri), uri: address.uri, expires });
  }
  return { kind: 'update', bindings };
}

/** Delta seconds; malformed values count as absent (RFC 3261 §10.3: "treated as equivalent to 3600", our default). */
function seconds(text: string | null): number | null {
  return text !== null && /^\s*\d{1,10}\s*$/.test(text) ? Number(text) : null;
}

/** How to reach a registered contact. */
export interface ContactRoute {
  /** Request-URI. */
  readonly uri: string;
  /** Where the request goes instead of the URI's host and port: the phone is behind NAT. null: the URI says it. */
  readonly natAddress: Address | null;
}

/** The source of the REGISTER is used where it differs from what the contact claims. Throws on a row that is no contact. */
export function routeToContact(row: RegistrationRow): ContactRoute {
  const uri = parseUri(row.contact);
  if (uri === null) {
    throw new UndropError('REGISTRATION_ROW', `the contact "${row.contact.slice(0, 80)}" is not a SIP URI`, {
      where: `${row.user}@${row.realm}`,
      fix: 'delete the row; the phone registers again',
    });
  }
  const secure = uri.scheme === 'sips' || uri.parameters.get('transport')?.toLowerCase() === 'tls';
  const direct = uri.host === row.networkIp && (uri.port ?? (secure ? 5061 : 5060)) === row.networkPort;
  return { uri: row.contact, natAddress: direct ? null : { ip: row.networkIp, port: row.networkPort } };
}
