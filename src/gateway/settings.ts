import { isIP } from 'node:net';
import type { GatewayConfig, SipProfile } from '../config/config.ts';

/** A host and a port as a proxy parameter names them; null port: RFC 3263 decides. No brackets around IPv6. */
export interface HostPort {
  readonly host: string;
  readonly port: number | null;
}

/** One gateway's parameters with FreeSWITCH's defaults filled in (sofia.c, parse_gateways). Durations in seconds. */
export interface GatewaySettings {
  readonly name: string;
  readonly profile: string;
  readonly username: string;
  readonly authUsername: string;
  readonly password: string;
  readonly realm: string;
  /** `user@domain` of From, without scheme. */
  readonly fromUser: string;
  readonly fromDomain: string;
  readonly proxy: HostPort;
  readonly registerProxy: HostPort;
  readonly outboundProxy: HostPort | null;
  readonly register: boolean;
  readonly expireSeconds: number;
  readonly retrySeconds: number;
  readonly callerIdInFrom: boolean;
  readonly callerIdType: 'rpid' | 'pid' | 'none';
  readonly extension: string;
  /** Whether `extension` was written; without it a call that only its source identifies keeps the number it dialled. */
  readonly extensionGiven: boolean;
  readonly extensionInContact: boolean;
  readonly contactParameters: string;
  readonly context: string;
  /** 0: no OPTIONS. */
  readonly pingSeconds: number;
  readonly pingMinimum: number;
  readonly pingMaximum: number;
}

/** FreeSWITCH's switch_true. */
function isTrue(text: string): boolean {
  return /^(true|yes|on|enabled|active|allow|t)$/i.test(text) || (/^-?\d+$/.test(text) && Number(text) !== 0);
}

/** `host`, `host:port`, `[v6]:port`, a bare IPv6 address, each also behind `sip:` and before `;parameters`. */
export function parseHostPort(text: string): HostPort {
  const bare = text
    .trim()
    .replace(/^<|>$/g, '')
    .replace(/^sips?:/i, '')
    .replace(/[;?].*$/, '')
    .replace(/^.*@/, '');
  if (isIP(bare) === 6) return { host: bare, port: null };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(bare);
  const port = Number(match?.[3] ?? 0);
  return { host: match?.[1] ?? match?.[2] ?? bare, port: port > 0 && port < 65_536 ? port : null };
}

export function formatHostPort(address: HostPort): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return address.port === null ? host : `${host}:${address.port}`;
}

/** Whole seconds; what is not a number, or below `least`, is FreeSWITCH's default. */
function seconds(text: string | null, least: number, fallback: number): number {
  const value = text === null ? Number.NaN : Number(text);
  return Number.isInteger(value) && value >= least ? value : fallback;
}

export function gatewaySettings(gateway: GatewayConfig, profile: SipProfile): GatewaySettings {
  const filled = (name: string): string | null => gateway.parameters.get(name) || null;
  const realm = filled('realm') ?? gateway.name;
  const register = isTrue(filled('register') ?? 'true');
  // FreeSWITCH calls itself so where a gateway needs no account.
  const username = filled('username') ?? 'FreeSWITCH';
  const proxy = parseHostPort(filled('proxy') ?? realm);
  const registerProxy = filled('register-proxy');
  const outboundProxy = filled('outbound-proxy');
  const cidType = filled('cid-type')?.toLowerCase();
  return {
    name: gateway.name,
    profile: profile.name,
    username,
    authUsername: filled('auth-username') ?? username,
    password: filled('password') ?? '',
    realm,
    fromUser: filled('from-user') ?? username,
    fromDomain: filled('from-domain') ?? parseHostPort(realm).host,
    proxy,
    registerProxy: registerProxy === null ? proxy : parseHostPort(registerProxy),
    outboundProxy: outboundProxy === null ? null : parseHostPort(outboundProxy),
    register,
    expireSeconds: seconds(filled('expire-seconds'), 5, 3600),
    retrySeconds: seconds(filled('retry-seconds'), 5, 30),
    callerIdInFrom: isTrue(filled('caller-id-in-from') ?? 'false'),
    callerIdType: cidType === 'pid' || cidType === 'none' ? cidType : 'rpid',
    extension: filled('extension') ?? username,
    extensionGiven: filled('extension') !== null,
    extensionInContact: isTrue(filled('extension-in-contact') ?? 'false'),
    contactParameters: (filled('contact-params') ?? '').replace(/^;/, ''),
    context: filled('context') ?? profile.context,
    pingSeconds: seconds(filled('ping'), 5, 0),
    pingMinimum: seconds(filled('ping-min'), 0, 1),
    pingMaximum: Math.max(seconds(filled('ping-max'), 0, 1), 1),
  };
}

/** The user part that our Contact has, by which the trunk's calls are known: FreeSWITCH's `gw+NAME`, or the extension. */
export function contactUser(settings: GatewaySettings): string {
  return settings.extensionInContact ? settings.extension : `gw+${settings.name}`;
}

/** Contact URI, as FreeSWITCH writes it. `address` is what the profile advertises. */
export function contactUri(settings: GatewaySettings, address: { readonly ip: string; readonly port: number }): string {
  const given = settings.contactParameters === '' ? '' : `;${settings.contactParameters}`;
  const user = encodeURIComponent(contactUser(settings)).replaceAll('%2B', '+');
  return `sip:${user}@${formatHostPort({ host: address.ip, port: address.port })}${given};transport=udp;gw=${encodeURIComponent(settings.name)}`;
}

/** Whom we register and call as. */
export function addressOfRecord(settings: GatewaySettings): string {
  return `sip:${encodeURIComponent(settings.fromUser)}@${settings.fromDomain}`;
}

export function registrarUri(settings: GatewaySettings): string {
  return `sip:${formatHostPort(settings.registerProxy)}`;
}
