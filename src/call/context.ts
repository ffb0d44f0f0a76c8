import type { Address, Logger } from '../base/index.ts';
import type { Config, SipProfile } from '../config/index.ts';
import type { DigestAccount, LocalParty, SipHeader } from '../sip/index.ts';
import type { Effect } from './effect.ts';
import type { Leg } from './leg.ts';
import type { CallerProfileRecord } from './record.ts';
import type { SharedData } from './shared-data.ts';

/** A conference room while it has members. */
export interface Room {
  readonly name: string;
  readonly uuid: string;
  readonly profile: string;
  /** Leg uuids in order of joining. */
  readonly members: Set<string>;
  nextMemberId: number;
  /** Member that holds the floor, as `media` says. */
  floor: number | null;
}

export interface HangupOptions {
  /** SIP status of a refusal, when the cause does not say it. */
  readonly status?: number;
  readonly reason?: string;
  /** The peer ended the leg (its BYE or final response): nothing is sent. */
  readonly byPeer?: boolean;
  /** Further headers of a refusal. */
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
  readonly disposition?: 'send_bye' | 'recv_bye' | 'send_refuse' | 'recv_refuse' | 'send_cancel' | 'recv_cancel';
}

/** A registered contact to dial. */
export interface DialContact {
  readonly uri: string;
  readonly destination: Address | null;
  readonly profile: string;
}

/** A trunk, as calls through it see it. */
export interface DialGateway {
  readonly name: string;
  readonly profile: string;
  /** Whether calls may go out through it. */
  readonly up: boolean;
  /** Contact URI of our requests. */
  readonly contact: string;
  readonly account: DigestAccount;
  /** Route headers of the first request. */
  readonly routes: readonly string[];
  /** Request-URI for a dialled `number[;parameters]`. */
  requestUri(number: string): string;
  /** Where a request to that URI is sent; null: its next hop has to be looked up. */
  nextHop(uri: string): Address | null;
  /** From, without tag. */
  from(callerName: string, callerNumber: string): string;
  /** Headers that name the caller where From cannot. */
  identityHeaders(callerName: string, callerNumber: string): readonly SipHeader[];
}

/** How an outbound leg is to be placed. */
export interface OutboundRequest {
  readonly profile: SipProfile;
  /** Request-URI. */
  readonly target: string;
  /** Null: the next hop is a host name, which is looked up first. */
  readonly destination: Address | null;
  readonly gateway?: DialGateway | null;
  readonly destinationNumber: string;
  /** Leg that calls, or null for an originate. */
  readonly originator: Leg | null;
  readonly variables: ReadonlyMap<string, string>;
  readonly callerIdName: string;
  readonly callerIdNumber: string;
  /** What the leg runs once answered, without an originator. */
  readonly applications: readonly { readonly application: string; readonly data: string }[];
  readonly context: string;
}

/** What the parts of the call engine share. Operations that cross parts are bound here, so that the parts import no circle. */
export interface CallContext {
  readonly legs: ReadonlyMap<string, Leg>;
  readonly rooms: Map<string, Room>;
  readonly coreUuid: string;
  readonly logger: Logger;
  readonly shared: SharedData;
  config(): Config;
  profile(name: string): SipProfile | null;
  party(profile: SipProfile): LocalParty;
  wallMicroseconds(): number;
  uuid(): string;
  token(length: number): string;
  uint32(): number;
  /** FreeSWITCH's `session_id`: counts the legs of this runtime. */
  nextSessionId(): number;
  /** The next even port of the RTP range that no leg uses, or null when the range is full. */
  allocatePort(localIp: string): number | null;
  contactsFor(user: string, domain: string): readonly DialContact[];
  /** By `NAME` or `profile::NAME`. */
  gateway(name: string): DialGateway | null;

  emit(effect: Effect): void;
  event(name: string, leg: Leg | null, headers?: readonly (readonly [string, string])[], subclass?: string): void;
  addLeg(leg: Leg): void;
  removeLeg(leg: Leg): void;

  /** Runs the next applications of the leg until one has to wait. */
  advance(leg: Leg): void;
  /** The running application is over; go on with the next. */
  applicationDone(leg: Leg): void;
  /** Sends the leg to another extension. */
  transfer(leg: Leg, extension: string, dialplanContext: string): void;
  /** Hangs up after `seconds`; null takes that back. */
  schedule(leg: Leg, when: { readonly seconds: number; readonly cause: string; readonly whileUnanswered?: boolean } | null): void;
  hangup(leg: Leg, cause: string, options?: HangupOptions): void;
  answer(leg: Leg): boolean;
  createOutboundLeg(request: OutboundRequest): Leg;
  /** An outbound leg rang, gave early media, answered or failed: what its originator does about it. */
  calleeProgress(callee: Leg, status: number, earlyMedia: boolean): void;
  calleeAnswered(callee: Leg): void;
  calleeFailed(callee: Leg): void;
  /** Ends the bridge of a leg that is going, and lets its partner go on. */
  unbridge(leg: Leg): void;
  leaveConference(leg: Leg): void;
  /** The new call of a transferred leg was answered or failed; true when its old partner has it again. */
  transferOutcome(leg: Leg, status: number): boolean;
  /** The leg hangs up in the middle of a transfer. */
  leaveTransfer(leg: Leg, status: number): void;
  /** The leg lost its partner: what was put to the partner is answered without it. */
  partnerLeft(leg: Leg): void;
  /** What became of a recovered leg, for the report of its run. */
  recoveryOutcome(leg: Leg, outcome: 'verified' | 'failed' | 'finished', reason: string): void;
}

export function emptyCaller(): CallerProfileRecord {
  return {
    username: '',
    dialplan: 'XML',
    callerIdName: '',
    callerIdNumber: '',
    calleeIdName: '',
    calleeIdNumber: '',
    ani: '',
    rdnis: '',
    networkAddr: '',
    destinationNumber: '',
    context: 'default',
  };
}
