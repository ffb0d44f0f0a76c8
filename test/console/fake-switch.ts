import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock, Random } from '../../src/base/index.ts';
import type {
  ChannelView,
  ConferenceView,
  GatewayView,
  ProfileView,
  RecoveryRunView,
  SwitchEvent,
  SwitchView,
} from '../../src/console/index.ts';

process.env.TZ = 'UTC';

export const CONFERENCE_LEG = '1ffa1f74-6b47-4bc8-b6da-64a6925e33df';
export const CALLER = '79918e65-3386-48ce-a2f6-1709f1b03e93';
export const CALLEE = '7e7a4dc7-f2cf-4c7e-baac-53ee5bbf4538';
/** `Event-Date-Timestamp` of the captured dump. */
export const DUMP_TIME = 1_795_536_137_120_694;

/** A captured output as the raw api reply: `fs_cli -x` printed one line break more. */
export function fixture(name: string): string {
  const text = readFileSync(new URL(`./fixtures/${name}.txt`, import.meta.url), 'utf8');
  return text.slice(0, -1);
}

function dumpVariables(): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of fixture('uuid_dump_UUID').split('\n')) {
    const match = /^variable_([^:]+): (.*)$/.exec(line);
    if (match !== null) variables.set(match[1] ?? '', decodeURIComponent(match[2] ?? ''));
  }
  return variables;
}

const TIMES = {
  created: 1_795_536_133_940_695,
  profileCreated: 1_795_536_133_940_695,
  progress: 0,
  progressMedia: 0,
  answered: 1_795_536_133_960_693,
  bridged: 0,
  hangup: 0,
  transfer: 0,
  resurrected: 0,
  lastHold: 0,
  holdAccumulated: 0,
};

const base: ChannelView = {
  uuid: CONFERENCE_LEG,
  direction: 'inbound',
  createdMicroseconds: 1_795_536_133_940_695,
  name: 'sofia/internal/gap@127.0.0.1',
  state: 'CS_EXECUTE',
  stateNumber: 4,
  callState: 'ACTIVE',
  answerState: 'answered',
  callerIdName: 'gap',
  callerIdNumber: 'gap',
  calleeIdName: '',
  calleeIdNumber: '',
  networkAddr: '127.0.0.1',
  destinationNumber: '3001',
  dialplan: 'XML',
  context: 'public',
  application: 'conference',
  applicationData: '3001@default',
  readCodec: 'L16',
  readRate: 8000,
  readBitRate: 128000,
  writeCodec: 'PCMU',
  writeRate: 8000,
  writeBitRate: 64000,
  username: 'gap',
  ani: 'gap',
  rdnis: '',
  callUuid: '',
  partnerUuid: null,
  bridgedMicroseconds: 0,
  times: TIMES,
  variables: dumpVariables(),
  tracked: true,
  hangupCause: null,
};

const caller: ChannelView = {
  ...base,
  uuid: CALLER,
  createdMicroseconds: base.createdMicroseconds + 10,
  destinationNumber: '2001',
  application: 'bridge',
  applicationData: 'sofia/internal/2001@127.0.0.1:5070',
  readCodec: 'PCMU',
  readBitRate: 64000,
  calleeIdName: 'Outbound Call',
  calleeIdNumber: '2001',
  callUuid: CALLER,
  partnerUuid: CALLEE,
  bridgedMicroseconds: 1_795_536_134_000_000,
  variables: new Map(),
};

const callee: ChannelView = {
  ...caller,
  uuid: CALLEE,
  direction: 'outbound',
  createdMicroseconds: base.createdMicroseconds + 20,
  name: 'sofia/internal/2001@127.0.0.1:5070',
  state: 'CS_EXCHANGE_MEDIA',
  stateNumber: 5,
  application: '',
  applicationData: '',
  partnerUuid: CALLER,
};

const conference: ConferenceView = {
  name: '3001',
  uuid: '3adbec8a-38ce-4e38-99da-2f5f4c3155b2',
  rate: 8000,
  members: [
    {
      id: 3,
      channelUuid: CONFERENCE_LEG,
      channelName: base.name,
      callerIdName: 'gap',
      callerIdNumber: 'gap',
      muted: false,
      deaf: false,
      talking: true,
      floor: true,
      moderator: false,
    },
  ],
};

const profile: ProfileView = {
  name: 'internal',
  sipIp: '127.0.0.1',
  sipPort: 5060,
  rtpIp: '127.0.0.1',
  context: 'public',
  dialplan: 'XML',
  challengeRealm: 'auto_to',
  codecsIn: 'PCMU,PCMA',
  codecsOut: 'PCMU,PCMA',
  telephoneEvent: 101,
  dtmfMode: 'rfc2833',
  sessionTimeout: 0,
  callsIn: 7,
  failedCallsIn: 0,
  callsOut: 3,
  failedCallsOut: 0,
  registrations: 0,
  runningCalls: 3,
  aliases: [],
};

export const fixedClock: Clock = {
  now: () => 0,
  wallMicroseconds: () => DUMP_TIME,
  setTimer: () => ({ cancel: () => undefined }),
};

/** A clock whose timers fire when the test says so. */
export class ManualClock implements Clock {
  readonly timers = new Set<{ at: number; fire: () => void }>();
  #now = 0;
  now(): number {
    return this.#now;
  }
  wallMicroseconds(): number {
    return DUMP_TIME + this.#now * 1000;
  }
  setTimer(delayMilliseconds: number, fire: () => void) {
    const timer = { at: this.#now + delayMilliseconds, fire };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const timer of [...this.timers]) {
      if (timer.at > this.#now) continue;
      this.timers.delete(timer);
      timer.fire();
    }
  }
}

export const random: Random = { uint32: () => 7, uuid: () => randomUUID(), token: (length) => 'x'.repeat(length) };

/** A switch with the calls of the captured outputs, that remembers what it was told. */
export class FakeSwitch implements SwitchView {
  readonly coreUuid = 'f65a135b-f852-4a37-9e9b-f00545e7bc18';
  readonly switchname = 'fs1';
  readonly hostname = 'vm';
  readonly startedAtMicroseconds = DUMP_TIME - 31_132_045;
  readonly localIpv4 = '192.0.2.2';
  readonly localIpv6 = 'fd00::2';
  readonly calls: unknown[][] = [];
  live: ChannelView[] = [base, caller, callee];
  rooms: ConferenceView[] = [conference];
  toRecover = 0;
  untracked = 0;
  runs: RecoveryRunView[] = [];
  readonly #listeners = new Set<(event: SwitchEvent) => void>();
  readonly #logListeners = new Set<(line: { level: number; text: string; uuid: string | null }) => void>();

  channels = () => this.live;
  channel = (uuid: string) => this.live.find((channel) => channel.uuid === uuid) ?? null;
  conferences = () => this.rooms;
  profiles = () => [profile];
  registrations = () => [];
  trunks: GatewayView[] = [];
  gateways = () => this.trunks;
  gatewayCommand(command: string, gateway: string): boolean {
    this.calls.push(['gateway', command, gateway]);
    return this.trunks.some(({ profileName, name }) => `${profileName}::${name}` === gateway);
  }
  rescanGateways(profileName: string): number {
    this.calls.push(['rescan', profileName]);
    return 1;
  }
  status = () => ({
    sessionsSinceStart: 10,
    sessions: 3,
    peakSessions: 7,
    peakSessionsFiveMinutes: 7,
    sessionsPerSecond: 0,
    sessionsPerSecondMaximum: 20000,
    sessionsPerSecondPeak: 7,
    sessionsPerSecondPeakFiveMinutes: 7,
    maxSessions: 20000,
    untracked: this.untracked,
    storeAnswers: true,
    recoveryComplete: true,
  });
  globalVariable = (name: string) => this.globalVariables().get(name) ?? null;
  globalVariables = () => new Map([['domain', 'example.com']]);
  hangup(uuid: string, cause: string): boolean {
    this.calls.push(['hangup', uuid, cause]);
    return this.channel(uuid) !== null;
  }
  hangupAll(cause: string): number {
    this.calls.push(['hangupAll', cause]);
    return this.live.length;
  }
  setVariable(uuid: string, name: string, value: string | null): boolean {
    this.calls.push(['setVariable', uuid, name, value]);
    return this.channel(uuid) !== null;
  }
  #control(...call: unknown[]): boolean {
    this.calls.push(call);
    return true;
  }
  transfer = (...args: Parameters<SwitchView['transfer']>) => this.#control('transfer', ...args);
  bridge = (...args: Parameters<SwitchView['bridge']>) => this.#control('bridge', ...args);
  hold = (uuid: string, how: 'on' | 'off' | 'toggle') => this.#control('hold', uuid, how) && this.channel(uuid) !== null;
  park = (uuid: string) => this.#control('park', uuid);
  answer = (uuid: string) => this.#control('answer', uuid);
  preAnswer = (uuid: string) => this.#control('preAnswer', uuid);
  sendDtmf = (uuid: string, digits: string) => this.#control('sendDtmf', uuid, digits);
  broadcast = (uuid: string, path: string) => this.#control('broadcast', uuid, path);
  scheduleHangup = (...args: Parameters<SwitchView['scheduleHangup']>) => this.#control('scheduleHangup', ...args);
  verify = (uuid: string) => this.#control('verify', uuid);
  async originate(request: Parameters<SwitchView['originate']>[0]) {
    this.calls.push(['originate', request]);
    return request.dialString.startsWith('error/') ? { cause: request.dialString.slice(6) } : { uuid: CALLEE };
  }
  conferenceCommand(...args: Parameters<SwitchView['conferenceCommand']>) {
    this.calls.push(['conference', ...args]);
    return { affected: 1, found: true };
  }
  async recover(options: { profileName: string | null; trigger: string }) {
    this.calls.push(['recover', options.profileName, options.trigger]);
    return this.toRecover;
  }
  async flushRecovery(profileName: string | null) {
    this.calls.push(['flush', profileName]);
  }
  recoveryRuns = async () => this.runs;
  setPaused(paused: object): void {
    this.calls.push(['paused', paused]);
  }
  reloadXml = async () => ({ ok: true as const });
  setSipTrace(profileName: string | null, on: boolean): void {
    this.calls.push(['siptrace', profileName, on]);
  }
  shutdown(how: string): void {
    this.calls.push(['shutdown', how]);
  }
  subscribe(listener: (event: SwitchEvent) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  subscribeLog(listener: (line: { level: number; text: string; uuid: string | null }) => void) {
    this.#logListeners.add(listener);
    return () => void this.#logListeners.delete(listener);
  }
  emit(event: SwitchEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
  emitLog(level: number, text: string): void {
    for (const listener of this.#logListeners) listener({ level, text, uuid: CALLER });
  }
}
