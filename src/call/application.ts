import { causeName, UndropError } from '../base/index.ts';
import { expandVariables, hunt } from '../dialplan/index.ts';
import type { PlaySource } from '../media/protocol.ts';
import { startBridge } from './bridge.ts';
import { causeFromSip } from './cause.ts';
import { joinConference } from './conference.ts';
import type { CallContext } from './context.ts';
import { answer, preAnswer, ringReady } from './inbound.ts';
import type { Leg } from './leg.ts';
import { localTimeOf } from './local-time.ts';
import { setMode } from './media-control.ts';

/** What an application did: it is over, or it waits for something (`applicationDone` comes later), or the leg is going. */
type Outcome = 'done' | 'waiting' | 'gone';

interface Application {
  readonly run: (context: CallContext, leg: Leg, data: string) => Outcome;
  /** May run while the dialplan is still being hunted (`inline="true"`). */
  readonly inline?: boolean;
}

/** Applications that one leg may run, so that a dialplan that transfers to itself ends. */
const MAXIMUM_APPLICATIONS = 2000;

function assignment(data: string): readonly [string, string] | null {
  const index = data.indexOf('=');
  return index <= 0 ? null : [data.slice(0, index).trim(), data.slice(index + 1).trim()];
}

function setVariable(leg: Leg, name: string, value: string): void {
  if (value === '') delete leg.record.variables[name];
  else leg.record.variables[name] = value;
  leg.dirty = true;
}

/** Early media or an answered leg: something to play to. */
function ensureMedia(context: CallContext, leg: Leg): boolean {
  return leg.answered || leg.record.phase === 'early' || preAnswer(context, leg);
}

/** `tone_stream://…` with its `loops=`, or a WAV file. */
export function playSource(context: CallContext, data: string): { readonly source: PlaySource; readonly loops: number } {
  const tone = /^tone_stream:\/\/(.*)$/s.exec(data);
  if (tone !== null) {
    const script = tone[1] ?? '';
    const loops = /(?:^|;)loops=(-?\d+)/.exec(script);
    return { source: { kind: 'tone', script: script.replace(/;?loops=-?\d+/, '') }, loops: loops === null ? 1 : Number(loops[1]) };
  }
  const path = data.replace(/^file:\/\//, '');
  const absolute = path.startsWith('/') ? path : `${context.config().variables.get('sounds_dir') ?? ''}/${path}`;
  return { source: { kind: 'file', path: absolute }, loops: 1 };
}

/** Starts a playback `position` milliseconds into it: 0, or where a crash found it. */
export function startPlayback(context: CallContext, leg: Leg, data: string, position: number): void {
  const { source, loops } = playSource(context, data);
  const playId = `${leg.uuid.slice(0, 8)}-${leg.record.applicationLog.length}`;
  setMode(context, leg, { kind: 'play', playId, source, loops, position });
}

const APPLICATIONS: Readonly<Record<string, Application>> = {
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
      if (execution !== null) execution.deadline = context.wallMicroseconds() + milliseconds * 1000;
      context.emit({ kind: 'timer', leg: leg.uuid, name: 'application', delayMilliseconds: milliseconds });
      return 'waiting';
    },
  },
  park: {
    run: (context, leg) => {
      setMode(context, leg, { kind: 'idle' });
      context.event('CHANNEL_PARK', leg);
      return 'waiting';
    },
  },
  playback: {
    run: (context, leg, data) => {
      if (!ensureMedia(context, leg)) return 'gone';
      startPlayback(context, leg, data, 0);
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

function callerField(leg: Leg, name: string): string | null {
  const { caller } = leg.record;
  switch (name) {
    case 'destination_number':
      return caller.destinationNumber;
    case 'caller_id_name':
      return caller.callerIdName;
    case 'caller_id_number':
      return caller.callerIdNumber;
    case 'username':
      return caller.username;
    case 'dialplan':
      return caller.dialplan;
    case 'network_addr':
      return caller.networkAddr;
    case 'ani':
      return caller.ani;
    case 'rdnis':
      return caller.rdnis;
    case 'context':
      return caller.context;
    case 'chan_name':
    case 'channel_name':
      return leg.record.channelName;
    case 'uuid':
      return leg.uuid;
    case 'source':
      return 'mod_sofia';
    default:
      return null;
  }
}

/** A channel variable, a caller profile field or a global variable, as `${name}` finds them. */
function lookup(context: CallContext, leg: Leg): (name: string) => string | null {
  return (name) => leg.record.variables[name] ?? callerField(leg, name) ?? context.config().variables.get(name) ?? null;
}

/** `${function(arguments)}` in the dialplan. */
function callFunction(context: CallContext): (name: string, argumentText: string) => string | null {
  return (name, argumentText) => {
    if (name !== 'sofia_contact') return null;
    const match = /^(?:[^/]*\/)?([^@]+)@(.+)$/.exec(argumentText.trim());
    const contacts = match === null ? [] : context.contactsFor(match[1] ?? '', match[2] ?? '');
    return contacts.length === 0
      ? 'error/user_not_registered'
      : contacts.map((contact) => `sofia/${contact.profile}/${contact.uri.replace(/^sips?:/, '')}`).join(',');
  };
}

/** Hunts the dialplan for a destination and starts running what it finds. */
export function route(context: CallContext, leg: Leg, destination: string, contextName: string): void {
  leg.record.caller.destinationNumber = destination;
  leg.record.caller.context = contextName;
  leg.dirty = true;
  const dialplan = context.config().dialplan.get(contextName);
  if (dialplan === undefined) {
    context.logger.log('warning', `there is no dialplan context ${contextName}`, { uuid: leg.uuid });
    if (!context.transferOutcome(leg, 404)) context.hangup(leg, 'NO_ROUTE_DESTINATION');
    return;
  }
  const find = lookup(context, leg);
  const found = hunt(dialplan, {
    field: (name) => {
      const variable = /^\$\{/.test(name) ? expandVariables(name, find, callFunction(context)) : null;
      return variable ?? callerField(leg, name) ?? leg.record.variables[name] ?? '';
    },
    runInline: (application, data) => {
      const entry = APPLICATIONS[application];
      if (entry?.inline === true) entry.run(context, leg, expandVariables(data, find, callFunction(context)));
      else context.logger.log('warning', `application ${application} cannot run inline`, { uuid: leg.uuid });
    },
    localTime: () => localTimeOf(context.wallMicroseconds()),
  });
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
    expanded = expandVariables(data, lookup(context, leg), callFunction(context));
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

/** The application that a leg waits in, or null. */
export function runningApplication(leg: Leg): { readonly application: string; readonly data: string } | null {
  const execution = leg.record.execution;
  if (execution === null || !execution.running) return null;
  const logged = leg.record.applicationLog.at(-1);
  const entry = execution.applications[execution.index];
  return entry === undefined
    ? null
    : { application: entry.application, data: logged?.application === entry.application ? logged.data : entry.data };
}
