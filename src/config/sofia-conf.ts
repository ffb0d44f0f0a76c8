import { isIP } from 'node:net';
import { parseNetwork } from './access-list.ts';
import { parseCodecPreferences } from './codec-preferences.ts';
import type { AccessList, CodecPreference, SipProfile } from './config.ts';
import { readGateways } from './gateway-conf.ts';
import { isTrue, Parameters } from './parameters.ts';
import { type ConfigReport, formatPosition } from './report.ts';
import { PROFILE_PARAMETERS } from './sofia-parameters.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

const MAX_PROFILES = 100;
const DEFAULT_CODECS: readonly CodecPreference[] = [
  { name: 'PCMU', packetTime: null, rate: null },
  { name: 'PCMA', packetTime: null, rate: null },
];

export interface SofiaDefaults {
  readonly localIpv4: string;
  /** Names of the directory's domains, for `<domain name="all" alias="true"/>`. */
  readonly domains: readonly string[];
  readonly accessLists: ReadonlyMap<string, AccessList>;
  /** Absent = not checked. */
  readonly localAddresses?: readonly string[];
}

/** sofia.conf: `<profiles><profile name="…">`. */
export function readSofiaConf(
  element: XmlElement | undefined,
  report: ConfigReport,
  defaults: SofiaDefaults,
): ReadonlyMap<string, SipProfile> {
  const profiles = new Map<string, SipProfile>();
  const bound = new Map<string, SipProfile>();
  const gateways = new Map<string, string>();
  for (const group of element?.children ?? []) {
    if (group.name === 'global_settings') continue;
    if (group.name !== 'profiles') {
      report.warn(group.position, `sofia.conf: <${group.name}> is not expected here; expected <global_settings> or <profiles>`);
      continue;
    }
    for (const child of childrenNamed(group, 'profile')) {
      const profile = readProfile(child, report, defaults);
      if (profiles.has(profile.name)) {
        report.error(
          profile.position,
          `the profile "${profile.name}" is already there (${formatPosition(profiles.get(profile.name)?.position ?? profile.position)}); expected another name`,
        );
        continue;
      }
      if (profiles.size >= MAX_PROFILES) {
        report.error(profile.position, `more than ${MAX_PROFILES} profiles`);
        return profiles;
      }
      if (defaults.localAddresses !== undefined && isIP(profile.sipIp) === 6 && !defaults.localAddresses.includes(profile.sipIp)) {
        report.warn(profile.position, `the profile "${profile.name}" is left out: this host has no address ${profile.sipIp}`);
        continue;
      }
      const key = `${profile.sipIp} ${profile.sipPort}`;
      const other = bound.get(key);
      if (other !== undefined) {
        report.error(
          profile.position,
          `the profile "${profile.name}" uses ${profile.sipIp} port ${profile.sipPort}, as does "${other.name}" (${formatPosition(other.position)}); expected another sip-port or sip-ip`,
        );
      }
      bound.set(key, profile);
      profiles.set(profile.name, profile);
      for (const gateway of profile.gateways?.values() ?? []) {
        const elsewhere = gateways.get(gateway.name);
        if (elsewhere !== undefined) {
          report.warn(
            gateway.position,
            `the gateway "${gateway.name}" is in the profile "${elsewhere}" too: sofia/gateway/${gateway.name} means that one, sofia/gateway/${profile.name}::${gateway.name} this one`,
          );
        } else gateways.set(gateway.name, profile.name);
      }
    }
  }
  return profiles;
}

function readProfile(element: XmlElement, report: ConfigReport, defaults: SofiaDefaults): SipProfile {
  const { name } = element.attributes;
  if (name === undefined || name === '') report.error(element.position, '<profile> without name; expected <profile name="…">');
  const settings = childrenNamed(element, 'settings')[0];
  const parameters = new Parameters(settings, element.position, report, PROFILE_PARAMETERS);
  for (const child of element.children) {
    if (!['settings', 'gateways', 'aliases', 'domains', 'registrations'].includes(child.name)) {
      report.warn(
        child.position,
        `sip profile: <${child.name}> is not expected here; expected <settings>, <gateways>, <aliases> or <domains>`,
      );
    }
  }
  const timerT1 = parameters.integer('timer-t1', 500, 10, 60_000);
  const authCalls = parameters.boolean('auth-calls', true);
  const inboundAccessLists = readAccessLists('apply-inbound-acl', settings, report, defaults);
  const common = codecs('codec-prefs', parameters, report) ?? DEFAULT_CODECS;
  return Object.freeze({
    name: name ?? '',
    position: element.position,
    aliases: readAliases(element, defaults),
    sipIp: localAddress('sip-ip', parameters, report, defaults),
    sipPort: parameters.port('sip-port', 5060),
    rtpIp: localAddress('rtp-ip', parameters, report, defaults),
    extSipIp: externalAddress('ext-sip-ip', parameters, report),
    extRtpIp: externalAddress('ext-rtp-ip', parameters, report),
    context: parameters.filled('context') ?? 'default',
    dialplan: parameters.filled('dialplan') ?? 'XML',
    inboundCodecs: codecs('inbound-codec-prefs', parameters, report) ?? common,
    outboundCodecs: codecs('outbound-codec-prefs', parameters, report) ?? common,
    trackCalls: parameters.boolean('track-calls', false),
    authCalls,
    acceptBlindRegistration: parameters.boolean('accept-blind-reg', false),
    challengeRealm: parameters.filled('challenge-realm') ?? 'auto_to',
    userAgent: parameters.filled('user-agent-string') ?? 'undrop',
    telephoneEventPayloadType: parameters.integer('rfc2833-pt', 101, 96, 127),
    dtmfType: parameters.choice('dtmf-type', ['rfc2833', 'info', 'none'] as const, 'rfc2833'),
    rtpTimeoutSeconds: parameters.integer('rtp-timeout-sec', 0, 0, 1_000_000),
    rtpHoldTimeoutSeconds: parameters.integer('rtp-hold-timeout-sec', 0, 0, 1_000_000),
    sessionTimersEnabled: parameters.boolean('enable-timer', true),
    sessionTimeoutSeconds: parameters.integer('session-timeout', 0, 0, 1_000_000),
    minimumSessionExpiresSeconds: parameters.integer('minimum-session-expires', 120, 90, 1_000_000),
    reliableProvisionals: parameters.boolean('enable-100rel', false),
    timerT1,
    timerT2: parameters.integer('timer-t2', 4000, 10, 600_000),
    timerT4: parameters.integer('timer-t4', 5000, 10, 600_000),
    timerT1X64: parameters.integer('timer-t1x64', timerT1 * 64, 100, 3_840_000),
    recoveryRefresh: parameters.choice('recovery-refresh', ['auto', 'reinvite', 'none'] as const, 'auto'),
    recoveryRate: parameters.integer('recovery-rate', 500, 1, 100_000),
    ...(inboundAccessLists.length === 0 ? {} : { inboundAccessLists }),
    parameters: parameters.all,
    gateways: readGateways(element, report),
  });
}

/** Every `<param>` of a name that stands for an access list; FreeSWITCH takes several. */
function readAccessLists(name: string, settings: XmlElement | undefined, report: ConfigReport, defaults: SofiaDefaults): readonly string[] {
  const found: string[] = [];
  for (const child of settings?.children ?? []) {
    const value = child.attributes['value'] ?? '';
    if (child.attributes['name']?.toLowerCase() !== name || value === '') continue;
    if (!defaults.accessLists.has(value) && parseNetwork(value) === null) {
      report.warn(child.position, `sip profile: ${name}: acl.conf has no list "${value}"; it allows nobody`);
    }
    found.push(value);
  }
  return found;
}

function readAliases(element: XmlElement, defaults: SofiaDefaults): readonly string[] {
  const aliases = new Set<string>();
  for (const group of childrenNamed(element, 'aliases')) {
    for (const alias of childrenNamed(group, 'alias')) if (alias.attributes['name']) aliases.add(alias.attributes['name']);
  }
  for (const group of childrenNamed(element, 'domains')) {
    for (const domain of childrenNamed(group, 'domain')) {
      const name = domain.attributes['name'];
      if (!name || !isTrue(domain.attributes['alias'] ?? '')) continue;
      for (const each of name === 'all' ? defaults.domains : [name]) aliases.add(each);
    }
  }
  return [...aliases];
}

/** FreeSWITCH replaces 0.0.0.0 too: Contact and SDP need a real address. */
function localAddress(name: string, parameters: Parameters, report: ConfigReport, defaults: SofiaDefaults): string {
  const ip = parameters.ip(name, defaults.localIpv4);
  if (ip !== '0.0.0.0') return ip;
  report.warn(parameters.position(name), `sip profile: ${name} 0.0.0.0 cannot be advertised; ${defaults.localIpv4} is used`);
  return defaults.localIpv4;
}

function externalAddress(name: string, parameters: Parameters, report: ConfigReport): string | null {
  const value = parameters.filled(name);
  if (value === null) return null;
  if (/^(auto-nat|stun:|host:)/i.test(value)) {
    report.warn(parameters.position(name), `sip profile: ${name}="${value}" is not supported yet; the local address is advertised`);
    return null;
  }
  if (value.toLowerCase() === 'auto') return null;
  const literal = value.replace(/^autonat:/i, '');
  if (isIP(literal) !== 0) return literal;
  report.error(parameters.position(name), `${name}: found "${value}", expected an IP address or auto`);
  return null;
}

function codecs(name: string, parameters: Parameters, report: ConfigReport): readonly CodecPreference[] | null {
  const value = parameters.filled(name);
  if (value === null) return null;
  const parsed = parseCodecPreferences(value);
  if (parsed === null) report.error(parameters.position(name), `${name}: found "${value}", expected codecs such as PCMU,PCMA@20i`);
  return parsed !== null && parsed.length > 0 ? parsed : null;
}
