import type { Address } from '../base/index.ts';
import type { AudioFormat, EndpointMode, EndpointState, PlaySource } from '../media/protocol.ts';
import type { CallerProfileRecord, DigitCollectionRecord, LegRecord, ScheduledHangupRecord } from './record.ts';
import { RECORD_VERSION } from './record.ts';

/** Says what is wrong with a value, `path: what`, or null. Written by hand: it runs for every call of every restart. */
type Check<T> = ((value: unknown, path: string) => string | null) & { readonly type?: T };

const MAXIMUM_TEXT = 256 * 1024;
const MAXIMUM_ITEMS = 4_096;

const text: Check<string> = (value, path) =>
  typeof value !== 'string'
    ? `${path}: not a text`
    : value.length > MAXIMUM_TEXT
      ? `${path}: longer than ${MAXIMUM_TEXT} characters`
      : null;

const required: Check<string> = (value, path) => text(value, path) ?? (value === '' ? `${path}: empty` : null);

const truth: Check<boolean> = (value, path) => (typeof value === 'boolean' ? null : `${path}: neither true nor false`);

function integer(minimum: number, maximum: number): Check<number> {
  return (value, path) =>
    typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum
      ? null
      : `${path}: ${describe(value)} is not an integer from ${minimum} to ${maximum}`;
}

/** What rows of an earlier version do not have. */
function optional<T>(check: Check<T>): Check<T> {
  return (value, path) => (value === undefined ? null : check(value, path));
}

function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

function oneOf<T extends string>(...values: readonly T[]): Check<T> {
  return (value, path) =>
    values.some((allowed) => allowed === value) ? null : `${path}: ${describe(value)} is none of ${values.join(', ')}`;
}

function list<T>(check: Check<T>): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) return `${path}: not a list`;
    if (value.length > MAXIMUM_ITEMS) return `${path}: more than ${MAXIMUM_ITEMS} items`;
    for (let index = 0; index < value.length; index += 1) {
      const wrong = check(value[index], `${path}[${index}]`);
      if (wrong !== null) return wrong;
    }
    return null;
  };
}

/** All fields of T must be there; others are let pass, they may come from a later minor version. */
function object<T>(shape: { readonly [K in keyof T]-?: Check<T[K]> }): Check<T> {
  const fields = Object.entries(shape) as [string, Check<unknown>][];
  return (value, path) => {
    if (!isObject(value)) return `${path}: not an object`;
    for (const [name, check] of fields) {
      const wrong = check(value[name], path === '' ? name : `${path}.${name}`);
      if (wrong !== null) return wrong;
    }
    return null;
  };
}

const texts: Check<Record<string, string>> = (value, path) => {
  if (!isObject(value)) return `${path}: not an object`;
  const entries = Object.entries(value);
  if (entries.length > MAXIMUM_ITEMS) return `${path}: more than ${MAXIMUM_ITEMS} entries`;
  for (const [name, entry] of entries) {
    const wrong = text(entry, `${path}.${name}`);
    if (wrong !== null) return wrong;
  }
  return null;
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  return value === undefined ? 'a missing value' : (JSON.stringify(value) ?? String(value)).slice(0, 60);
}

const whole = integer(0, Number.MAX_SAFE_INTEGER);
const unsigned32 = integer(0, 0xffff_ffff);
/** RFC 3261 §8.1.1.5: less than 2**31. */
const sequenceNumber = integer(0, 0x7fff_ffff);

const address: Check<Address> = object<Address>({ ip: required, port: integer(0, 65_535) });

const format: Check<AudioFormat> = object<AudioFormat>({
  payloadType: integer(0, 127),
  name: required,
  clockRate: integer(1, 192_000),
  packetTime: integer(1, 1_000),
  telephoneEvent: nullable(integer(0, 127)),
});

const source: Check<PlaySource> = (value, path) => {
  if (!isObject(value)) return `${path}: not an object`;
  return (
    oneOf('tone', 'file')(value['kind'], `${path}.kind`) ?? text(value[value['kind'] === 'tone' ? 'script' : 'path'], `${path}.script`)
  );
};

const modes: { readonly [K in EndpointMode['kind']]: Check<unknown> } = {
  idle: () => null,
  echo: () => null,
  relay: object<{ partner: string }>({ partner: required }),
  conference: object<{ room: string; memberId: number; muted: boolean; deaf: boolean }>({
    room: required,
    memberId: whole,
    muted: truth,
    deaf: truth,
  }),
  play: object<{ playId: string; source: PlaySource; loops: number; position: number }>({
    playId: required,
    source,
    loops: integer(-1, Number.MAX_SAFE_INTEGER),
    position: whole,
  }),
};

const mode: Check<EndpointMode> = (value, path) => {
  if (!isObject(value)) return `${path}: not an object`;
  const kind = value['kind'];
  const check = typeof kind === 'string' && Object.hasOwn(modes, kind) ? modes[kind as EndpointMode['kind']] : undefined;
  return check === undefined ? `${path}.kind: ${describe(kind)} is no mode of an endpoint` : check(value, path);
};

const endpoint: Check<EndpointState> = object<EndpointState>({
  id: required,
  localIp: required,
  localPort: integer(1, 65_535),
  remote: nullable(address),
  remoteRtcp: nullable(address),
  learned: nullable(address),
  format: nullable(format),
  ssrc: unsigned32,
  send: truth,
  receive: truth,
  rtpTimeout: whole,
  mode,
});

const caller: Check<CallerProfileRecord> = object<CallerProfileRecord>({
  username: text,
  dialplan: text,
  callerIdName: text,
  callerIdNumber: text,
  calleeIdName: text,
  calleeIdNumber: text,
  ani: text,
  rdnis: text,
  networkAddr: text,
  destinationNumber: text,
  context: text,
});

type Item<T> = T extends readonly (infer E)[] ? E : never;
type Present<T> = NonNullable<T>;

const record: Check<LegRecord> = object<LegRecord>({
  version: integer(1, RECORD_VERSION) as Check<typeof RECORD_VERSION>,
  uuid: required,
  callUuid: required,
  direction: oneOf('inbound', 'outbound'),
  phase: oneOf('setup', 'proceeding', 'early', 'answered', 'ending', 'ended'),
  profileName: text,
  channelName: text,
  sessionId: whole,
  caller,
  originator: nullable(object<Present<LegRecord['originator']>>({ caller, uuid: text, channelName: text })),
  variables: texts,
  dialog: nullable(
    object<Present<LegRecord['dialog']>>({
      callId: required,
      localTag: required,
      remoteTag: nullable(text),
      localIdentity: required,
      remoteIdentity: required,
      localContact: text,
      remoteTarget: required,
      routeSet: list(text),
      localCSeq: sequenceNumber,
      remoteCSeq: nullable(unsigned32),
      peerAddress: address,
      natAddress: nullable(address),
      remoteAllow: list(text),
    }),
  ),
  acknowledged: truth,
  serverTransactions: list(
    object<Item<LegRecord['serverTransactions']>>({
      method: required,
      key: required,
      request: text,
      source: address,
      response: nullable(text),
      responseStatus: integer(0, 699),
      reliableSequence: nullable(unsigned32),
      answeredAt: whole,
    }),
  ),
  clientTransactions: list(
    object<Item<LegRecord['clientTransactions']>>({
      method: required,
      branch: required,
      request: text,
      destination: address,
      provisional: integer(0, 199),
      purpose: oneOf('invite', 'reinvite', 'update', 'bye', 'cancel', 'prack', 'info', 'ack', 'refresh', 'verify', 'notify', 'refer'),
    }),
  ),
  earlyDialogs: list(object<Item<LegRecord['earlyDialogs']>>({ remoteTag: text, remoteTarget: text, routeSet: list(text) })),
  media: nullable(
    object<Present<LegRecord['media']>>({
      localSdp: nullable(text),
      remoteSdp: nullable(text),
      sessionId: text,
      sessionVersion: whole,
      offer: oneOf('none', 'local', 'remote'),
      endpoint: nullable(endpoint),
      held: oneOf('none', 'local', 'remote', 'both'),
      fallbackSdp: optional(nullable(text)),
      offerWaits: optional(truth),
    }),
  ),
  execution: nullable(
    object<Present<LegRecord['execution']>>({
      extensionName: text,
      extensionNumber: text,
      applications: list(object<{ application: string; data: string }>({ application: text, data: text })),
      index: integer(0, MAXIMUM_ITEMS),
      running: truth,
      startedAt: whole,
      deadline: whole,
      collection: optional(
        nullable(
          object<DigitCollectionRecord>({
            digits: text,
            attempt: integer(1, 1_000_000),
            phase: oneOf('prompt', 'invalid', 'waiting'),
          }),
        ),
      ),
    }),
  ),
  applicationLog: list(object<Item<LegRecord['applicationLog']>>({ application: text, data: text, at: whole })),
  partner: nullable(text),
  bridgeAttempt: nullable(
    object<Present<LegRecord['bridgeAttempt']>>({ callees: list(text), dialString: text, groupIndex: whole, deadline: whole }),
  ),
  conference: nullable(
    object<Present<LegRecord['conference']>>({
      room: text,
      profile: text,
      memberId: whole,
      roomUuid: text,
      muted: truth,
      deaf: truth,
      moderator: truth,
    }),
  ),
  sessionTimer: nullable(object<Present<LegRecord['sessionTimer']>>({ interval: whole, weRefresh: truth, deadline: whole })),
  limits: optional(list(text)),
  scheduledHangup: optional(nullable(object<ScheduledHangupRecord>({ deadline: whole, cause: required, whileUnanswered: truth }))),
  transfer: optional(
    nullable(
      object<Present<LegRecord['transfer']>>({
        id: sequenceNumber,
        kind: oneOf('blind', 'attended'),
        transferee: required,
        subscribed: truth,
        state: oneOf('trying', 'done', 'failed'),
      }),
    ),
  ),
  transferor: optional(nullable(required)),
  replaces: optional(nullable(required)),
  redirect: optional(nullable(object<Present<LegRecord['redirect']>>({ contacts: list(text), followed: whole }))),
  broadcast: optional(nullable(object<Present<LegRecord['broadcast']>>({ playId: required, startedAt: whole, before: mode }))),
  times: object<LegRecord['times']>({
    created: whole,
    profileCreated: whole,
    progress: whole,
    progressMedia: whole,
    answered: whole,
    bridged: whole,
    lastHold: whole,
    holdAccumulated: whole,
    hangup: whole,
    resurrected: whole,
    transfer: whole,
  }),
  hangupCause: nullable(text),
  hangupCode: integer(0, 999),
  hangupDisposition: oneOf('none', 'send_bye', 'recv_bye', 'send_refuse', 'recv_refuse', 'send_cancel', 'recv_cancel'),
});

/** What is impossible in the value, `field: what`, or null: then it is a `LegRecord`. */
export function whatIsWrong(value: unknown): string | null {
  return record(value, '');
}
