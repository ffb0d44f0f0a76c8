import { isIP } from 'node:net';
import type { Address } from '../../base/index.ts';
import type { SipHeader, SipRequest, SipResponse } from '../message/index.ts';
import { formatNameAddress, formatUri, headerValue, headerValues, parseCSeq, parseNameAddress, parseUri, tagOf } from '../message/index.ts';

/** RFC 3261 §12: what both sides need to talk within the dialog. Plain data, since it is what a checkpoint holds. */
export interface DialogRecord {
  callId: string;
  localTag: string;
  /** null until the peer's tag is known. */
  remoteTag: string | null;
  /** From/To values of our side and of the peer's, without tag. */
  localIdentity: string;
  remoteIdentity: string;
  /** Contact URI we gave. */
  localContact: string;
  /** Request-URI of our requests: the peer's Contact. */
  remoteTarget: string;
  /** Route header values, in the order we send them. */
  routeSet: string[];
  localCSeq: number;
  /** Highest CSeq number seen from the peer, null when none yet. */
  remoteCSeq: number | null;
  /** Where the last message from the peer came from. */
  peerAddress: Address;
  /** Where our requests go when the route set is empty and the target is not directly usable (NAT), else null. */
  natAddress: Address | null;
  /** Methods of the peer's Allow header, empty when it sent none. */
  remoteAllow: string[];
}

/** What identifies us in what we send on one profile. */
export interface LocalParty {
  /** Address written in Via and Contact. */
  readonly advertised: Address;
  readonly userAgent: string;
}

/** A From or To value without its tag. */
function withoutTag(value: string): string {
  const parsed = parseNameAddress(value);
  if (parsed === null) return value;
  const parameters = new Map(parsed.parameters);
  parameters.delete('tag');
  return formatNameAddress({ ...parsed, parameters });
}

/** The URI of a Contact value, as text, or null when there is none that can be used. */
export function contactUri(message: SipRequest | SipResponse): string | null {
  const contact = headerValue(message, 'Contact');
  if (contact === null) return null;
  const parsed = parseNameAddress(contact);
  return parsed === null ? null : formatUri(parsed.uri);
}

/** Methods listed in Allow; empty when the header is absent. */
export function allowedMethods(message: SipRequest | SipResponse): string[] {
  return headerValues(message, 'Allow').flatMap((value) =>
    value
      .split(',')
      .map((method) => method.trim().toUpperCase())
      .filter((method) => method !== ''),
  );
}

function isPrivate(host: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(host);
}

/**
 * The source address, when the Contact cannot be reached from here: it names a private address or a host name, the
 * packet came from elsewhere, and no proxy asked to stay in the path.
 */
function natAddressOf(target: string, source: Address, routeSet: readonly string[]): Address | null {
  if (routeSet.length > 0) return null;
  const uri = parseUri(target);
  if (uri === null) return source;
  if (uri.host === source.ip) return null;
  return isIP(uri.host) === 0 || (isPrivate(uri.host) && !isPrivate(source.ip)) ? source : null;
}

/** RFC 3261 §12.1.1: the dialog as the UAS sees it. The request must have From, To, Call-ID and CSeq (the parser checks). */
export function dialogFromInvite(request: SipRequest, options: { localTag: string; localContact: string; source: Address }): DialogRecord {
  const routeSet = [...headerValues(request, 'Record-Route')];
  const from = headerValue(request, 'From') ?? '';
  const target = contactUri(request) ?? request.uri;
  return {
    callId: headerValue(request, 'Call-ID') ?? '',
    localTag: options.localTag,
    remoteTag: tagOf(from),
    localIdentity: withoutTag(headerValue(request, 'To') ?? ''),
    remoteIdentity: withoutTag(from),
    localContact: options.localContact,
    remoteTarget: target,
    routeSet,
    localCSeq: 0,
    remoteCSeq: parseCSeq(headerValue(request, 'CSeq') ?? '')?.number ?? null,
    peerAddress: options.source,
    natAddress: natAddressOf(target, options.source, routeSet),
    remoteAllow: allowedMethods(request),
  };
}

/** RFC 3261 §12.1.2: fills in what a dialog-creating response tells the UAC (its Record-Route in reverse). */
export function updateFromResponse(dialog: DialogRecord, response: SipResponse, source: Address): void {
  dialog.remoteTag = tagOf(headerValue(response, 'To') ?? '');
  dialog.routeSet = [...headerValues(response, 'Record-Route')].reverse();
  dialog.peerAddress = source;
  refreshTarget(dialog, response, source);
}

/** RFC 3261 §12.2: target refresh by the Contact of a re-INVITE, UPDATE or a 2xx to one. The route set stays. */
export function refreshTarget(dialog: DialogRecord, message: SipRequest | SipResponse, source: Address): void {
  const target = contactUri(message);
  if (target !== null) {
    dialog.remoteTarget = target;
    dialog.natAddress = natAddressOf(target, source, dialog.routeSet);
  }
  const allow = allowedMethods(message);
  if (allow.length > 0) dialog.remoteAllow = allow;
}

/** Where a URI's host and port lead without a look-up; null for a host name. */
function literalAddress(uriText: string): Address | null {
  const uri = parseUri(uriText);
  if (uri === null) return null;
  const maddr = uri.parameters.get('maddr');
  const host = maddr !== undefined && isIP(maddr) !== 0 ? maddr : uri.host;
  return isIP(host) === 0 ? null : { ip: host, port: uri.port ?? 5060 };
}

function routeUri(route: string): string {
  const parsed = parseNameAddress(route);
  return parsed === null ? route : formatUri(parsed.uri);
}

/** The next hop of a request in this dialog: first route, else the NAT address, else the target, else where the peer was last seen. */
export function dialogDestination(dialog: DialogRecord): Address {
  const first = dialog.routeSet[0];
  if (first !== undefined) return literalAddress(routeUri(first)) ?? dialog.peerAddress;
  return dialog.natAddress ?? literalAddress(dialog.remoteTarget) ?? dialog.peerAddress;
}

/** Host and port that a new dialog's first request has to be sent to: the first route, else the target. */
export function dialogNextHop(dialog: DialogRecord): { readonly host: string; readonly port: number | null } | null {
  const first = dialog.routeSet[0];
  const uri = parseUri(first === undefined ? dialog.remoteTarget : routeUri(first));
  return uri === null ? null : { host: uri.parameters.get('maddr') ?? uri.host, port: uri.port };
}

export interface RequestParts {
  readonly method: string;
  readonly branch: string;
  readonly cseq: number;
  readonly headers?: readonly SipHeader[];
  readonly body?: string;
  readonly contentType?: string;
}

/** RFC 3261 §12.2.1.1: a request within the dialog, loose and strict routing. Does not change the dialog. */
export function dialogRequest(dialog: DialogRecord, party: LocalParty, parts: RequestParts): SipRequest {
  const first = dialog.routeSet[0];
  const loose = first === undefined || (parseNameAddress(first)?.uri.parameters.has('lr') ?? true);
  const uri = loose ? dialog.remoteTarget : routeUri(first);
  const routes = loose ? dialog.routeSet : [...dialog.routeSet.slice(1), `<${dialog.remoteTarget}>`];
  const remoteTag = dialog.remoteTag === null ? '' : `;tag=${dialog.remoteTag}`;
  const headers: SipHeader[] = [
    { name: 'Via', value: viaValue(party, parts.branch) },
    ...routes.map((value) => ({ name: 'Route', value })),
    { name: 'Max-Forwards', value: '70' },
    { name: 'From', value: `${dialog.localIdentity};tag=${dialog.localTag}` },
    { name: 'To', value: `${dialog.remoteIdentity}${remoteTag}` },
    { name: 'Call-ID', value: dialog.callId },
    { name: 'CSeq', value: `${parts.cseq} ${parts.method}` },
  ];
  if (parts.method !== 'BYE' && parts.method !== 'CANCEL' && parts.method !== 'ACK' && parts.method !== 'PRACK') {
    headers.push({ name: 'Contact', value: `<${dialog.localContact}>` });
  }
  headers.push({ name: 'User-Agent', value: party.userAgent }, ...(parts.headers ?? []));
  const body = parts.body ?? '';
  if (body !== '') headers.push({ name: 'Content-Type', value: parts.contentType ?? 'application/sdp' });
  return { kind: 'request', method: parts.method, uri, headers, body };
}

/** Our Via: rport asked for (RFC 3581), branch with the magic cookie. */
export function viaValue(party: LocalParty, branch: string): string {
  const { ip, port } = party.advertised;
  return `SIP/2.0/UDP ${ip.includes(':') ? `[${ip}]` : ip}:${port};rport;branch=${branch}`;
}

/** Methods that we take, for Allow. */
export const ALLOW = 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, PRACK, REGISTER, NOTIFY, REFER';
