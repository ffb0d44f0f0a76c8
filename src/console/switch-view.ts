/**
 * What the console sees of the switch, and may ask of it. The switch implements it; the console never reaches further.
 * All values are plain data in FreeSWITCH's own terms.
 */
export interface ChannelView {
  readonly uuid: string;
  readonly direction: 'inbound' | 'outbound';
  readonly createdMicroseconds: number;
  readonly name: string;
  /** FreeSWITCH's state name and number: CS_EXECUTE 4, CS_EXCHANGE_MEDIA 5, CS_CONSUME_MEDIA 7, … */
  readonly state: string;
  readonly stateNumber: number;
  /** DOWN, DIALING, RINGING, EARLY, ACTIVE, HELD, HANGUP … */
  readonly callState: string;
  readonly answerState: 'ringing' | 'early' | 'answered' | 'hangup';
  readonly callerIdName: string;
  readonly callerIdNumber: string;
  readonly calleeIdName: string;
  readonly calleeIdNumber: string;
  readonly networkAddr: string;
  readonly destinationNumber: string;
  readonly dialplan: string;
  readonly context: string;
  readonly application: string;
  readonly applicationData: string;
  readonly readCodec: string;
  readonly readRate: number;
  readonly readBitRate: number;
  readonly writeCodec: string;
  readonly writeRate: number;
  readonly writeBitRate: number;
  readonly username: string;
  readonly ani: string;
  readonly rdnis: string;
  /** `call_uuid` of FreeSWITCH: empty on legs that never were bridged. */
  readonly callUuid: string;
  readonly partnerUuid: string | null;
  readonly bridgedMicroseconds: number;
  readonly times: {
    readonly created: number;
    readonly profileCreated: number;
    readonly progress: number;
    readonly progressMedia: number;
    readonly answered: number;
    readonly bridged: number;
    readonly hangup: number;
    readonly transfer: number;
    readonly resurrected: number;
    readonly lastHold: number;
    readonly holdAccumulated: number;
  };
  /** Channel variables in the order they were set. */
  readonly variables: ReadonlyMap<string, string>;
  /** False while its row is not durable (the store did not answer in time). */
  readonly tracked: boolean;
  readonly hangupCause: string | null;
}

export interface ConferenceView {
  readonly name: string;
  readonly uuid: string;
  readonly rate: number;
  readonly members: readonly {
    readonly id: number;
    readonly channelUuid: string;
    readonly channelName: string;
    readonly callerIdName: string;
    readonly callerIdNumber: string;
    readonly muted: boolean;
    readonly deaf: boolean;
    readonly talking: boolean;
    readonly floor: boolean;
    readonly moderator: boolean;
  }[];
}

export interface ProfileView {
  readonly name: string;
  readonly sipIp: string;
  readonly sipPort: number;
  readonly rtpIp: string;
  readonly context: string;
  readonly dialplan: string;
  readonly challengeRealm: string;
  readonly codecsIn: string;
  readonly codecsOut: string;
  readonly telephoneEvent: number;
  readonly dtmfMode: string;
  readonly sessionTimeout: number;
  readonly callsIn: number;
  readonly failedCallsIn: number;
  readonly callsOut: number;
  readonly failedCallsOut: number;
  readonly registrations: number;
  readonly runningCalls: number;
  readonly aliases: readonly string[];
}

export interface RegistrationView {
  readonly user: string;
  readonly realm: string;
  readonly callId: string;
  readonly contact: string;
  readonly expiresEpochSeconds: number;
  readonly networkIp: string;
  readonly networkPort: number;
  readonly profileName: string;
  readonly hostname: string;
  readonly userAgent: string;
}

/** A trunk of a profile. Seconds, but for `pingTime` in milliseconds. */
export interface GatewayView {
  readonly name: string;
  readonly profileName: string;
  readonly realm: string;
  readonly username: string;
  readonly hasPassword: boolean;
  readonly from: string;
  readonly contact: string;
  readonly extension: string;
  readonly to: string;
  readonly proxy: string;
  readonly context: string;
  readonly expires: number;
  readonly frequency: number;
  readonly nextPingEpochSeconds: number;
  readonly pingFrequency: number;
  readonly pingTime: number;
  readonly pingMinimum: number;
  readonly pingCount: number;
  readonly pingMaximum: number;
  /** FreeSWITCH's state name. */
  readonly state: string;
  readonly up: boolean;
  readonly uptime: number;
  /** Until the next attempt to register, null when none is planned. */
  readonly retry: number | null;
  readonly callsIn: number;
  readonly failedCallsIn: number;
  readonly callsOut: number;
  readonly failedCallsOut: number;
}

/** An event before it is rendered: FreeSWITCH's name and headers, in order. */
export interface SwitchEvent {
  /** `CHANNEL_ANSWER`, `CUSTOM`, … */
  readonly name: string;
  /** `sofia::recovery_recv`, … for CUSTOM. */
  readonly subclass: string | null;
  /** The channel it is about; its standard headers are added by the console. */
  readonly channel: ChannelView | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | null;
}

/** Outcome of one call of a recovery run. Wall microseconds, 0 = has not happened. */
export interface RecoveredCallView {
  readonly uuid: string;
  readonly outcome: 'recovered' | 'verified' | 'finished' | 'quarantined' | 'failed' | 'pending';
  readonly reason: string;
  readonly rowReadAt: number;
  readonly portOpenAt: number;
  readonly firstPacketOutAt: number;
  readonly firstPacketInAt: number;
  readonly verifiedAt: number;
  /** Silence from the peer in milliseconds around the crash, null when unknown. */
  readonly gapMilliseconds: number | null;
}

export interface RecoveryRunView {
  readonly id: string;
  readonly trigger: string;
  readonly startedAt: number;
  readonly processStartedAt: number;
  readonly finishedAt: number;
  readonly calls: readonly RecoveredCallView[];
}

export interface SwitchView {
  readonly coreUuid: string;
  readonly switchname: string;
  readonly hostname: string;
  readonly startedAtMicroseconds: number;
  readonly localIpv4: string;
  readonly localIpv6: string;
  channels(): readonly ChannelView[];
  channel(uuid: string): ChannelView | null;
  conferences(): readonly ConferenceView[];
  profiles(): readonly ProfileView[];
  registrations(): readonly RegistrationView[];
  gateways(): readonly GatewayView[];
  /** What a console may do to one gateway, by `profile::name`; false when there is none. */
  gatewayCommand(command: 'register' | 'unregister' | 'kill', gateway: string): boolean;
  /** Takes up gateways that the configuration has gained; returns their number. */
  rescanGateways(profileName: string): number;
  status(): {
    readonly sessionsSinceStart: number;
    readonly sessions: number;
    readonly peakSessions: number;
    readonly peakSessionsFiveMinutes: number;
    readonly sessionsPerSecond: number;
    readonly sessionsPerSecondMaximum: number;
    readonly sessionsPerSecondPeak: number;
    readonly sessionsPerSecondPeakFiveMinutes: number;
    readonly maxSessions: number;
    readonly untracked: number;
    readonly storeAnswers: boolean;
    readonly recoveryComplete: boolean;
  };
  globalVariable(name: string): string | null;
  globalVariables(): ReadonlyMap<string, string>;

  /** False when there is no such channel. `cause` is a FreeSWITCH cause name. */
  hangup(uuid: string, cause: string): boolean;
  /** Number of channels told to hang up. */
  hangupAll(cause: string): number;
  /**
   * The commands on one or two channels. False when the channel is there but cannot do it now; the caller has checked
   * that the channels exist.
   */
  /** One channel, or two that are bridged to each other. */
  transfer(uuids: readonly string[], destination: string, dialplan: string | null, context: string | null): boolean;
  bridge(uuid: string, other: string): boolean;
  hold(uuid: string, how: 'on' | 'off' | 'toggle'): boolean;
  park(uuid: string): boolean;
  answer(uuid: string): boolean;
  preAnswer(uuid: string): boolean;
  /** `digits[@milliseconds]`. */
  sendDtmf(uuid: string, digits: string): boolean;
  broadcast(uuid: string, path: string): boolean;
  /** Hangs up at that wall clock time. */
  scheduleHangup(uuid: string, atMicroseconds: number, cause: string): boolean;
  /** Asks the far end for a sign of life now. */
  verify(uuid: string): boolean;
  setVariable(uuid: string, name: string, value: string | null): boolean;
  /** Resolves with `+OK <uuid>` data or a cause name when it failed. */
  originate(request: {
    readonly dialString: string;
    readonly application: string;
    readonly data: string;
    readonly extension: string | null;
    readonly context: string | null;
    readonly callerIdName: string | null;
    readonly callerIdNumber: string | null;
    readonly timeoutSeconds: number;
  }): Promise<{ readonly uuid: string } | { readonly cause: string }>;
  conferenceCommand(
    room: string,
    command: 'kick' | 'mute' | 'unmute' | 'deaf' | 'undeaf' | 'hup',
    member: string,
  ): { readonly affected: number; readonly found: boolean };
  /** Runs recovery of everything not recovered yet, and counts what this runtime recovered and no command has reported. */
  recover(options: { readonly profileName: string | null; readonly trigger: string }): Promise<number>;
  flushRecovery(profileName: string | null): Promise<void>;
  recoveryRuns(): Promise<readonly RecoveryRunView[]>;
  /** New requests are refused with 503 while paused. */
  setPaused(paused: { readonly inbound?: boolean; readonly outbound?: boolean }): void;
  reloadXml(): Promise<{ readonly ok: true } | { readonly ok: false; readonly message: string }>;
  setSipTrace(profileName: string | null, on: boolean): void;
  shutdown(how: 'asap' | 'elegant' | 'now' | 'restart'): void;
  /** Calls `listener` for every event from now on; returns the way to stop. */
  subscribe(listener: (event: SwitchEvent) => void): () => void;
  /** Log lines at `level` or more severe, for `log` of the event socket. */
  subscribeLog(listener: (line: { readonly level: number; readonly text: string; readonly uuid: string | null }) => void): () => void;
}
