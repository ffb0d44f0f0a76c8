import { route } from './application.ts';
import { bind, partnerGone } from './bridge.ts';
import type { CallContext } from './context.ts';
import { finishExecution } from './hangup.ts';
import { answer } from './inbound.ts';
import type { Leg } from './leg.ts';
import { setMode } from './media-control.ts';
import { alignCodecs, codecsFit, partnerOf } from './offer.ts';
import type { ApplicationRecord } from './record.ts';
import { leaveTransfer, transferOutcome } from './transfer-outcome.ts';

/**
 * Takes a leg out of whatever it does: partner, ringing callees, conference, application. Its partner goes on as if the
 * leg had hung up, unless `keepPartner`.
 */
export function detach(context: CallContext, leg: Leg, keepPartner = false): void {
  const { record } = leg;
  const partner = partnerOf(context, leg);
  const attempt = record.bridgeAttempt;
  leaveTransfer(context, leg, 487);
  record.partner = null;
  record.bridgeAttempt = null;
  record.broadcast = null;
  leg.dirty = true;
  for (const name of ['application', 'originate'] as const) context.emit({ kind: 'timer', leg: leg.uuid, name, delayMilliseconds: null });
  finishExecution(context, leg);
  record.execution = null;
  for (const uuid of attempt?.callees ?? []) {
    const callee = context.legs.get(uuid);
    if (callee !== undefined) context.hangup(callee, 'ORIGINATOR_CANCEL');
  }
  if (record.conference !== null) context.leaveConference(leg);
  delete record.variables['signal_bond'];
  if (partner !== null) {
    context.event('CHANNEL_UNBRIDGE', leg, [['Other-Leg-Unique-ID', partner.uuid]]);
    partner.record.broadcast = null;
    if (keepPartner) {
      partner.record.partner = null;
      delete partner.record.variables['signal_bond'];
      partner.dirty = true;
      setMode(context, partner, { kind: 'idle' });
    } else {
      partnerGone(context, partner, 'NORMAL_CLEARING');
    }
  }
  if (!leg.up) return;
  setMode(context, leg, { kind: 'idle' });
  context.partnerLeft(leg);
}

/** Whether a leg can be sent elsewhere: an outbound one only once it is answered. */
function movable(leg: Leg): boolean {
  return leg.up && (leg.answered || (leg.record.direction === 'inbound' && leg.record.media?.endpoint != null && leg.opening === null));
}

/** `uuid_transfer`: the leg, or two partners, leave what they do and are routed again. False when they cannot be. */
export function transferLegs(
  context: CallContext,
  legs: readonly Leg[],
  destination: string,
  dialplan: string | null,
  contextName: string | null,
): boolean {
  if (legs.length === 0 || !legs.every(movable)) return false;
  for (const leg of legs) detach(context, leg, legs.length > 1);
  for (const leg of legs) if (leg.up) move(context, leg, destination, dialplan, contextName ?? leg.record.caller.context);
  return true;
}

/** Routes a leg that does nothing: through the dialplan, or through the applications of the `inline` one. */
export function move(context: CallContext, leg: Leg, destination: string, dialplan: string | null, contextName: string): void {
  leg.record.caller.rdnis = leg.record.caller.destinationNumber;
  leg.record.times.transfer = context.wallMicroseconds();
  if (dialplan?.toLowerCase() !== 'inline') {
    route(context, leg, destination, contextName);
    return;
  }
  runApplications(context, leg, parseInline(destination), 'inline');
}

/** `app:data,app:data`; `m:X:` first makes X the separator. */
function parseInline(text: string): ApplicationRecord[] {
  const separated = /^m:(.):/.exec(text);
  const parts = separated === null ? text.split(',') : text.slice(4).split(separated[1] ?? ',');
  return parts
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const colon = part.indexOf(':');
      return colon < 0
        ? { application: part.trim(), data: '' }
        : { application: part.slice(0, colon).trim(), data: part.slice(colon + 1).trim() };
    });
}

function runApplications(context: CallContext, leg: Leg, applications: ApplicationRecord[], name: string): void {
  leg.record.execution = {
    extensionName: name,
    extensionNumber: leg.record.caller.destinationNumber,
    applications,
    index: 0,
    running: false,
    startedAt: 0,
    deadline: 0,
  };
  leg.dirty = true;
  context.advance(leg);
}

/** `uuid_park`. */
export function parkLeg(context: CallContext, leg: Leg): boolean {
  if (!movable(leg)) return false;
  detach(context, leg);
  runApplications(context, leg, [{ application: 'park', data: '' }], 'park');
  return true;
}

/** `uuid_bridge`: takes two answered legs from what they do and makes them partners. False when that cannot be. */
export function bridgeLegs(context: CallContext, left: Leg, right: Leg): boolean {
  if (left === right || !left.answered || !right.answered) return false;
  if (left.record.partner === right.uuid) return true;
  if (!alignCodecs(context, left, right)) return false;
  detach(context, left);
  detach(context, right);
  if (!left.up || !right.up) return false;
  bind(context, left, right);
  return true;
}

/**
 * `successor` takes the place of `place`: its partner, the callees that ring for it, or the application it runs. `place`
 * is left with nothing to do. Null when there is no place to take; then nothing has changed. `keepPartner`: the
 * successor's own partner stays where it is, alone.
 */
export function succeed(context: CallContext, successor: Leg, place: Leg, keepPartner: boolean): 'connected' | 'ringing' | null {
  const partner = partnerOf(context, place);
  const { bridgeAttempt, execution } = place.record;
  if (partner !== null) {
    const codec = partner.record.media?.endpoint?.format?.name ?? null;
    if (!answer(context, successor, codec) || !alignCodecs(context, successor, partner)) return null;
    // The partner keeps its dialplan, `place` keeps nothing.
    place.record.partner = null;
    place.dirty = true;
    partner.record.partner = null;
    detach(context, successor, keepPartner);
    detach(context, place);
    bind(context, successor, partner);
    return 'connected';
  }
  if (execution === null || !execution.running) return null;
  const logged = place.record.applicationLog.at(-1);
  const copy = { ...execution, applications: execution.applications.map((entry) => ({ ...entry })) };
  if (bridgeAttempt !== null) {
    detach(context, successor, keepPartner);
    successor.record.execution = copy;
    successor.record.bridgeAttempt = bridgeAttempt;
    if (logged !== undefined) successor.record.applicationLog.push({ ...logged, at: context.wallMicroseconds() });
    for (const uuid of bridgeAttempt.callees) {
      const callee = context.legs.get(uuid);
      if (callee === undefined) continue;
      callee.record.originator = {
        caller: { ...successor.record.caller },
        uuid: successor.uuid,
        channelName: successor.record.channelName,
      };
      callee.dirty = true;
    }
    const delayMilliseconds = Math.max(0, (bridgeAttempt.deadline - context.wallMicroseconds()) / 1000);
    context.emit({ kind: 'timer', leg: successor.uuid, name: 'originate', delayMilliseconds });
    place.record.bridgeAttempt = null;
    detach(context, place);
    return 'ringing';
  }
  if (!answer(context, successor)) return null;
  detach(context, successor, keepPartner);
  successor.record.execution = { ...copy, running: false, deadline: 0 };
  detach(context, place);
  context.advance(successor);
  return successor.up ? 'connected' : null;
}

/** The INVITE with Replaces (RFC 3891) of `leg` can be answered: it takes the place of the leg that it names. */
export function takeOver(context: CallContext, leg: Leg): void {
  const replaced = leg.record.replaces == null ? undefined : context.legs.get(leg.record.replaces);
  leg.record.replaces = null;
  leg.dirty = true;
  if (replaced === undefined || !replaced.up) {
    context.hangup(leg, 'NORMAL_TEMPORARY_FAILURE', { status: 481 });
    return;
  }
  if (!replaced.answered) {
    pickUp(context, leg, replaced);
    return;
  }
  if (succeed(context, leg, replaced, false) === null) {
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION', { status: 488 });
    return;
  }
  context.hangup(replaced, 'ATTENDED_TRANSFER');
}

/** A ringing leg of ours is replaced: the new one answers its caller, every ringing one is cancelled. */
function pickUp(context: CallContext, leg: Leg, ringing: Leg): void {
  const caller = context.legs.get(ringing.record.originator?.uuid ?? '');
  const attempt = caller?.record.bridgeAttempt ?? null;
  if (caller === undefined || !caller.up || attempt?.callees.includes(ringing.uuid) !== true) {
    context.hangup(leg, 'NORMAL_TEMPORARY_FAILURE', { status: 481 });
    return;
  }
  if (!answer(context, leg, caller.record.media?.endpoint?.format?.name ?? null)) return;
  caller.record.bridgeAttempt = null;
  context.emit({ kind: 'timer', leg: caller.uuid, name: 'originate', delayMilliseconds: null });
  for (const uuid of attempt.callees) {
    const callee = context.legs.get(uuid);
    if (callee !== undefined) context.hangup(callee, 'PICKED_OFF');
  }
  if (!answer(context, caller, leg.record.media?.endpoint?.format?.name ?? null)) {
    context.hangup(leg, 'NORMAL_CLEARING');
    return;
  }
  if (!codecsFit(caller, leg)) {
    context.hangup(leg, 'INCOMPATIBLE_DESTINATION');
    context.hangup(caller, 'INCOMPATIBLE_DESTINATION');
    return;
  }
  bind(context, caller, leg);
  transferOutcome(context, caller, 200);
}
