import { hostname } from 'node:os';
import {
  answer,
  applyConference,
  bridgeLegs,
  broadcast,
  type CallContext,
  type CallEvent,
  holdLeg,
  type Leg,
  parkLeg,
  partyOf,
  preAnswer,
  resolveEndpoint,
  sendDigits,
  transferLegs,
} from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type {
  ChannelView,
  ConferenceView,
  GatewayView,
  ProfileView,
  RecoveryRunView,
  RegistrationView,
  SwitchEvent,
  SwitchView,
} from '../console/index.ts';
import { parseDialString } from '../dialplan/index.ts';
import { addressOfRecord, registrarUri } from '../gateway/index.ts';
import { channelView } from './channel-view.ts';
import type { Switch } from './switch.ts';

type LogLine = { readonly level: number; readonly text: string; readonly uuid: string | null };

export interface ViewOptions {
  readonly core: Switch;
  readonly startedAtMicroseconds: number;
  readonly localIpv4: string;
  readonly localIpv6: string;
  reload(): Promise<Config>;
  shutdown(how: 'asap' | 'elegant' | 'now' | 'restart'): void;
  /** SIP trace lines go to the log. */
  trace(line: string): void;
}

type OriginateRequest = Parameters<SwitchView['originate']>[0];
type OriginateResult = { readonly uuid: string } | { readonly cause: string };

/** The console's window on the switch. */
export class CoreView implements SwitchView {
  readonly coreUuid: string;
  readonly switchname: string;
  readonly hostname = hostname();
  readonly startedAtMicroseconds: number;
  readonly localIpv4: string;
  readonly localIpv6: string;
  readonly #options: ViewOptions;
  readonly #core: Switch;
  readonly #listeners = new Set<(event: SwitchEvent) => void>();
  readonly #logListeners = new Set<(line: LogLine) => void>();
  /** Originates that wait for an answer: leg → how to tell. */
  readonly #originates = new Map<string, (result: OriginateResult) => void>();

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#core = options.core;
    this.coreUuid = options.core.coreUuid;
    this.switchname = options.core.config.switchname;
    this.startedAtMicroseconds = options.startedAtMicroseconds;
    this.localIpv4 = options.localIpv4;
    this.localIpv6 = options.localIpv6;
  }

  /** An event of the engine, passed to whoever listens. */
  publish(event: CallEvent): void {
    if (event.leg !== null) this.#noteOriginate(event.name, event.leg.uuid, event.leg.record.hangupCause);
    if (this.#listeners.size === 0) return;
    const channel = event.leg === null ? null : channelView(event.leg);
    const rendered: SwitchEvent = { name: event.name, subclass: event.subclass, channel, headers: event.headers, body: null };
    for (const listener of this.#listeners) listener(rendered);
  }

  publishLog(line: LogLine): void {
    for (const listener of this.#logListeners) listener(line);
  }

  channels(): readonly ChannelView[] {
    return [...this.#core.engine.legs.values()].filter((leg) => leg.up).map(channelView);
  }

  channel(uuid: string): ChannelView | null {
    const leg = this.#core.engine.legs.get(uuid);
    return leg?.up === true ? channelView(leg) : null;
  }

  conferences(): readonly ConferenceView[] {
    return [...this.#core.engine.rooms.values()].map((room) => ({
      name: room.name,
      uuid: room.uuid,
      rate: this.#core.config.conferenceProfiles.get(room.profile)?.rate ?? 8000,
      members: [...room.members].flatMap((uuid) => {
        const record = this.#core.engine.legs.get(uuid)?.record;
        const member = record?.conference;
        if (record === undefined || member == null) return [];
        return [
          {
            id: member.memberId,
            channelUuid: uuid,
            channelName: record.channelName,
            callerIdName: record.caller.callerIdName,
            callerIdNumber: record.caller.callerIdNumber,
            muted: member.muted,
            deaf: member.deaf,
            talking: room.floor === member.memberId,
            floor: room.floor === member.memberId,
            moderator: member.moderator,
          },
        ];
      }),
    }));
  }

  profiles(): readonly ProfileView[] {
    const running = new Map<string, number>();
    for (const leg of this.#core.engine.legs.values()) running.set(leg.record.profileName, (running.get(leg.record.profileName) ?? 0) + 1);
    return [...this.#core.fronts.values()].map(({ profile, counters }) => {
      const { advertised } = partyOf(profile);
      return {
        name: profile.name,
        sipIp: advertised.ip,
        sipPort: profile.sipPort,
        rtpIp: profile.rtpIp,
        context: profile.context,
        dialplan: profile.dialplan,
        challengeRealm: profile.challengeRealm,
        codecsIn: profile.inboundCodecs.map((codec) => codec.name).join(','),
        codecsOut: profile.outboundCodecs.map((codec) => codec.name).join(','),
        telephoneEvent: profile.telephoneEventPayloadType,
        dtmfMode: profile.dtmfType,
        sessionTimeout: profile.sessionTimeoutSeconds,
        callsIn: counters.callsIn,
        failedCallsIn: counters.failedCallsIn,
        callsOut: counters.callsOut,
        failedCallsOut: counters.failedCallsOut,
        registrations: this.#core.registrar.list().filter((row) => row.profileName === profile.name).length,
        runningCalls: running.get(profile.name) ?? 0,
        aliases: profile.aliases,
      };
    });
  }

  registrations(): readonly RegistrationView[] {
    return this.#core.registrar.list().map((row) => ({
      user: row.user,
      realm: row.realm,
      callId: row.callId,
      contact: row.contact,
      expiresEpochSeconds: Math.floor(row.expiresAt / 1_000_000),
      networkIp: row.networkIp,
      networkPort: row.networkPort,
      profileName: row.profileName,
      hostname: row.hostname,
      userAgent: row.userAgent,
    }));
  }

  gateways(): readonly GatewayView[] {
    return this.#core.gateways.all.map((gateway) => ({
      name: gateway.name,
      profileName: gateway.profile,
      realm: gateway.settings.realm,
      username: gateway.settings.username,
      hasPassword: gateway.settings.password !== '',
      from: `<${addressOfRecord(gateway.settings)}>`,
      contact: `<${gateway.contact}>`,
      extension: gateway.settings.extension,
      to: addressOfRecord(gateway.settings),
      proxy: registrarUri(gateway.settings),
      context: gateway.settings.context,
      expires: gateway.settings.expireSeconds,
      frequency: gateway.registration.expires,
      nextPingEpochSeconds: Math.floor(gateway.ping.nextAt / 1_000_000),
      pingFrequency: gateway.settings.pingSeconds,
      pingTime: gateway.ping.roundTrip,
      pingMinimum: gateway.settings.pingMinimum,
      pingCount: gateway.ping.count,
      pingMaximum: gateway.settings.pingMaximum,
      state: gateway.state,
      up: gateway.up,
      uptime: gateway.uptimeSeconds,
      retry: gateway.registration.retrySeconds,
      callsIn: gateway.calls.inbound,
      failedCallsIn: gateway.calls.failedInbound,
      callsOut: gateway.calls.outbound,
      failedCallsOut: gateway.calls.failedOutbound,
    }));
  }

  gatewayCommand(command: 'register' | 'unregister' | 'kill', name: string): boolean {
    const gateway = this.#core.gateways.find(name);
    if (gateway === null) return false;
    if (command === 'register') gateway.registration.register();
    else if (command === 'unregister') gateway.registration.unregister();
    else this.#core.gateways.kill(gateway);
    return true;
  }

  rescanGateways(profileName: string): number {
    return this.#core.gateways.add(this.#core.config, profileName);
  }

  status(): ReturnType<SwitchView['status']> {
    const { statistics, engine, writer, recovery, config } = this.#core;
    const up = [...engine.legs.values()].filter((leg) => leg.up);
    return {
      sessionsSinceStart: engine.sessionsSinceStart,
      sessions: up.length,
      peakSessions: statistics.peakSessions,
      peakSessionsFiveMinutes: statistics.peakSessions,
      sessionsPerSecond: statistics.sessionsThisSecond,
      sessionsPerSecondMaximum: config.sessionsPerSecond,
      sessionsPerSecondPeak: statistics.sessionsPerSecondPeak,
      sessionsPerSecondPeakFiveMinutes: statistics.sessionsPerSecondPeak,
      maxSessions: config.maxSessions,
      untracked: up.filter((leg) => !leg.tracked).length,
      storeAnswers: writer.answers,
      recoveryComplete: recovery.complete,
    };
  }

  globalVariable(name: string): string | null {
    return this.globalVariables().get(name) ?? null;
  }

  globalVariables(): ReadonlyMap<string, string> {
    return this.#core.config.variables;
  }

  hangup(uuid: string, cause: string): boolean {
    if (this.#core.engine.legs.get(uuid)?.up !== true) return false;
    this.#core.input({ kind: 'hangup', leg: uuid, cause });
    return true;
  }

  hangupAll(cause: string): number {
    return this.#core.hangupAll(cause);
  }

  transfer(uuids: readonly string[], destination: string, dialplan: string | null, contextName: string | null): boolean {
    const legs = uuids.flatMap((uuid) => this.#core.engine.legs.get(uuid) ?? []);
    return this.#control(uuids[0] ?? '', (context) => transferLegs(context, legs, destination, dialplan, contextName));
  }

  bridge(uuid: string, other: string): boolean {
    const partner = this.#core.engine.legs.get(other);
    return partner !== undefined && this.#control(uuid, (context, leg) => bridgeLegs(context, leg, partner));
  }

  hold(uuid: string, how: 'on' | 'off' | 'toggle'): boolean {
    return this.#control(uuid, (context, leg) => holdLeg(context, leg, how));
  }

  park(uuid: string): boolean {
    return this.#control(uuid, parkLeg);
  }

  answer(uuid: string): boolean {
    return this.#control(uuid, (context, leg) => answer(context, leg));
  }

  preAnswer(uuid: string): boolean {
    return this.#control(uuid, (context, leg) => preAnswer(context, leg));
  }

  sendDtmf(uuid: string, digits: string): boolean {
    return this.#control(uuid, (context, leg) => sendDigits(context, leg, digits));
  }

  broadcast(uuid: string, path: string): boolean {
    return this.#control(uuid, (context, leg) => broadcast(context, leg, path));
  }

  scheduleHangup(uuid: string, atMicroseconds: number, cause: string): boolean {
    return this.#control(uuid, (context, leg) => {
      context.schedule(leg, { seconds: Math.max(0, (atMicroseconds - context.wallMicroseconds()) / 1_000_000), cause });
      return true;
    });
  }

  verify(uuid: string): boolean {
    if (this.#core.engine.legs.get(uuid)?.answered !== true) return false;
    this.#core.apply(this.#core.engine.verify(uuid, 'auto'));
    return true;
  }

  /** One step on a leg that is up; false when there is none, or the step says so. */
  #control(uuid: string, work: (context: CallContext, leg: Leg) => boolean): boolean {
    const leg = this.#core.engine.legs.get(uuid);
    if (leg?.up !== true) return false;
    let done = false;
    this.#core.apply(
      this.#core.engine.change((context) => {
        done = work(context, leg);
      }),
    );
    return done;
  }

  setVariable(uuid: string, name: string, value: string | null): boolean {
    const leg = this.#core.engine.legs.get(uuid);
    if (leg?.up !== true) return false;
    this.#core.apply(
      this.#core.engine.change(() => {
        if (value === null || value === '') delete leg.record.variables[name];
        else leg.record.variables[name] = value;
        leg.dirty = true;
      }),
    );
    return true;
  }

  /** Rings each leg of the first attempt that can be dialled; the first leg answers for the call. */
  originate(request: OriginateRequest): Promise<OriginateResult> {
    if (this.#core.paused.outbound) return Promise.resolve({ cause: 'SWITCH_CONGESTION' });
    const { engine, config } = this.#core;
    const plan = parseDialString(request.dialString);
    let cause = 'NO_ROUTE_DESTINATION';
    for (const attempt of plan.attempts) {
      for (const dialLeg of attempt) {
        let resolved: ReturnType<typeof resolveEndpoint> = { kind: 'failed', cause, reason: '' };
        this.#core.apply(
          engine.change((context) => {
            resolved = resolveEndpoint(context, dialLeg.endpoint, config.variables.get('domain') ?? '');
          }),
        );
        const outcome = resolved as ReturnType<typeof resolveEndpoint>;
        if (outcome.kind === 'failed') {
          cause = outcome.cause;
          continue;
        }
        const target = outcome.targets[0];
        if (target !== undefined)
          return this.#place(
            request,
            { ...target, number: outcome.number },
            new Map([...plan.globalVariables, ...(target.variables ?? []), ...dialLeg.variables]),
          );
      }
    }
    return Promise.resolve({ cause });
  }

  #place(
    request: OriginateRequest,
    target: Extract<ReturnType<typeof resolveEndpoint>, { kind: 'targets' }>['targets'][number] & { readonly number: string },
    variables: ReadonlyMap<string, string>,
  ): Promise<OriginateResult> {
    const context = request.context ?? target.profile.context;
    const applications =
      request.extension === null
        ? [{ application: request.application, data: request.data }]
        : [{ application: 'transfer', data: `${request.extension} XML ${context}` }];
    const { leg, result } = this.#core.engine.originate(
      {
        profile: target.profile,
        target: target.uri,
        destination: target.destination,
        gateway: target.gateway,
        destinationNumber: target.number,
        originator: null,
        variables,
        callerIdName: request.callerIdName ?? variables.get('origination_caller_id_name') ?? '',
        callerIdNumber: request.callerIdNumber ?? variables.get('origination_caller_id_number') ?? '0000000000',
        applications,
        context,
      },
      request.timeoutSeconds,
    );
    const answered = new Promise<OriginateResult>((resolve) => this.#originates.set(leg.uuid, resolve));
    this.#core.apply(result);
    return answered;
  }

  #noteOriginate(event: string, uuid: string, cause: string | null): void {
    if (event !== 'CHANNEL_ANSWER' && event !== 'CHANNEL_HANGUP') return;
    const resolve = this.#originates.get(uuid);
    this.#originates.delete(uuid);
    resolve?.(event === 'CHANNEL_ANSWER' ? { uuid } : { cause: cause ?? 'NORMAL_CLEARING' });
  }

  conferenceCommand(
    room: string,
    command: 'kick' | 'mute' | 'unmute' | 'deaf' | 'undeaf' | 'hup',
    member: string,
  ): { readonly affected: number; readonly found: boolean } {
    const found = this.#core.engine.rooms.get(room);
    if (found === undefined) return { affected: 0, found: false };
    const matching = [...found.members].filter((uuid, index, all) => {
      const id = this.#core.engine.legs.get(uuid)?.record.conference?.memberId;
      if (member === 'all' || String(id) === member || uuid === member) return true;
      return member === 'last' && index === all.length - 1;
    });
    for (const uuid of matching) {
      if (command === 'kick' || command === 'hup') {
        this.hangup(uuid, 'NORMAL_CLEARING');
        continue;
      }
      this.#core.apply(
        this.#core.engine.change((context) => {
          const leg = this.#core.engine.legs.get(uuid);
          if (leg?.record.conference == null) return;
          if (command === 'mute' || command === 'unmute') leg.record.conference.muted = command === 'mute';
          else leg.record.conference.deaf = command === 'deaf';
          applyConference(context, leg);
        }),
      );
    }
    return { affected: matching.length, found: true };
  }

  async recover(options: { readonly profileName: string | null; readonly trigger: string }): Promise<number> {
    const count = await this.#core.recovery.recoverByCommand(options.trigger, options.profileName);
    this.publish({ name: 'CUSTOM', subclass: 'sofia::recovery_recovered', leg: null, headers: [['recovered_calls', String(count)]] });
    return count;
  }

  flushRecovery(profileName: string | null): Promise<void> {
    return this.#core.flushRecovery(profileName);
  }

  recoveryRuns(): Promise<readonly RecoveryRunView[]> {
    return this.#core.recovery.runs();
  }

  setPaused(paused: { readonly inbound?: boolean; readonly outbound?: boolean }): void {
    if (paused.inbound !== undefined) this.#core.paused.inbound = paused.inbound;
    if (paused.outbound !== undefined) this.#core.paused.outbound = paused.outbound;
  }

  async reloadXml(): Promise<{ readonly ok: true } | { readonly ok: false; readonly message: string }> {
    try {
      this.#core.reconfigure(await this.#options.reload());
      return { ok: true };
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  setSipTrace(profileName: string | null, on: boolean): void {
    for (const [name, front] of this.#core.fronts) {
      if (profileName !== null && profileName !== name) continue;
      front.setTrace(
        on
          ? (direction, peer, bytes) =>
              this.#options.trace(
                `${direction} ${bytes.length} bytes ${direction === 'recv' ? 'from' : 'to'} udp/[${peer.ip}]:${peer.port}\n${Buffer.from(bytes).toString('latin1')}`,
              )
          : null,
      );
    }
  }

  shutdown(how: 'asap' | 'elegant' | 'now' | 'restart'): void {
    this.#options.shutdown(how);
  }

  subscribe(listener: (event: SwitchEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  subscribeLog(listener: (line: LogLine) => void): () => void {
    this.#logListeners.add(listener);
    return () => this.#logListeners.delete(listener);
  }
}
