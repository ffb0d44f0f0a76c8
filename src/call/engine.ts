import type { Clock, Logger, Random } from '../base/index.ts';
import { assert, unreachable } from '../base/index.ts';
import type { Config, SipProfile } from '../config/index.ts';
import type { LocalParty, SipRequest } from '../sip/index.ts';
import { createResponse, serializeMessage } from '../sip/index.ts';
import { advance, applicationDone, applicationPlayed, applicationTimer, route } from './application.ts';
import { attemptTimeout, calleeAnswered, calleeFailed, calleeProgress, unbridge } from './bridge.ts';
import { leaveConference } from './conference.ts';
import type { CallContext, DialContact, DialGateway, OutboundRequest, Room } from './context.ts';
import { broadcastPlayed } from './control.ts';
import type { Effect, TimerName } from './effect.ts';
import { hangup, sayBye } from './hangup.ts';
import { answerAlone, receiveAcknowledge, receiveDtmf, receiveRequest } from './in-dialog.ts';
import { answer, receiveInvite } from './inbound.ts';
import type { CallInput } from './input.ts';
import type { Leg } from './leg.ts';
import { openMedia } from './media-control.ts';
import { moveToOtherPort } from './move-port.ts';
import { offerIfWaiting } from './offer.ts';
import { createOutboundLeg, resolved, sendInvite } from './outbound.ts';
import { PortRange } from './port-range.ts';
import type { LegRecord } from './record.ts';
import { receiveResponse, requestTimeout } from './response.ts';
import { restoreMedia, restoreSignalling, resume } from './restore.ts';
import { dueHangup, scheduleHangup } from './scheduled-hangup.ts';
import { sessionTimerFired } from './session-timer.ts';
import { SharedData } from './shared-data.ts';
import { takeOver } from './transfer.ts';
import { leaveTransfer, transferOutcome } from './transfer-outcome.ts';
import { verificationFailed, verify } from './verify.ts';

/** Ports tried for one leg before it is refused. */
const MAXIMUM_PORT_ATTEMPTS = 20;

export interface CallEvent {
  readonly name: string;
  readonly subclass: string | null;
  readonly leg: Leg | null;
  readonly headers: readonly (readonly [string, string])[];
}

export interface EngineOptions {
  readonly config: () => Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly coreUuid: string;
  readonly contactsFor: (user: string, domain: string) => readonly DialContact[];
  readonly gateway: (name: string) => DialGateway | null;
  readonly onEvent: (event: CallEvent) => void;
  readonly onRecoveryOutcome: (leg: Leg, outcome: 'verified' | 'failed' | 'finished', reason: string) => void;
}

/** What a step asks for: the legs it changed (to be saved before any peer hears of it), and its effects in order. */
export interface StepResult {
  readonly changed: readonly Leg[];
  readonly effects: readonly Effect[];
}

/**
 * The B2BUA. Handles one input at a time, synchronously, and returns effects; holds no socket, timer or file.
 * Invariant: a leg is in `legs` exactly while its phase is not `ended`.
 */
export class CallEngine {
  readonly legs = new Map<string, Leg>();
  readonly rooms = new Map<string, Room>();
  readonly #dialogs = new Map<string, string>();
  readonly #ports: PortRange;
  readonly #options: EngineOptions;
  readonly #context: CallContext;
  readonly #changed = new Set<Leg>();
  #effects: Effect[] = [];
  #stepping = false;
  #sessions = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#ports = new PortRange(() => options.config(), options.random);
    this.#context = this.#createContext();
  }

  /** Legs since this runtime began. */
  get sessionsSinceStart(): number {
    return this.#sessions;
  }

  /**
   * The leg that a request within a dialog belongs to: our tag and the Call-ID, and the peer's tag where it is known.
   * Without `remoteTag` any fork of it will do.
   */
  findLeg(callId: string, localTag: string, remoteTag?: string | null): Leg | null {
    const leg = this.legs.get(this.#dialogs.get(dialogKey(callId, localTag)) ?? '') ?? null;
    const known = leg?.record.dialog?.remoteTag ?? null;
    return leg !== null && (remoteTag === undefined || known === null || known === remoteTag) ? leg : null;
  }

  /** The leg whose first INVITE opened that server transaction: a CANCEL knows no tag of ours. */
  findByInvite(callId: string, key: string): Leg | null {
    for (const leg of this.legs.values()) {
      if (leg.record.dialog?.callId === callId && leg.inviteTransaction()?.key === key) return leg;
    }
    return null;
  }

  step(input: CallInput): StepResult {
    return this.#run(() => this.#handle(input));
  }

  /** Starts an outbound leg that nobody called for (console `originate`); it is given up after ringing `timeoutSeconds`. */
  originate(request: OutboundRequest, timeoutSeconds: number): { readonly leg: Leg; readonly result: StepResult } {
    const created: Leg[] = [];
    const result = this.#run(() => {
      const leg = createOutboundLeg(this.#context, request);
      created.push(leg);
      if (leg.record.execution !== null)
        leg.record.execution.deadline = this.#context.wallMicroseconds() + Math.round(timeoutSeconds * 1_000_000);
      this.#context.emit({ kind: 'timer', leg: leg.uuid, name: 'originate', delayMilliseconds: timeoutSeconds * 1000 });
    });
    const leg = created[0];
    assert(leg !== undefined, 'originate created a leg');
    return { leg, result };
  }

  /** A change made from outside (variables, conference rights), as a step of its own. */
  change(work: (context: CallContext) => void): StepResult {
    return this.#run(() => work(this.#context));
  }

  /** Recovery, first of all: endpoints of every leg. */
  restoreMedia(records: readonly LegRecord[]): StepResult {
    return this.#run(() => {
      this.#sessions += records.length;
      for (const record of records) {
        const endpoint = record.media?.endpoint;
        if (endpoint != null) this.#ports.take(endpoint.localPort);
        restoreMedia(this.#context, record);
      }
    });
  }

  /** Recovery, then: transactions, and the applications of one leg. All legs were given to `restoreMedia` before. */
  restoreSignalling(uuids: readonly string[]): StepResult {
    return this.#run(() => {
      for (const uuid of uuids) {
        const leg = this.legs.get(uuid);
        if (leg !== undefined) restoreSignalling(this.#context, leg);
      }
      for (const uuid of uuids) {
        const leg = this.legs.get(uuid);
        if (leg !== undefined) resume(this.#context, leg);
      }
    });
  }

  /** Asks the far end of a recovered leg for a sign of life. */
  verify(uuid: string, how: 'auto' | 'reinvite'): StepResult {
    return this.#run(() => {
      const leg = this.legs.get(uuid);
      if (leg === undefined) return;
      leg.verifyTries ??= 0;
      verify(this.#context, leg, how);
    });
  }

  #run(work: () => void): StepResult {
    assert(!this.#stepping, 'steps do not nest');
    this.#stepping = true;
    this.#effects = [];
    this.#changed.clear();
    try {
      work();
    } finally {
      this.#stepping = false;
    }
    const changed = [...this.#changed];
    for (const leg of changed) leg.dirty = false;
    return { changed, effects: this.#effects };
  }

  #handle(input: CallInput): void {
    const context = this.#context;
    if (input.kind === 'invite') {
      receiveInvite(context, input);
      return;
    }
    const leg = this.legs.get(input.leg);
    if (leg === undefined) return;
    switch (input.kind) {
      case 'request':
        receiveRequest(context, leg, input.key, input.request, input.source);
        return;
      case 'acknowledge':
        receiveAcknowledge(context, leg, input.request);
        return;
      case 'cancel':
        this.#cancelled(leg, input.key, input.cancelKey, input.request);
        return;
      case 'response':
        receiveResponse(context, leg, input.branch, input.method, input.response, input.source);
        return;
      case 'requestTimeout':
        requestTimeout(context, leg, input.branch, input.method);
        return;
      case 'acknowledgeTimeout':
        this.#unacknowledged(leg, input.key, input.reliable);
        return;
      case 'resolved':
        resolved(context, leg, input.resolution);
        return;
      case 'mediaDone':
        this.#mediaDone(leg, input.failure);
        return;
      case 'learned':
        if (leg.record.media?.endpoint != null) {
          leg.record.media.endpoint = { ...leg.record.media.endpoint, learned: input.source };
          leg.dirty = true;
        }
        return;
      case 'dtmf':
        receiveDtmf(context, leg, input.digit, input.durationMilliseconds, 'RTP');
        return;
      case 'rtpTimeout':
        hangup(context, leg, 'MEDIA_TIMEOUT');
        return;
      case 'played':
        this.#played(leg, input.playId);
        return;
      case 'timer':
        this.#timer(leg, input.name);
        return;
      case 'hangup':
        hangup(context, leg, input.cause);
        return;
      default:
        unreachable(input);
    }
  }

  #cancelled(leg: Leg, key: string, cancelKey: string, request: SipRequest): void {
    // RFC 3261 §9.2: answered 200 in any case, with the tag of the INVITE's response.
    const toTag = leg.record.dialog?.localTag ?? '';
    const bytes = serializeMessage(createResponse(request, 200, { toTag }));
    this.#context.emit({ kind: 'respond', leg: leg.uuid, key: cancelKey, status: 200, bytes });
    const invite = leg.inviteTransaction();
    if (invite === null || invite.key !== key || invite.responseStatus >= 200) return;
    hangup(this.#context, leg, 'ORIGINATOR_CANCEL', { status: 487, disposition: 'recv_cancel' });
  }

  /** RFC 3261 §13.3.1.4: a 2xx without ACK for 64·T1: BYE. RFC 3262 §3: a provisional without PRACK: 5xx. */
  #unacknowledged(leg: Leg, key: string, reliable: boolean): void {
    const transaction = leg.record.serverTransactions.find((entry) => entry.key === key);
    if (transaction === undefined) return;
    if (reliable) {
      if (transaction.responseStatus < 200) hangup(this.#context, leg, 'RECOVERY_ON_TIMER_EXPIRE', { status: 504 });
      return;
    }
    leg.record.serverTransactions = leg.record.serverTransactions.filter((entry) => entry !== transaction);
    leg.record.acknowledged = true;
    leg.dirty = true;
    if (leg.record.phase === 'ending') sayBye(this.#context, leg);
    else hangup(this.#context, leg, 'RECOVERY_ON_TIMER_EXPIRE');
  }

  #mediaDone(leg: Leg, failure: string | null): void {
    const { opening } = leg;
    if (opening === null) {
      // `media` died, and somebody took the port before it was back.
      if (failure !== null && leg.up) this.#portFailed(leg, 'resume', failure);
      return;
    }
    if (opening === 'resolve') return;
    if (failure !== null) {
      this.#portFailed(leg, opening, failure);
      return;
    }
    leg.opening = null;
    switch (opening) {
      case 'route':
        if (leg.record.replaces != null) takeOver(this.#context, leg);
        else if (leg.record.execution === null) route(this.#context, leg, leg.record.caller.destinationNumber, leg.record.caller.context);
        else advance(this.#context, leg);
        return;
      case 'invite':
        sendInvite(this.#context, leg);
        return;
      case 'resume':
        return;
      default:
        unreachable(opening);
    }
  }

  #portFailed(leg: Leg, opening: 'route' | 'invite' | 'resume', failure: string): void {
    const port = leg.record.media?.endpoint?.localPort ?? 0;
    this.#options.logger.log('warning', `RTP port ${port} cannot be opened: ${failure}`, { uuid: leg.uuid });
    if (leg.portAttempts >= MAXIMUM_PORT_ATTEMPTS) {
      hangup(this.#context, leg, 'SWITCH_CONGESTION', { status: 503, reason: 'No RTP Port Left' });
      return;
    }
    if (opening === 'resume') moveToOtherPort(this.#context, leg);
    else if (!openMedia(this.#context, leg, opening)) hangup(this.#context, leg, 'SWITCH_CONGESTION');
  }

  #played(leg: Leg, playId: string): void {
    if (broadcastPlayed(this.#context, leg, playId)) return;
    const endpoint = leg.record.media?.endpoint;
    if (endpoint?.mode.kind === 'play' && endpoint.mode.playId === playId) applicationPlayed(this.#context, leg);
  }

  #timer(leg: Leg, name: TimerName): void {
    switch (name) {
      case 'application':
        applicationTimer(this.#context, leg);
        return;
      case 'originate':
        if (leg.record.bridgeAttempt !== null) attemptTimeout(this.#context, leg);
        else if (leg.record.direction === 'outbound' && !leg.answered) hangup(this.#context, leg, 'NO_ANSWER');
        return;
      case 'hangup':
        dueHangup(this.#context, leg);
        return;
      case 'session':
        sessionTimerFired(this.#context, leg);
        return;
      case 'offer':
        offerIfWaiting(this.#context, leg);
        return;
      case 'verify':
        if (leg.verifyTries !== null && leg.verifyTries > 0)
          verify(this.#context, leg, this.#context.profile(leg.record.profileName)?.recoveryRefresh === 'reinvite' ? 'reinvite' : 'auto');
        else verificationFailed(this.#context, leg);
        return;
      default:
        unreachable(name);
    }
  }

  #createContext(): CallContext {
    const options = this.#options;
    const context: CallContext = {
      legs: this.legs,
      rooms: this.rooms,
      coreUuid: options.coreUuid,
      logger: options.logger,
      shared: new SharedData(),
      config: options.config,
      profile: (name) => options.config().profiles.get(name) ?? null,
      party: partyOf,
      wallMicroseconds: () => options.clock.wallMicroseconds(),
      uuid: () => options.random.uuid(),
      token: (length) => options.random.token(length),
      uint32: () => options.random.uint32(),
      nextSessionId: () => {
        this.#sessions += 1;
        return this.#sessions;
      },
      allocatePort: () => this.#ports.allocate(),
      contactsFor: options.contactsFor,
      gateway: options.gateway,
      emit: (effect) => {
        this.#effects.push(effect);
      },
      event: (name, leg, headers = [], subclass) => options.onEvent({ name, subclass: subclass ?? null, leg, headers }),
      addLeg: (leg) => this.#addLeg(leg),
      removeLeg: (leg) => this.#removeLeg(leg),
      advance: (leg) => advance(context, leg),
      applicationDone: (leg) => applicationDone(context, leg),
      transfer: (leg, extension, dialplanContext) => route(context, leg, extension, dialplanContext),
      schedule: (leg, when) => scheduleHangup(context, leg, when),
      hangup: (leg, cause, hangupOptions) => hangup(context, leg, cause, hangupOptions),
      answer: (leg) => answer(context, leg),
      createOutboundLeg: (request) => createOutboundLeg(context, request),
      calleeProgress: (callee, _status, earlyMedia) => calleeProgress(context, callee, earlyMedia),
      calleeAnswered: (callee) => calleeAnswered(context, callee),
      calleeFailed: (callee) => calleeFailed(context, callee),
      unbridge: (leg) => unbridge(context, leg),
      leaveConference: (leg) => leaveConference(context, leg),
      transferOutcome: (leg, status) => transferOutcome(context, leg, status),
      leaveTransfer: (leg, status) => leaveTransfer(context, leg, status),
      partnerLeft: (leg) => answerAlone(context, leg),
      recoveryOutcome: options.onRecoveryOutcome,
    };
    return context;
  }

  #addLeg(leg: Leg): void {
    assert(!this.legs.has(leg.uuid), `leg ${leg.uuid} exists once`);
    this.legs.set(leg.uuid, leg);
    const { dialog } = leg.record;
    if (dialog !== null) this.#dialogs.set(dialogKey(dialog.callId, dialog.localTag), leg.uuid);
    leg.onDirty = (dirty) => this.#changed.add(dirty);
    leg.dirty = true;
  }

  #removeLeg(leg: Leg): void {
    this.legs.delete(leg.uuid);
    const { dialog, media } = leg.record;
    if (dialog !== null) this.#dialogs.delete(dialogKey(dialog.callId, dialog.localTag));
    if (media?.endpoint != null) this.#ports.release(media.endpoint.localPort);
  }
}

function dialogKey(callId: string, localTag: string): string {
  return `${callId}\n${localTag}`;
}

/** What we call ourselves on a profile. */
export function partyOf(profile: SipProfile): LocalParty {
  return { advertised: { ip: profile.extSipIp ?? profile.sipIp, port: profile.sipPort }, userAgent: profile.userAgent };
}
