import { type ApplicationTable, assignment, setVariable } from './application-type.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

/** Elements of one pushed variable. */
const MAXIMUM_ELEMENTS = 1000;

/** `set_user user@domain`: the leg becomes that directory user's, with its variables. */
function setUser(context: CallContext, leg: Leg, data: string): void {
  const [address = ''] = data.trim().split(/\s+/);
  const [id = '', domain = ''] = address.split('@');
  const user = context.config().directory.get(domain)?.users.get(id);
  if (user === undefined) {
    context.logger.log('error', `set_user: there is no user ${address}`, { uuid: leg.uuid });
    return;
  }
  for (const [name, value] of user.variables) setVariable(leg, name, value);
  setVariable(leg, 'user_name', user.id);
  setVariable(leg, 'domain_name', user.domain);
}

function push(leg: Leg, data: string): void {
  const pair = assignment(data);
  if (pair === null) return;
  const [name, value] = pair;
  const present = leg.record.variables[name];
  const elements = present === undefined ? [] : present.startsWith('ARRAY::') ? present.slice('ARRAY::'.length).split('|:') : [present];
  if (elements.length >= MAXIMUM_ELEMENTS) return;
  elements.push(value);
  setVariable(leg, name, elements.length === 1 ? value : `ARRAY::${elements.join('|:')}`);
}

function profileVariable(leg: Leg, data: string): void {
  const [name, value] = assignment(data) ?? ['', ''];
  const { caller } = leg.record;
  if (name === 'caller_id_name') caller.callerIdName = value;
  else if (name === 'caller_id_number') caller.callerIdNumber = value;
  else if (name === 'ani') caller.ani = value;
  else if (name === 'rdnis') caller.rdnis = value;
  else if (name === 'username') caller.username = value;
  else if (name === 'callee_id_name') caller.calleeIdName = value;
  else if (name === 'callee_id_number') caller.calleeIdNumber = value;
  leg.dirty = true;
}

/** An application that changes the leg's data and is over at once. */
function change(work: (context: CallContext, leg: Leg, data: string) => void): ApplicationTable[string] {
  return {
    inline: true,
    run: (context, leg, data) => {
      work(context, leg, data);
      return 'done';
    },
  };
}

/** Accepted, because dialplans use it, and without effect: what it would change does not exist here. */
function withoutEffect(reason: string): ApplicationTable[string] {
  return change((context, leg) => context.logger.log('debug', reason, { uuid: leg.uuid }));
}

/** Applications that set variables and the caller profile, and those that have no effect. */
export const VARIABLE_APPLICATIONS: ApplicationTable = {
  eval: change(() => undefined),
  push: change((_context, leg, data) => push(leg, data)),
  set_user: change(setUser),
  set_profile_var: change((_context, leg, data) => profileVariable(leg, data)),
  set_name: change((_context, leg, data) => {
    leg.record.channelName = data.trim() === '' ? leg.record.channelName : data.trim();
    leg.dirty = true;
  }),
  privacy: change((_context, leg, data) => setVariable(leg, 'privacy', data.trim())),
  verbose_events: withoutEffect('verbose_events: every event has all variables already'),
  presence: withoutEffect('presence: this switch keeps no presence'),
  acknowledge_call: withoutEffect('acknowledge_call: 100 Trying is sent at once'),
  flush_dtmf: withoutEffect('flush_dtmf: digits are not kept for later'),
  bind_meta_app: withoutEffect('bind_meta_app: keys during a call have no effect yet'),
  unbind_meta_app: withoutEffect('unbind_meta_app: keys during a call have no effect yet'),
};
