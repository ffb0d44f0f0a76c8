import type { DialplanContext } from './dialplan-xml.ts';

/** Where a line of the expanded configuration came from. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
}

export interface ConfigWarning {
  readonly position: SourcePosition;
  readonly message: string;
}

/** A codec as written in `codec-prefs`: `PCMU`, `PCMA@20i`, `G729`, `OPUS`. Upper-case name. */
export interface CodecPreference {
  readonly name: string;
  readonly packetTime: number | null;
  readonly rate: number | null;
}

/** One `<gateway>` of a profile, checked; `parameters` have lower-case names and FreeSWITCH's defaults are the reader's. */
export interface GatewayConfig {
  readonly name: string;
  readonly position: SourcePosition;
  readonly parameters: ReadonlyMap<string, string>;
}

/** One `<profile>` of sofia.conf. Names follow FreeSWITCH's parameters. */
export interface SipProfile {
  readonly name: string;
  readonly position: SourcePosition;
  readonly aliases: readonly string[];
  readonly sipIp: string;
  readonly sipPort: number;
  readonly rtpIp: string;
  readonly extSipIp: string | null;
  readonly extRtpIp: string | null;
  readonly context: string;
  readonly dialplan: string;
  readonly inboundCodecs: readonly CodecPreference[];
  readonly outboundCodecs: readonly CodecPreference[];
  readonly trackCalls: boolean;
  /** `auth-calls`: challenge INVITEs of unknown sources. */
  readonly authCalls: boolean;
  /** `accept-blind-reg`: accept a REGISTER of anybody. */
  readonly acceptBlindRegistration: boolean;
  readonly challengeRealm: string;
  readonly userAgent: string;
  /** RFC 4733 payload type that we offer (`rfc2833-pt`). */
  readonly telephoneEventPayloadType: number;
  readonly dtmfType: 'rfc2833' | 'info' | 'none';
  /** Seconds without RTP before hangup; 0 = never (`rtp-timeout-sec`, `rtp-hold-timeout-sec`). */
  readonly rtpTimeoutSeconds: number;
  readonly rtpHoldTimeoutSeconds: number;
  /** RFC 4028 (`enable-timer`, `session-timeout`, `minimum-session-expires`), seconds. */
  readonly sessionTimersEnabled: boolean;
  readonly sessionTimeoutSeconds: number;
  readonly minimumSessionExpiresSeconds: number;
  /** `enable-100rel`. */
  readonly reliableProvisionals: boolean;
  /** SIP timers in milliseconds (`timer-T1`, `timer-T1X64`, `timer-T2`, `timer-T4`). */
  readonly timerT1: number;
  readonly timerT2: number;
  readonly timerT4: number;
  readonly timerT1X64: number;
  /** Ours: how recovered dialogs are verified. */
  readonly recoveryRefresh: 'auto' | 'reinvite' | 'none';
  /** Ours: verifications a second. */
  readonly recoveryRate: number;
  /** `apply-inbound-acl`, every one: a call from an address that one of them allows needs no password. Absent = none. */
  readonly inboundAccessLists?: readonly string[];
  /** Every `<param>` as written, for `sofia status profile` and for what others read later. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly gateways?: ReadonlyMap<string, GatewayConfig>;
}

export interface EventSocketConfig {
  readonly listenIp: string;
  readonly listenPort: number;
  readonly password: string;
  /** `apply-inbound-acl`, default `loopback.auto`. */
  readonly acl: string;
  /** The lists of acl.conf and FreeSWITCH's automatic ones, for the names in `acl`. */
  readonly accessLists?: ReadonlyMap<string, AccessList>;
}

/** One network of an access list; `user` (`name@domain`) came from a directory user's `cidr`. */
export interface AccessEntry {
  readonly network: string;
  readonly allow: boolean;
  readonly user: { readonly id: string; readonly domain: string } | null;
}

/** `<list>` of acl.conf. The longest network that holds the address decides, else the default. */
export interface AccessList {
  readonly name: string;
  readonly allowByDefault: boolean;
  readonly entries: readonly AccessEntry[];
}

export interface ConferenceProfile {
  readonly name: string;
  readonly rate: number;
  readonly interval: number;
  readonly energyLevel: number;
  readonly pin: string | null;
  readonly maxMembers: number | null;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A directory user. */
export interface DirectoryUser {
  readonly id: string;
  readonly domain: string;
  readonly password: string | null;
  /** `a1-hash` = MD5(user:realm:password), when the password is not stored. */
  readonly a1Hash: string | null;
  /** `cidr`: networks whose calls are this user's (acl.conf, `domain=`). */
  readonly cidr?: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly variables: ReadonlyMap<string, string>;
}

export interface DirectoryDomain {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly variables: ReadonlyMap<string, string>;
  readonly users: ReadonlyMap<string, DirectoryUser>;
  /** Members of each `<group>`, for `group/NAME@domain`. */
  readonly groups?: ReadonlyMap<string, readonly string[]>;
}

export type CoreDatabase = { readonly kind: 'sqlite' /** null = `<state>/db/core.db` */; readonly path: string | null };

/** The whole configuration, frozen. */
export interface Config {
  /** `switchname`, or the hostname. The identity that owns calls (FreeSWITCH's `hostname` column). */
  readonly switchname: string;
  readonly coreDatabase: CoreDatabase;
  readonly maxSessions: number;
  readonly sessionsPerSecond: number;
  readonly rtpStartPort: number;
  readonly rtpEndPort: number;
  readonly logLevel: string;
  /** Ours (`recover-on-start`, default true). */
  readonly recoverOnStart: boolean;
  /** Ours (`recovery-attempt-limit`, default 3): attempts before a row is quarantined. */
  readonly recoveryAttemptLimit: number;
  /** `$${…}` as they stood at the end of preprocessing; `global_getvar` reads them. */
  readonly variables: ReadonlyMap<string, string>;
  /** `api_on_startup`, split at `,`-less lines: one command each. */
  readonly apiOnStartup: readonly string[];
  readonly profiles: ReadonlyMap<string, SipProfile>;
  readonly eventSocket: EventSocketConfig;
  /** acl.conf and the automatic lists, by name. */
  readonly accessLists?: ReadonlyMap<string, AccessList>;
  readonly conferenceProfiles: ReadonlyMap<string, ConferenceProfile>;
  readonly modules: readonly string[];
  readonly dialplan: ReadonlyMap<string, DialplanContext>;
  readonly directory: ReadonlyMap<string, DirectoryDomain>;
  readonly warnings: readonly ConfigWarning[];
}
