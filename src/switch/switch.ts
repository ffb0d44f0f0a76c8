import type { Address, Clock, Logger, Random, Timer } from '../base/index.ts';
import { UndropError } from '../base/index.ts';
import type { CallEvent, CallInput, DialContact, Effect, Leg, LegRecord, StepResult } from '../call/index.ts';
import { CallEngine } from '../call/index.ts';
import { CheckpointWriter, recordToCdr, recordToMetadata } from '../checkpoint/index.ts';
import type { Config, SipProfile } from '../config/index.ts';
import type { MediaEvent } from '../media/protocol.ts';
import { Authenticator, Registrar, routeToContact } from '../registrar/index.ts';
import type { Store, StoreOperation } from '../store/index.ts';
import { Executor } from './executor.ts';
import { MediaClient, type MediaLink } from './media-client.ts';
import { RecoverySupervisor } from './recovery-supervisor.ts';
import { SipFront } from './sip-front.ts';

/** Milliseconds that the row of a refused INVITE outlives it: the caller has repeated and acknowledged by then. */
const REFUSAL_STAYS = 4_000;

export interface CdrSink {
  /** Resolves when the file is in place. */
  write(record: Pick<LegRecord, 'uuid'>, xml: string): Promise<void>;
}

export interface SwitchOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: Store;
  readonly epoch: number;
  readonly coreUuid: string;
  /** When this process began, wall microseconds. */
  readonly processStartedAt: number;
  readonly media: MediaLink;
  readonly cdr: CdrSink;
  /** Key of the digest nonces; the same over restarts. */
  readonly secret: string;
  send(profile: string, bytes: Uint8Array, destination: Address): void;
  onEvent(event: CallEvent): void;
  /** Failpoint before each effect, for the simulator. */
  readonly onEffect?: (effect: Effect | { readonly kind: 'save' }) => void;
}

export interface SwitchStatistics {
  peakSessions: number;
  /** Legs begun in the present second, and the second. */
  second: number;
  sessionsThisSecond: number;
  sessionsPerSecondPeak: number;
}

/** A whole switch but for its sockets: everything that happens to it comes in by a method, everything it does goes out through the options. */
export class Switch {
  readonly engine: CallEngine;
  readonly writer: CheckpointWriter;
  readonly media: MediaClient;
  readonly registrar: Registrar;
  readonly recovery: RecoverySupervisor;
  readonly fronts = new Map<string, SipFront>();
  readonly statistics: SwitchStatistics = { peakSessions: 0, second: 0, sessionsThisSecond: 0, sessionsPerSecondPeak: 0 };
  readonly paused = { inbound: false, outbound: false };
  readonly #options: SwitchOptions;
  readonly #executor: Executor;
  readonly #authenticator: Authenticator;
  /** Legs with a row in the store: it is kept up to date to the end, even when its profile stops to track calls. */
  readonly #rows = new Set<string>();
  /** Rows of FreeSWITCH's whose legs we took; deleted with the first save of ours. */
  readonly #foreign = new Set<string>();
  /** Rows of refused calls, by leg. */
  readonly #lingering = new Map<string, { readonly timer: Timer; readonly remove: () => void }>();
  #config: Config;
  #endingLegs = 0;
  #stopped = false;
  #onEmpty: (() => void) | null = null;

  constructor(options: SwitchOptions) {
    this.#options = options;
    this.#config = options.config;
    const { clock, random, logger } = options;
    const findUser = (domain: string, user: string) => this.#findUser(domain, user);
    this.#authenticator = new Authenticator({ clock, random, findUser, secret: options.secret });
    this.registrar = new Registrar({ clock, random, authenticator: this.#authenticator, findUser, hostname: options.config.switchname });
    this.engine = new CallEngine({
      config: () => this.#config,
      clock,
      random,
      logger,
      coreUuid: options.coreUuid,
      contactsFor: (user, domain) => this.contactsFor(user, domain),
      onEvent: (event) => {
        if (event.name === 'CHANNEL_CREATE') this.#countSession();
        options.onEvent(event);
      },
      onRecoveryOutcome: (leg, outcome, reason) => this.recovery.outcome(leg.uuid, outcome, reason),
    });
    this.writer = new CheckpointWriter({
      store: options.store,
      clock,
      logger,
      onLate: (uuids) => this.#setTracked(uuids, false),
      onRecovered: (uuids) => this.#setTracked(uuids, true),
      onFenced: () => this.#fenced(),
    });
    this.media = new MediaClient({
      link: options.media,
      clock,
      logger,
      onOpened: (leg, failure) => this.input({ kind: 'mediaDone', leg, failure }),
      onEvent: (event) => this.#mediaEvent(event),
    });
    this.#executor = new Executor({
      clock,
      media: this.media,
      front: (profile) => this.fronts.get(profile) ?? null,
      saveOf: (leg) => this.#saveOf(leg),
      save: (operations, whenDurable) => this.writer.save(operations, whenDurable),
      end: (record) => this.#end(record),
      input: (input) => this.input(input),
      onEffect: options.onEffect,
    });
    this.recovery = new RecoverySupervisor({
      engine: this.engine,
      store: options.store,
      media: this.media,
      config: () => this.#config,
      clock,
      random,
      logger,
      epoch: options.epoch,
      runtimeUuid: options.coreUuid,
      processStartedAt: options.processStartedAt,
      apply: (result) => this.apply(result),
      takeRow: (uuid, foreign) => {
        this.#rows.add(uuid);
        if (foreign) this.#foreign.add(uuid);
      },
      saved: () => this.writer.drained(),
      saveRun: (row) => this.writer.save([{ kind: 'saveRun', row }], () => undefined),
    });
    for (const profile of options.config.profiles.values()) this.#addFront(profile);
  }

  get config(): Config {
    return this.#config;
  }

  get coreUuid(): string {
    return this.#options.coreUuid;
  }

  /** Legs that are up, and legs whose end is not written yet. */
  get busy(): number {
    return this.engine.legs.size + this.#endingLegs;
  }

  get waitingEffects(): number {
    return this.#executor.waiting;
  }

  /** One thing happened: the engine decides, the executor does. */
  input(input: CallInput): void {
    if (this.#stopped) return;
    this.apply(this.engine.step(input));
  }

  apply(result: StepResult): void {
    if (this.#stopped) return;
    this.#executor.apply(result);
    this.statistics.peakSessions = Math.max(this.statistics.peakSessions, this.engine.legs.size);
    if (this.busy === 0) this.#onEmpty?.();
  }

  /** A datagram for a profile. */
  receive(profile: string, bytes: Uint8Array, source: Address): void {
    if (!this.#stopped) this.fronts.get(profile)?.receive(bytes, source);
  }

  /**
   * A new configuration takes effect for what begins from now on. Profiles in use stay, and keep the addresses that their
   * sockets are bound to until the next start.
   */
  reconfigure(config: Config): void {
    const profiles = new Map([...this.#config.profiles, ...config.profiles]);
    for (const [name, old] of this.#config.profiles) {
      const changed = profiles.get(name);
      if (changed === undefined) continue;
      if (changed.sipIp !== old.sipIp || changed.sipPort !== old.sipPort) {
        this.#options.logger.log('warning', `profile ${name}: another sip-ip or sip-port takes effect at the next start`);
      }
      profiles.set(name, { ...changed, sipIp: old.sipIp, sipPort: old.sipPort, extSipIp: old.extSipIp });
    }
    this.#config = { ...config, switchname: this.#config.switchname, profiles };
  }

  contactsFor(user: string, domain: string): readonly DialContact[] {
    return this.registrar.contactsFor(user, domain).flatMap((row) => {
      try {
        const route = routeToContact(row);
        return [
          { uri: route.uri, destination: route.natAddress ?? { ip: row.networkIp, port: row.networkPort }, profile: row.profileName },
        ];
      } catch (error) {
        if (!(error instanceof UndropError)) throw error;
        this.#options.logger.log('error', error.describe());
        return [];
      }
    });
  }

  hangupAll(cause: string): number {
    const uuids = [...this.engine.legs.values()].filter((leg) => leg.up).map((leg) => leg.uuid);
    for (const leg of uuids) this.input({ kind: 'hangup', leg, cause });
    return uuids.length;
  }

  /** `sofia recover flush`: rows of this switchname that no leg of this runtime has. */
  flushRecovery(profileName: string | null): Promise<void> {
    const operation: StoreOperation = {
      kind: 'flush',
      hostname: this.#config.switchname,
      runtimeUuid: this.#options.coreUuid,
      profileName,
    };
    return new Promise<void>((resolve) => this.writer.save([operation], () => resolve())).then(() => this.recovery.readAwaited());
  }

  /** Resolves when no leg is left and every row and CDR is written. */
  emptied(): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        // The end of a leg waits for its save, too.
        if (this.busy > 0 || this.waitingEffects > 0) return;
        this.#onEmpty = null;
        // Nobody comes after us to say a refusal again.
        for (const { timer, remove } of this.#lingering.values()) {
          timer.cancel();
          remove();
        }
        this.#lingering.clear();
        this.writer.drained().then(resolve, resolve);
      };
      this.#onEmpty = check;
      check();
    });
  }

  /** Nothing is sent, saved or timed any more, as if the process had been killed. */
  stop(): void {
    this.#stopped = true;
    this.#executor.stop();
    for (const { timer } of this.#lingering.values()) timer.cancel();
    this.#lingering.clear();
    for (const front of this.fronts.values()) front.close();
    this.recovery.stop();
  }

  #addFront(profile: SipProfile): void {
    const { clock, random, logger } = this.#options;
    const front: SipFront = new SipFront({
      profile,
      clock,
      random,
      logger,
      send: (bytes, destination) => {
        if (!this.#stopped) this.#options.send(profile.name, bytes, destination);
      },
      findLeg: (callId, localTag, remoteTag) => this.engine.findLeg(callId, localTag, remoteTag),
      findByInvite: (callId, key) => this.engine.findByInvite(callId, key),
      input: (input) => this.input(input),
      refusal: () => this.#refusal(),
      authenticate: (request) => this.#authenticator.verify(request, profile),
      challenge: (request, stale) => this.#authenticator.challenge(request, profile, 407, stale),
      register: (request, source, reply) => {
        const { response, changes } = this.registrar.handleRegister(request, source, profile);
        if (changes.length === 0) reply(response);
        else this.writer.save(changes, () => reply(response));
      },
      recoveryComplete: () => this.recovery.complete,
      awaitsRecovery: (callId) => this.recovery.awaits(callId),
      trace: null,
    });
    this.fronts.set(profile.name, front);
  }

  #refusal(): { readonly status: number; readonly reason: string } | null {
    if (this.paused.inbound) return { status: 503, reason: 'System Paused' };
    if (this.engine.legs.size >= this.#config.maxSessions) return { status: 503, reason: 'Maximum Calls In Progress' };
    const { second, sessionsThisSecond } = this.statistics;
    const now = Math.floor(this.#options.clock.wallMicroseconds() / 1_000_000);
    if (second === now && sessionsThisSecond >= this.#config.sessionsPerSecond) return { status: 503, reason: 'Maximum Calls In Progress' };
    return null;
  }

  #countSession(): void {
    const { statistics } = this;
    const now = Math.floor(this.#options.clock.wallMicroseconds() / 1_000_000);
    if (statistics.second !== now) {
      statistics.second = now;
      statistics.sessionsThisSecond = 0;
    }
    statistics.sessionsThisSecond += 1;
    statistics.sessionsPerSecondPeak = Math.max(statistics.sessionsPerSecondPeak, statistics.sessionsThisSecond);
  }

  #findUser(domain: string, user: string) {
    const { directory } = this.#config;
    const found = directory.get(domain) ?? directory.get(this.#config.variables.get('domain') ?? '');
    return found?.users.get(user) ?? null;
  }

  #isTracked(profileName: string): boolean {
    return this.#config.profiles.get(profileName)?.trackCalls ?? false;
  }

  #saveOf(leg: Leg): readonly StoreOperation[] | null {
    const { record } = leg;
    if (!this.#rows.has(record.uuid) && !this.#isTracked(record.profileName)) return null;
    this.#rows.add(record.uuid);
    const row = {
      runtimeUuid: this.#options.coreUuid,
      technology: 'sofia',
      profileName: record.profileName,
      hostname: this.#config.switchname,
      uuid: record.uuid,
      metadata: recordToMetadata(record, this.#rowContext()),
      epoch: this.#options.epoch,
      state: record.phase,
      attempts: 0,
      lastError: null,
      updatedAt: this.#options.clock.wallMicroseconds(),
    };
    const operations: StoreOperation[] = [{ kind: 'save', row }];
    if (this.#foreign.delete(record.uuid)) operations.push({ kind: 'deleteForeign', uuid: record.uuid });
    return operations;
  }

  #rowContext(): { coreUuid: string; switchname: string } {
    return { coreUuid: this.#options.coreUuid, switchname: this.#config.switchname };
  }

  /** CDR first; the row goes only when the file is in place. */
  #end(record: LegRecord): void {
    this.#endingLegs += 1;
    const ended = (): void => {
      this.#endingLegs -= 1;
      if (this.busy === 0) this.#onEmpty?.();
    };
    const xml = recordToCdr(record, this.#rowContext());
    this.#options.cdr.write(record, xml).then(
      () => {
        if (this.#stopped) return;
        this.#deleteRow(record);
        ended();
      },
      (error: unknown) => {
        this.#options.logger.log('error', `CDR not written, its row stays: ${error instanceof Error ? error.message : String(error)}`, {
          uuid: record.uuid,
        });
        ended();
      },
    );
  }

  /**
   * The row of a refused INVITE stays a while: the refusal may be lost on its way, and a switch that crashed meanwhile
   * has to say it again, since a caller that heard 180 repeats nothing by itself.
   */
  #deleteRow(record: LegRecord): void {
    const { uuid } = record;
    if (!this.#rows.delete(uuid)) return;
    const remove = (): void => this.writer.save([{ kind: 'delete', uuid, epoch: this.#options.epoch }], () => undefined);
    const refused = record.serverTransactions.some(({ method, responseStatus }) => method === 'INVITE' && responseStatus >= 300);
    if (!refused) {
      remove();
      return;
    }
    const timer = this.#options.clock.setTimer(REFUSAL_STAYS, () => {
      this.#lingering.delete(uuid);
      if (!this.#stopped) remove();
    });
    this.#lingering.set(uuid, { timer, remove });
  }

  #mediaEvent(event: MediaEvent): void {
    switch (event.kind) {
      case 'learned':
        this.input({ kind: 'learned', leg: event.id, source: event.source });
        return;
      case 'dtmf':
        this.input({ kind: 'dtmf', leg: event.id, digit: event.digit, durationMilliseconds: event.durationMilliseconds });
        return;
      case 'timeout':
        this.input({ kind: 'rtpTimeout', leg: event.id });
        return;
      case 'played':
        this.input({ kind: 'played', leg: event.id, playId: event.playId });
        return;
      case 'floor': {
        const room = this.engine.rooms.get(event.room);
        if (room !== undefined) room.floor = event.memberId;
        return;
      }
    }
  }

  #setTracked(uuids: readonly string[], tracked: boolean): void {
    for (const uuid of uuids) {
      const leg = this.engine.legs.get(uuid);
      if (leg !== undefined) leg.tracked = tracked;
    }
    this.#options.logger.log(
      tracked ? 'notice' : 'warning',
      tracked ? `${uuids.length} calls are tracked again` : `the store does not answer: ${uuids.length} calls go on untracked`,
    );
  }

  /** Somebody else took our switchname: silence, at once. */
  #fenced(): void {
    this.#options.logger.log('critical', 'another node took this switchname over: this one falls silent');
    this.stop();
  }
}
