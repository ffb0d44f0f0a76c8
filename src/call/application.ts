import { assert, causeName, UndropError } from '../base/index.ts';
import { type DialplanContext, KNOWN_APPLICATIONS } from '../config/index.ts';
import { type HuntResult, hunt } from '../dialplan/index.ts';
import { type Application, assignment, type Outcome, setVariable } from './application-type.ts';
import { resumeAttempt, startBridge } from './bridge.ts';
import { causeFromSip } from './cause.ts';
import { joinConference } from './conference.ts';
import type { CallContext } from './context.ts';
import { callerField, expandText } from './dialplan-function.ts';
import { DIGIT_APPLICATIONS } from './digit-application.ts';
import { FLOW_APPLICATIONS } from './flow-application.ts';
import { answer, preAnswer, ringReady } from './inbound.ts';
import type { Leg } from './leg.ts';
import { localTimeOf } from './local-time.ts';
import { setMode } from './media-control.ts';
import { PLAY_APPLICATIONS } from './play-application.ts';
import { SHARED_APPLICATIONS } from './shared-application.ts';
import { VARIABLE_APPLICATIONS } from './variable-application.ts';

/** Applications that one leg may run, so that a dialplan that transfers to itself ends. */
const MAXIMUM_APPLICATIONS = 2000;

const APPLICATIONS: Readonly<Record<string, Application>> = {
  ...VARIABLE_APPLICATIONS,
  ...SHARED_APPLICATIONS,
  ...PLAY_APPLICATIONS,
  ...DIGIT_APPLICATIONS,
  ...FLOW_APPLICATIONS,
  answer: { run: (context, leg) => (answer(context, leg) ? 'done' : 'gone') },
  pre_answer: { run: (context, leg) => (preAnswer(context, leg) ? 'done' : 'gone') },
  ring_ready: {
    run: (context, leg) => {
      ringReady(context, leg);
      return 'done';
    },
  },
  echo: {
    run: (context, leg) => {
      if (!answer(context, leg)) return 'gone';
      setMode(context, leg, { kind: 'echo' });
      return 'waiting';
    },
  },
  bridge: {
    run: (context, leg, data) => {
      startBridge(context, leg, data);
      return 'waiting';
    },
    resume: (context, leg, data) => resumeAttempt(context, leg, data),
  },
  conference: {
    run: (context, leg, data) => {
      if (!answer(context, leg)) return 'gone';
      joinConference(context, leg, data);
      return 'waiting';
    },
  },
  hangup: {
    run: (context, leg, data) => {
      context.hangup(leg, causeName(data));
      return 'gone';
    },
  },
  respond: {
    run: (context, leg, data) => {
      const match = /^(\d{3})(?:\s+(.*))?$/.exec(data.trim());
      const status = Number(match?.[1] ?? 0);
      if (status < 300 || status > 699) {
        context.logger.log('error', `respond wants a SIP status from 300 to 699 and a reason, got "${data}"`, { uuid: leg.uuid });
        return 'done';
      }
      context.hangup(leg, causeFromSip(status), { status, ...(match?.[2] === undefined ? {} : { reason: match[2] }) });
      return 'gone';
    },
  },
  sleep: {
    run: (context, leg, data) => {
      const milliseconds = Math.round(Math.min(Math.max(Number(data) || 0, 0), 86_400_000));
      const execution = leg.record.execution;
      if (execution !== null) execution.deadline = context.wallMicroseconds() + Math.round(milliseconds * 1000);
      context.emit({ kind: 'timer', leg: leg.uuid, name: 'application', delayMilliseconds: milliseconds });
      return 'waiting';
    },
    resume: (context, leg) => {
      const left = (leg.record.execution?.deadline ?? 0) - context.wallMicroseconds();
      context.emit({ kind: 'timer', leg: leg.uuid, name: 'application', delayMilliseconds: Math.max(0, left / 1000) });
    },
  },
  park: {
    run: (context, leg) => {
      setMode(context, leg, { kind: 'idle' });
      context.event('CHANNEL_PARK', leg);
      return 'waiting';
    },
  },
  set: {
    inline: true,
    run: (_context, leg, data) => {
      const pair = assignment(data);
      if (pair !== null) setVariable(leg, pair[0], pair[1]);
      return 'done';
    },
  },
  multiset: {
    inline: true,
    run: (_context, leg, data) => {
      const separated = /^\^\^(.)/.exec(data);
      const parts = separated === null ? data.split(' ') : data.slice(3).split(separated[1] ?? ' ');
      for (const part of parts) {
        const pair = assignment(part);
        if (pair !== null) setVariable(leg, pair[0], pair[1]);
      }
      return 'done';
    },
  },
  export: {
    inline: true,
    run: (_context, leg, data) => {
      const pair = assignment(data);
      if (pair === null) return 'done';
      const name = pair[0].replace(/^nolocal:/, '');
      setVariable(leg, name, pair[1]);
      const names = new Set((leg.record.variables['export_vars'] ?? '').split(',').filter((entry) => entry !== ''));
      setVariable(leg, 'export_vars', [...names.add(name)].join(','));
      return 'done';
    },
  },
  unset: {
    inline: true,
    run: (_context, leg, data) => {
      setVariable(leg, data.trim(), '');
      return 'done';
    },
  },
  log: {
    inline: true,
    run: (context, leg, data) => {
      context.logger.log('info', data, { uuid: leg.uuid });
      return 'done';
    },
  },
  info: {
    inline: true,
    run: (context, leg) => {
      for (const [name, value] of Object.entries(leg.record.variables))
        context.logger.log('info', `variable_${name}: ${value}`, { uuid: leg.uuid });
      return 'done';
    },
  },
  execute_extension: {
    run: (context, leg, data) => {
      executeExtension(context, leg, data);
      return 'done';
    },
  },
  transfer: {
    run: (context, leg, data) => {
      const [destination = '', , dialplanContext] = data.trim().split(/\s+/);
      leg.record.caller.rdnis = leg.record.caller.destinationNumber;
      leg.record.times.transfer = context.wallMicroseconds();
      route(context, leg, destination, dialplanContext ?? leg.record.caller.context);
      return 'gone';
    },
  },
};

for (const name of Object.keys(APPLICATIONS)) assert(KNOWN_APPLICATIONS.has(name), `the loader knows the application ${name}`);

/** The dialplan context of a name, or FreeSWITCH's fallback `global`. */
function dialplanNamed(context: CallContext, name: string): DialplanContext | null {
  const { dialplan } = context.config();
  return dialplan.get(name) ?? dialplan.get('global') ?? null;
}

/** What the dialplan says for a destination; inline actions have run. */
function huntFor(context: CallContext, leg: Leg, dialplan: DialplanContext, destination: string): HuntResult {
  const more = new Map([['destination_number', destination]]);
  return hunt(dialplan, {
    field: (name) => more.get(name) ?? callerField(leg, name) ?? leg.record.variables[name] ?? '',
    expand: (text) => expandText(context, leg, text, more),
    runInline: (application, data) => {
      const entry = APPLICATIONS[application];
      if (entry?.inline === true) entry.run(context, leg, expandText(context, leg, data, more));
      else context.logger.log('warning', `application ${application} cannot run inline`, { uuid: leg.uuid });
    },
    localTime: (zone) => localTimeOf(context.wallMicroseconds(), zone),
    captured: (name, values) => {
      leg.record.variables[name] = `ARRAY::${values.join('|:')}`;
    },
  });
}

/** `extension [dialplan [context]]`: its actions run now, then the leg goes on after this application. */
function executeExtension(context: CallContext, leg: Leg, data: string): void {
  const [destination = '', , contextName = leg.record.caller.context] = data.trim().split(/\s+/);
  const { execution } = leg.record;
  const dialplan = dialplanNamed(context, contextName);
  if (execution === null || dialplan === null) {
    context.logger.log('warning', `execute_extension: there is no dialplan context ${contextName}`, { uuid: leg.uuid });
    return;
  }
  const { actions } = huntFor(context, leg, dialplan, destination);
  if (actions.length === 0) {
    context.logger.log('notice', `execute_extension: no extension in context ${contextName} takes ${destination}`, { uuid: leg.uuid });
    return;
  }
  const rest = execution.applications.slice(execution.index);
  if (rest.length + actions.length > MAXIMUM_APPLICATIONS) {
    context.logger.log('error', `execute_extension: more than ${MAXIMUM_APPLICATIONS} applications would wait`, { uuid: leg.uuid });
    return;
  }
  // What ran before is in the log of applications; here it would only grow the row.
  const [running, ...after] = rest;
  execution.applications = [...(running === undefined ? [] : [running]), ...actions.map((action) => ({ ...action })), ...after];
  execution.index = 0;
  leg.dirty = true;
}

/** Hunts the dialplan for a destination and starts running what it finds. */
export function route(context: CallContext, leg: Leg, destination: string, contextName: string): void {
  leg.record.caller.destinationNumber = destination;
  leg.record.caller.context = contextName;
  leg.dirty = true;
  const dialplan = dialplanNamed(context, contextName);
  if (dialplan === null) {
    context.logger.log('warning', `there is no dialplan context ${contextName}`, { uuid: leg.uuid });
    if (!context.transferOutcome(leg, 404)) context.hangup(leg, 'NO_ROUTE_DESTINATION');
    return;
  }
  const found = huntFor(context, leg, dialplan, destination);
  // An inline application may have ended the leg.
  if (!leg.up) return;
  if (found.actions.length === 0) {
    context.logger.log('notice', `no extension in context ${contextName} takes ${destination}`, { uuid: leg.uuid });
    if (!context.transferOutcome(leg, 404)) context.hangup(leg, 'NO_ROUTE_DESTINATION');
    return;
  }
  leg.record.execution = {
    extensionName: found.extension ?? '',
    extensionNumber: destination,
    applications: found.actions.map(({ application, data }) => ({ application, data })),
    index: 0,
    running: false,
    startedAt: 0,
    deadline: 0,
  };
  context.advance(leg);
}

/** Runs applications until one waits; at the end of the list the leg is hung up, as FreeSWITCH does. */
export function advance(context: CallContext, leg: Leg): void {
  for (;;) {
    const execution = leg.record.execution;
    if (!leg.up || execution === null || execution.running) return;
    const next = execution.applications[execution.index];
    if (next === undefined) {
      // A parked or originated leg without a list stays up; one that ran its list is done.
      if (execution.applications.length > 0) context.hangup(leg, 'NORMAL_CLEARING');
      return;
    }
    if (leg.record.applicationLog.length >= MAXIMUM_APPLICATIONS) {
      context.logger.log('error', `more than ${MAXIMUM_APPLICATIONS} applications on one leg: the dialplan runs in a circle`, {
        uuid: leg.uuid,
      });
      context.hangup(leg, 'EXCHANGE_ROUTING_ERROR');
      return;
    }
    if (runOne(context, leg, next.application, next.data) !== 'done') return;
    if (leg.record.execution === execution && execution.running) finishOne(context, leg);
  }
}

function runOne(context: CallContext, leg: Leg, name: string, data: string): Outcome {
  const execution = leg.record.execution;
  if (execution === null) return 'gone';
  let expanded = data;
  try {
    expanded = expandText(context, leg, data);
  } catch (error) {
    if (!(error instanceof UndropError)) throw error;
    context.logger.log('error', `${name}: ${error.describe()}`, { uuid: leg.uuid });
  }
  const now = context.wallMicroseconds();
  execution.running = true;
  execution.startedAt = now;
  execution.deadline = 0;
  leg.record.applicationLog.push({ application: name, data: expanded, at: now });
  leg.record.variables['current_application'] = name;
  leg.record.variables['current_application_data'] = expanded;
  leg.dirty = true;
  context.event('CHANNEL_EXECUTE', leg, [
    ['Application', name],
    ['Application-Data', expanded],
  ]);
  const application = APPLICATIONS[name];
  if (application === undefined) {
    context.logger.log('error', `Invalid Application ${name}`, { uuid: leg.uuid });
    context.hangup(leg, 'DESTINATION_OUT_OF_ORDER');
    return 'gone';
  }
  return application.run(context, leg, expanded);
}

function finishOne(context: CallContext, leg: Leg): void {
  const execution = leg.record.execution;
  if (execution === null) return;
  const running = execution.applications[execution.index];
  execution.running = false;
  execution.index += 1;
  execution.deadline = 0;
  leg.dirty = true;
  if (running !== undefined) {
    context.event('CHANNEL_EXECUTE_COMPLETE', leg, [
      ['Application', running.application],
      ['Application-Data', running.data],
    ]);
  }
}

/** The waiting application is over; the leg goes on with the next. */
export function applicationDone(context: CallContext, leg: Leg): void {
  if (!leg.up || leg.record.execution?.running !== true) return;
  finishOne(context, leg);
  advance(context, leg);
}

/** The timer of the waiting application is over. */
export function applicationTimer(context: CallContext, leg: Leg): void {
  const running = runningApplication(leg);
  if (running === null || !leg.up) return;
  const { timer } = APPLICATIONS[running.application] ?? {};
  if (timer === undefined) applicationDone(context, leg);
  else timer(context, leg, running.data);
}

/** The playback of the waiting application is over; that of another one says nothing. */
export function applicationPlayed(context: CallContext, leg: Leg): void {
  const running = runningApplication(leg);
  if (running === null || !leg.up) return;
  const application = APPLICATIONS[running.application];
  const isPlayer = Object.hasOwn(PLAY_APPLICATIONS, running.application);
  if (application?.played === undefined && !isPlayer) return;
  setMode(context, leg, { kind: 'idle' });
  if (application?.played === undefined) applicationDone(context, leg);
  else application.played(context, leg, running.data);
}

/** The peer sent a digit. */
export function applicationDigit(context: CallContext, leg: Leg, digit: string): void {
  const running = runningApplication(leg);
  if (running !== null && leg.up) APPLICATIONS[running.application]?.digit?.(context, leg, running.data, digit);
}

/** After a crash: the waiting application goes on. */
export function resumeApplication(context: CallContext, leg: Leg): void {
  const running = runningApplication(leg);
  if (running === null) context.advance(leg);
  else APPLICATIONS[running.application]?.resume?.(context, leg, running.data);
}

/** The application that a leg waits in, or null. */
function runningApplication(leg: Leg): { readonly application: string; readonly data: string } | null {
  const execution = leg.record.execution;
  if (execution === null || !execution.running) return null;
  const logged = leg.record.applicationLog.at(-1);
  const entry = execution.applications[execution.index];
  return entry === undefined
    ? null
    : { application: entry.application, data: logged?.application === entry.application ? logged.data : entry.data };
}
