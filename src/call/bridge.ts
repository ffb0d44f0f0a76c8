import { causeName, UndropError } from '../base/index.ts';
import { type DialLeg, literalText, parseDialString } from '../dialplan/index.ts';
import { sipFromCause } from './cause.ts';
import type { CallContext } from './context.ts';
import { resolveEndpoint } from './dial.ts';
import { groupCall } from './dialplan-function.ts';
import { answer, preAnswer, ringReady } from './inbound.ts';
import type { Leg } from './leg.ts';
import { relay, setMode } from './media-control.ts';
import { alignCodecs } from './offer.ts';

/** Seconds that an attempt may ring (`originate_timeout` of the dial string or the leg, `call_timeout`, `leg_timeout`; FreeSWITCH's default 60). */
function ringSeconds(leg: Leg, ofDialString: ReadonlyMap<string, string>): number {
  const { variables } = leg.record;
  for (const text of [
    ofDialString.get('originate_timeout'),
    variables['call_timeout'],
    variables['originate_timeout'],
    variables['leg_timeout'],
  ]) {
    const value = Number(text);
    if (Number.isFinite(value) && value > 0) return value;
  }
  return 60;
}

/** The bridge application: rings the legs of the dial string's first attempt. */
export function startBridge(context: CallContext, leg: Leg, dialString: string): void {
  // A group is its members from the beginning, so that its order counts as `|` does.
  const expanded = dialString.replace(/(^|[,|}\]])(\s*)group\/([^,|[\]{}]+)/g, (_text, before: string, blank: string, group: string) => {
    return `${before}${blank}${groupCall(context, group)}`;
  });
  leg.record.bridgeAttempt = { callees: [], dialString: expanded, groupIndex: -1, deadline: 0 };
  leg.dirty = true;
  nextAttempt(context, leg, 'NO_ROUTE_DESTINATION');
}

/** Rings the next attempt (`|`), or gives up with the last attempt's cause. */
function nextAttempt(context: CallContext, leg: Leg, lastCause: string): void {
  const attempt = leg.record.bridgeAttempt;
  if (attempt === null) return;
  let cause = lastCause;
  try {
    const plan = parseDialString(attempt.dialString);
    for (attempt.groupIndex += 1; attempt.groupIndex < plan.attempts.length; attempt.groupIndex += 1) {
      const seconds = ringSeconds(leg, plan.globalVariables);
      attempt.deadline = context.wallMicroseconds() + Math.round(seconds * 1_000_000);
      attempt.callees = [];
      const legs = plan.attempts[attempt.groupIndex] ?? [];
      if (loopBack(context, leg, legs)) return;
      for (const dialLeg of legs) {
        const failure = ring(context, leg, dialLeg, plan.globalVariables);
        if (failure !== null) cause = failure;
      }
      if (attempt.callees.length > 0) {
        context.emit({ kind: 'timer', leg: leg.uuid, name: 'originate', delayMilliseconds: seconds * 1000 });
        leg.dirty = true;
        return;
      }
    }
  } catch (error) {
    if (!(error instanceof UndropError)) throw error;
    context.logger.log('error', `bridge: ${error.describe()}`, { uuid: leg.uuid });
    cause = 'INVALID_NUMBER_FORMAT';
  }
  failed(context, leg, cause);
}

/** Calls whom a leg of the dial string names. The cause when that is nobody, else null. */
function ring(context: CallContext, leg: Leg, dialLeg: DialLeg, globalVariables: ReadonlyMap<string, string>): string | null {
  const resolved = resolveEndpoint(context, dialLeg.endpoint, context.config().variables.get('domain') ?? '');
  if (resolved.kind === 'failed') {
    context.logger.log('notice', `bridge to ${dialLeg.text} fails: ${resolved.reason}`, { uuid: leg.uuid });
    return causeName(resolved.cause);
  }
  const own = leg.record.variables;
  for (const target of resolved.targets) {
    const variables = new Map([...exportedVariables(leg), ...globalVariables, ...(target.variables ?? []), ...dialLeg.variables]);
    if (variables.has('leg_delay_start')) {
      context.logger.log('warning', 'leg_delay_start has no effect here: the leg rings at once', { uuid: leg.uuid });
    }
    const callee = context.createOutboundLeg({
      profile: target.profile,
      target: target.uri,
      destination: target.destination,
      gateway: target.gateway,
      destinationNumber: resolved.number,
      originator: leg,
      variables,
      callerIdName: variables.get('origination_caller_id_name') ?? own['effective_caller_id_name'] ?? leg.record.caller.callerIdName,
      callerIdNumber:
        variables.get('origination_caller_id_number') ?? own['effective_caller_id_number'] ?? leg.record.caller.callerIdNumber,
      applications: [],
      context: leg.record.caller.context,
    });
    if (!callee.up) continue;
    leg.record.bridgeAttempt?.callees.push(callee.uuid);
    const seconds = Number(variables.get('leg_timeout'));
    if (seconds > 0) context.schedule(callee, { seconds, cause: 'NO_ANSWER', whileUnanswered: true });
  }
  return null;
}

/**
 * `loopback/extension[/context]` alone: there is no leg of its own for it, the calling leg goes to the extension itself.
 * `loopback/app=NAME:DATA` runs that application. Beside other legs it is refused (dial.ts).
 */
function loopBack(context: CallContext, leg: Leg, legs: readonly DialLeg[]): boolean {
  const endpoint = legs.length === 1 ? legs[0]?.endpoint : undefined;
  if (endpoint?.kind !== 'loopback') return false;
  leg.record.bridgeAttempt = null;
  leg.dirty = true;
  const application = /^app=([^:]+)(?::(.*))?$/s.exec(legs[0]?.text.slice('loopback/'.length) ?? '');
  const { execution } = leg.record;
  if (application === null || execution === null) {
    context.logger.log('notice', `loopback: the leg itself goes to ${endpoint.destination}`, { uuid: leg.uuid });
    context.transfer(leg, endpoint.destination, endpoint.context ?? leg.record.caller.context);
    return true;
  }
  const added = { application: application[1] ?? '', data: literalData(application[2] ?? '') };
  execution.applications = [
    ...execution.applications.slice(execution.index, execution.index + 1),
    added,
    ...execution.applications.slice(execution.index + 1),
  ];
  execution.index = 0;
  context.applicationDone(leg);
  return true;
}

/** The dial string's variables are replaced already: the application must not replace any again. */
function literalData(data: string): string {
  return data.includes('${') ? literalText(data) : data;
}

function exportedVariables(leg: Leg): Map<string, string> {
  const names = (leg.record.variables['export_vars'] ?? '').split(',').filter((name) => name !== '');
  return new Map(names.map((name) => [name.replace(/^nolocal:/, ''), leg.record.variables[name] ?? '']));
}

/** No attempt is left (FreeSWITCH: `continue_on_fail`, `failure_causes`). */
function failed(context: CallContext, leg: Leg, cause: string): void {
  leg.record.bridgeAttempt = null;
  leg.record.variables['originate_disposition'] = cause;
  leg.dirty = true;
  const goOn = (leg.record.variables['continue_on_fail'] ?? '').toUpperCase();
  const continues = /^(TRUE|YES|ON|1)$/.test(goOn) || goOn.split(',').includes(cause);
  if (continues) context.applicationDone(leg);
  else if (!context.transferOutcome(leg, sipFromCause(cause))) context.hangup(leg, cause);
}

/** After a crash: an attempt goes on with the callees that are left, one without a beginning begins. */
export function resumeAttempt(context: CallContext, leg: Leg, dialString: string): void {
  if (leg.record.partner !== null) return;
  const attempt = leg.record.bridgeAttempt;
  if (attempt === null) {
    if (leg.record.times.bridged > 0) context.applicationDone(leg);
    else startBridge(context, leg, dialString);
    return;
  }
  attempt.callees = attempt.callees.filter((uuid) => context.legs.get(uuid)?.up === true);
  leg.dirty = true;
  if (attempt.callees.length === 0) {
    nextAttempt(context, leg, 'NORMAL_TEMPORARY_FAILURE');
    return;
  }
  const left = Math.max(0, (attempt.deadline - context.wallMicroseconds()) / 1000);
  context.emit({ kind: 'timer', leg: leg.uuid, name: 'originate', delayMilliseconds: left });
  // The answer may have come in while nobody was there to pass it on.
  for (const uuid of attempt.callees) {
    const callee = context.legs.get(uuid);
    if (callee?.answered === true) calleeAnswered(context, callee);
  }
}

/** The attempt rang too long. */
export function attemptTimeout(context: CallContext, leg: Leg): void {
  const attempt = leg.record.bridgeAttempt;
  if (attempt === null) return;
  const callees = attempt.callees;
  attempt.callees = [];
  for (const uuid of callees) {
    const callee = context.legs.get(uuid);
    if (callee !== undefined) context.hangup(callee, 'NO_ANSWER');
  }
  nextAttempt(context, leg, 'NO_ANSWER');
}

/** A callee rings or gives early media: the caller hears it. */
export function calleeProgress(context: CallContext, callee: Leg, earlyMedia: boolean): void {
  const caller = callerOf(context, callee);
  if (caller === null) return;
  if (!earlyMedia || /^(true|yes|on|1)$/i.test(callee.record.variables['ignore_early_media'] ?? '')) {
    ringReady(context, caller);
    return;
  }
  const codec = callee.record.media?.endpoint?.format?.name ?? null;
  if (preAnswer(context, caller, codec)) relay(context, caller, callee);
}

/** A callee answered: the others are cancelled, the caller is answered, the two are one call. */
export function calleeAnswered(context: CallContext, callee: Leg): void {
  const caller = callerOf(context, callee);
  if (caller === null) {
    if (callee.record.originator === null) context.advance(callee);
    else context.hangup(callee, 'ORIGINATOR_CANCEL');
    return;
  }
  const attempt = caller.record.bridgeAttempt;
  caller.record.bridgeAttempt = null;
  context.emit({ kind: 'timer', leg: caller.uuid, name: 'originate', delayMilliseconds: null });
  for (const uuid of attempt?.callees ?? []) {
    const other = context.legs.get(uuid);
    if (uuid !== callee.uuid && other !== undefined) context.hangup(other, 'LOSE_RACE');
  }
  const codec = callee.record.media?.endpoint?.format ?? null;
  if (!answer(context, caller, codec?.name ?? null)) return;
  if (!alignCodecs(context, caller, callee)) {
    const callerFormat = caller.record.media?.endpoint?.format ?? null;
    context.logger.log('warning', `no way between ${callerFormat?.name} and ${codec?.name}`, { uuid: caller.uuid });
    context.hangup(callee, 'INCOMPATIBLE_DESTINATION');
    context.hangup(caller, 'INCOMPATIBLE_DESTINATION');
    return;
  }
  bind(context, caller, callee);
  context.transferOutcome(caller, 200);
}

/** Makes two answered legs partners. */
export function bind(context: CallContext, caller: Leg, callee: Leg): void {
  const now = context.wallMicroseconds();
  for (const [leg, other] of [
    [caller, callee],
    [callee, caller],
  ] as const) {
    leg.record.partner = other.uuid;
    leg.record.times.bridged = now;
    leg.record.variables['bridge_uuid'] = other.uuid;
    leg.record.variables['signal_bond'] = other.uuid;
    leg.record.variables['bridge_channel'] = other.record.channelName;
    leg.record.variables['bridge_to'] = other.uuid;
    leg.record.variables['last_bridge_to'] = other.uuid;
    leg.record.variables['call_uuid'] = caller.uuid;
    leg.dirty = true;
  }
  caller.record.caller.calleeIdName = callee.record.caller.calleeIdName;
  caller.record.caller.calleeIdNumber = callee.record.caller.calleeIdNumber;
  caller.record.variables['originate_disposition'] = 'SUCCESS';
  relay(context, caller, callee);
  context.event('CHANNEL_BRIDGE', caller, [
    ['Bridge-A-Unique-ID', caller.uuid],
    ['Bridge-B-Unique-ID', callee.uuid],
    ['Other-Leg-Unique-ID', callee.uuid],
  ]);
}

/** A callee refused, timed out or was cancelled. */
export function calleeFailed(context: CallContext, callee: Leg): void {
  const caller = callerOf(context, callee);
  const attempt = caller?.record.bridgeAttempt ?? null;
  if (caller === null || attempt === null || !caller.up) return;
  if (!attempt.callees.includes(callee.uuid)) return;
  attempt.callees = attempt.callees.filter((uuid) => uuid !== callee.uuid);
  caller.dirty = true;
  if (attempt.callees.length === 0) nextAttempt(context, caller, callee.record.hangupCause ?? 'NORMAL_CLEARING');
}

/** The leg that rings this one, while it does. */
function callerOf(context: CallContext, callee: Leg): Leg | null {
  const uuid = callee.record.originator?.uuid;
  const caller = uuid === undefined ? undefined : context.legs.get(uuid);
  return caller?.up === true && caller.record.bridgeAttempt !== null ? caller : null;
}

/** A bridged leg goes: its partner hangs up too, or, if it is the one that runs the dialplan, goes on there. */
export function unbridge(context: CallContext, leg: Leg): void {
  const uuid = leg.record.partner;
  if (uuid === null) return;
  leg.record.partner = null;
  leg.dirty = true;
  const partner = context.legs.get(uuid);
  if (partner !== undefined) partnerGone(context, partner, leg.record.hangupCause ?? 'NORMAL_CLEARING');
}

/** What a leg does whose partner is gone (also one whose partner's row was missing after a crash). */
export function partnerGone(context: CallContext, leg: Leg, cause: string): void {
  const gone = leg.record.partner;
  leg.record.partner = null;
  leg.dirty = true;
  leg.record.variables['last_bridge_hangup_cause'] = cause;
  leg.record.variables['bridge_hangup_cause'] = cause;
  delete leg.record.variables['signal_bond'];
  if (!leg.up) return;
  leg.record.broadcast = null;
  setMode(context, leg, { kind: 'idle' });
  context.partnerLeft(leg);
  context.event('CHANNEL_UNBRIDGE', leg, gone === null ? [] : [['Other-Leg-Unique-ID', gone]]);
  const execution = leg.record.execution;
  const bridging = execution?.running === true && execution.applications[execution.index]?.application === 'bridge';
  const after = leg.record.variables['hangup_after_bridge'] ?? '';
  if (!bridging || /^(true|yes|on|1)$/i.test(after)) context.hangup(leg, cause);
  else context.applicationDone(leg);
}
