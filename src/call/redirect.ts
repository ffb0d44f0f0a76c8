import { isIP } from 'node:net';
import type { Address } from '../base/index.ts';
import type { SipResponse } from '../sip/index.ts';
import { formatUri, headerValues, parseNameAddress, parseUri } from '../sip/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

/** Contacts of 3xx responses that one leg follows, so that two servers that point at each other end. */
export const MAXIMUM_REDIRECTS = 5;
/** Contacts kept of one 3xx. */
const MAXIMUM_CONTACTS = 10;

/** Contacts of a 3xx, the preferred first (RFC 3261 §8.1.3.4, §20.10). */
function contactsOf(response: SipResponse): string[] {
  return headerValues(response, 'Contact')
    .slice(0, MAXIMUM_CONTACTS)
    .flatMap((value) => {
      const contact = parseNameAddress(value);
      if (contact === null || (contact.uri.scheme !== 'sip' && contact.uri.scheme !== 'sips')) return [];
      const quality = Number(contact.parameters.get('q') ?? 1);
      return [{ uri: formatUri({ ...contact.uri, headers: null }), quality: Number.isFinite(quality) ? quality : 0 }];
    })
    .sort((left, right) => right.quality - left.quality)
    .map(({ uri }) => uri);
}

/** Where a contact leads: its address, or that of a user registered here. */
function destinationOf(context: CallContext, text: string): { readonly uri: string; readonly destination: Address } | null {
  const uri = parseUri(text);
  if (uri === null) return null;
  if (isIP(uri.host) !== 0) return { uri: text, destination: { ip: uri.host, port: uri.port ?? 5060 } };
  const registered = context.contactsFor(uri.user ?? '', uri.host)[0];
  return registered?.destination == null ? null : { uri: registered.uri, destination: registered.destination };
}

/**
 * The leg's INVITE got a final response: makes the leg ready for the next contact that a 3xx named, this one's or one
 * before. False when there is none, the limit is reached, or `outbound_redirect_fatal` is set.
 */
export function nextRedirect(context: CallContext, leg: Leg, response: SipResponse): boolean {
  const { record } = leg;
  const { dialog } = record;
  const redirected = response.status >= 300 && response.status < 400;
  if (dialog === null || (!redirected && record.redirect == null)) return false;
  if (/^(true|yes|on|1)$/i.test(record.variables['outbound_redirect_fatal'] ?? '')) return false;
  const redirect = record.redirect ?? { contacts: [], followed: 0 };
  if (redirected) {
    const contacts = contactsOf(response);
    for (const [index, contact] of contacts.entries()) record.variables[`sip_redirect_contact_${index}`] = contact;
    redirect.contacts = [...contacts, ...redirect.contacts].slice(0, MAXIMUM_CONTACTS);
  }
  record.redirect = redirect;
  leg.dirty = true;
  while (redirect.followed < MAXIMUM_REDIRECTS) {
    const contact = redirect.contacts.shift();
    if (contact === undefined) return false;
    const next = destinationOf(context, contact);
    if (next === null) continue;
    redirect.followed += 1;
    dialog.remoteTarget = next.uri;
    dialog.peerAddress = next.destination;
    dialog.natAddress = next.destination;
    record.variables['sip_redirected_to'] = next.uri;
    return true;
  }
  return false;
}
