import type { Address } from '../base/index.ts';
import type { EndpointMode, EndpointState } from '../media/protocol.ts';
import type { DialogRecord } from '../sip/index.ts';

export type { DialogRecord } from '../sip/index.ts';

/** Raised when a field changes its meaning; readers accept this one and the one before. */
export const RECORD_VERSION = 1;

/**
 * Life of a leg. `setup`: media is being opened, the peer knows no more than 100 Trying (inbound) or nothing (outbound).
 * `proceeding`: INVITE answered with or by a 101–199 without, `early` with early media. `answered`: a 2xx was sent or
 * received. `ending`: our BYE or final failure is on its way. `ended`: only the CDR and the delete are left.
 */
export type LegPhase = 'setup' | 'proceeding' | 'early' | 'answered' | 'ending' | 'ended';

/** A server transaction of the peer that is not finished: unanswered, or its 2xx has no ACK yet. */
export interface ServerTransactionRecord {
  method: string;
  /** Branch, sent-by and method: RFC 3261 §17.2.3. */
  key: string;
  /** The request as received (latin-1). */
  request: string;
  source: Address;
  /** The last response we sent or are about to send, null when none. */
  response: string | null;
  responseStatus: number;
  /** RSeq of an unacknowledged reliable provisional, else null. */
  reliableSequence: number | null;
  /** Wall microseconds of the 2xx, to give up after 64·T1; 0 when not a 2xx. */
  answeredAt: number;
}

/** A request of ours whose final response we do not have yet, or (ACK) that must be said again to a retransmitted 2xx. */
export interface ClientTransactionRecord {
  method: string;
  branch: string;
  /** The request as sent (latin-1). */
  request: string;
  destination: Address;
  /** Highest provisional status received, 0 = none. */
  provisional: number;
  /** Why it was sent: the call engine continues from this after a crash. */
  purpose: 'invite' | 'reinvite' | 'update' | 'bye' | 'cancel' | 'prack' | 'info' | 'ack' | 'refresh' | 'verify' | 'notify' | 'refer';
}

/** Early dialogs of a forked INVITE. */
export interface EarlyDialogRecord {
  remoteTag: string;
  remoteTarget: string;
  routeSet: string[];
}

/** SDP as negotiated. */
export interface MediaRecord {
  /** What we last told the peer, and what it last told us. */
  localSdp: string | null;
  remoteSdp: string | null;
  /** `o=` session id and version of ours. */
  sessionId: string;
  sessionVersion: number;
  /** An offer that waits for its answer. */
  offer: 'none' | 'local' | 'remote';
  /** State last told to `media`; null before the port is open. */
  endpoint: EndpointState | null;
  held: 'none' | 'local' | 'remote' | 'both';
  /** What was agreed before the offer of ours that is out: it holds again when the offer is refused. */
  fallbackSdp?: string | null;
  /** An offer of ours is due and had to wait (RFC 3261 §14.1: 491, or another transaction is open). */
  offerWaits?: boolean;
  /** Other m= sections that were refused or passed through are kept in the SDP only. */
}

export interface ApplicationRecord {
  application: string;
  data: string;
}

/** Dialplan execution. */
export interface ExecutionRecord {
  extensionName: string;
  extensionNumber: string;
  applications: ApplicationRecord[];
  /** Index of the one running, or of the next when `running` is false. */
  index: number;
  running: boolean;
  /** Milliseconds into a playback or sleep, wall time it began, and when it shall end (wall microseconds, 0 = none). */
  startedAt: number;
  deadline: number;
  /** Digits that the running application collects; absent or null when it collects none. */
  collection?: DigitCollectionRecord | null;
}

/** `prompt`: the prompt plays; `invalid`: the sound for wrong digits does; `waiting`: nothing plays, `deadline` runs. */
export interface DigitCollectionRecord {
  digits: string;
  /** From 1. */
  attempt: number;
  phase: 'prompt' | 'invalid' | 'waiting';
}

/** A hangup at a time of its own: `sched_hangup`, or `leg_timeout` (then only while there is no answer). */
export interface ScheduledHangupRecord {
  /** Wall microseconds. */
  deadline: number;
  cause: string;
  whileUnanswered: boolean;
}

/** FreeSWITCH's caller profile. */
export interface CallerProfileRecord {
  username: string;
  dialplan: string;
  callerIdName: string;
  callerIdNumber: string;
  calleeIdName: string;
  calleeIdNumber: string;
  ani: string;
  rdnis: string;
  networkAddr: string;
  destinationNumber: string;
  context: string;
}

export interface TimesRecord {
  /** Wall microseconds; 0 = has not happened. */
  created: number;
  profileCreated: number;
  progress: number;
  progressMedia: number;
  answered: number;
  bridged: number;
  lastHold: number;
  holdAccumulated: number;
  hangup: number;
  resurrected: number;
  transfer: number;
}

export interface ConferenceMemberRecord {
  room: string;
  profile: string;
  memberId: number;
  /** `conference_uuid`: one a room's life. */
  roomUuid: string;
  muted: boolean;
  deaf: boolean;
  moderator: boolean;
}

/** Originating side of a bridge in progress: who is being called, and what is left to try. */
export interface BridgeAttemptRecord {
  /** Legs ringing now. */
  callees: string[];
  /** The whole dial string, and the index of the group (`|`) being tried. */
  dialString: string;
  groupIndex: number;
  /** Wall microseconds when the present attempt is given up. */
  deadline: number;
}

/** A REFER of this leg's peer: how the transfer stands, and what its subscription (RFC 3515) still has to hear. */
export interface TransferRecord {
  /** CSeq of the REFER: `id` of its subscription. */
  id: number;
  kind: 'blind' | 'attended';
  /** uuid of the leg that is given a new partner. */
  transferee: string;
  /** False: no NOTIFY is wanted (RFC 4488), or the peer refused one. */
  subscribed: boolean;
  /** `trying` until the outcome is known; `done`: transferred, this leg ends when its peer knows; `failed`: said, the leg goes on. */
  state: 'trying' | 'done' | 'failed';
}

/** A sound played to a leg in the middle of something else (`uuid_broadcast`). */
export interface BroadcastRecord {
  playId: string;
  /** Wall microseconds. */
  startedAt: number;
  /** What the endpoint did before. */
  before: EndpointMode;
}

/** Contacts of 3xx responses that are still to be tried. */
export interface RedirectRecord {
  contacts: string[];
  followed: number;
}

export interface SessionTimerRecord {
  /** Seconds; RFC 4028. */
  interval: number;
  weRefresh: boolean;
  /** Wall microseconds at which the session is over without a refresh. */
  deadline: number;
}

/** All that is known of one leg, in plain data: what a checkpoint holds and what a recovered leg starts from. */
export interface LegRecord {
  version: typeof RECORD_VERSION;
  uuid: string;
  /** uuid of the call's first leg; legs of one call share it. */
  callUuid: string;
  direction: 'inbound' | 'outbound';
  phase: LegPhase;
  profileName: string;
  channelName: string;
  sessionId: number;
  caller: CallerProfileRecord;
  /** Profile of the leg that originated this one, on outbound legs. */
  originator: { caller: CallerProfileRecord; uuid: string; channelName: string } | null;
  variables: Record<string, string>;
  dialog: DialogRecord | null;
  /** Inbound: whether the 2xx to the first INVITE has got its ACK. Outbound: whether we sent it. */
  acknowledged: boolean;
  serverTransactions: ServerTransactionRecord[];
  clientTransactions: ClientTransactionRecord[];
  earlyDialogs: EarlyDialogRecord[];
  media: MediaRecord | null;
  execution: ExecutionRecord | null;
  applicationLog: { application: string; data: string; at: number }[];
  /** Bridge partner's uuid. */
  partner: string | null;
  bridgeAttempt: BridgeAttemptRecord | null;
  conference: ConferenceMemberRecord | null;
  sessionTimer: SessionTimerRecord | null;
  /** `realm/id` of the resources that `limit` counts. */
  limits?: string[];
  scheduledHangup?: ScheduledHangupRecord | null;
  /** The peer's REFER; absent: none. */
  transfer?: TransferRecord | null;
  /** On a leg being transferred: uuid of the leg whose REFER did it, while that one waits for the outcome. */
  transferor?: string | null;
  /** uuid of the leg that this inbound one replaces (RFC 3891), until it has. */
  replaces?: string | null;
  redirect?: RedirectRecord | null;
  broadcast?: BroadcastRecord | null;
  times: TimesRecord;
  /** FreeSWITCH cause name (`NORMAL_CLEARING`), null while up. */
  hangupCause: string | null;
  hangupCode: number;
  /** Who hung up, for `sip_hangup_disposition`. */
  hangupDisposition: 'none' | 'send_bye' | 'recv_bye' | 'send_refuse' | 'recv_refuse' | 'send_cancel' | 'recv_cancel';
}
