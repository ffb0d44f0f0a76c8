import { isIP } from 'node:net';
import { checkAccess, type DirectoryUser } from '../config/index.ts';
import { callPureFunction, expandVariables } from '../dialplan/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { limitUsage } from './limit.ts';
import { localTimeOf } from './local-time.ts';

/** What `${module_exists(…)}` says true to: modules whose work this switch does. */
const MODULES: ReadonlySet<string> = new Set([
  'mod_sofia',
  'mod_dptools',
  'mod_commands',
  'mod_conference',
  'mod_event_socket',
  'mod_dialplan_xml',
  'mod_hash',
  'mod_db',
  'mod_expr',
  'mod_tone_stream',
]);

/** A field of the leg's caller profile (switch_caller_get_field_by_name), or null when there is no such field. */
export function callerField(leg: Leg, name: string): string | null {
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

/**
 * Replaces `${…}`: variables of the leg, its caller profile and global variables, and functions. `more` comes first:
 * what only this text knows. A null leg has no variables.
 */
export function expandText(context: CallContext, leg: Leg | null, text: string, more: ReadonlyMap<string, string> = new Map()): string {
  const lookup = (name: string): string | null => {
    const own = leg === null ? null : (leg.record.variables[name] ?? callerField(leg, name));
    return more.get(name) ?? own ?? context.config().variables.get(name) ?? null;
  };
  return expandVariables(text, lookup, (name, argumentText) => callFunction(context, name, argumentText));
}

/** `${name(arguments)}`: an unknown function is empty. */
function callFunction(context: CallContext, name: string, argumentText: string): string | null {
  const pure = callPureFunction(name, argumentText, () => {
    const wallMicroseconds = context.wallMicroseconds();
    return { wallMicroseconds, localTime: localTimeOf(wallMicroseconds) };
  });
  if (pure !== null) return pure;
  switch (name) {
    case 'hash':
    case 'db':
      return context.shared.command(name, argumentText) ?? '-ERR';
    case 'group':
      return context.shared.group(argumentText) ?? '-ERR';
    case 'limit_usage':
      return usageText(context, argumentText);
    case 'sofia_contact':
      return sofiaContact(context, argumentText);
    case 'verto_contact':
      return 'error/user_not_registered';
    case 'user_data':
      return userData(context, argumentText);
    case 'user_exists': {
      const [, user = '', domain = ''] = argumentText.trim().split(/\s+/);
      return String(findUser(context, user, domain) !== null);
    }
    case 'domain_exists':
      return String(context.config().directory.has(argumentText.trim()));
    case 'group_call':
      return groupCall(context, argumentText);
    case 'in_group': {
      const [address = '', group = ''] = argumentText.trim().split(/\s+/);
      const [user = '', domain] = address.split('@');
      return String(groupMembers(context, group, domain ?? defaultDomain(context))?.includes(user) ?? false);
    }
    case 'acl': {
      const [ip = '', name = ''] = argumentText.trim().split(/\s+/);
      const list = context.config().accessLists?.get(name);
      return String(list !== undefined && checkAccess(list, ip).allowed);
    }
    case 'module_exists':
      return String(MODULES.has(argumentText.trim()));
    case 'global_getvar':
      return context.config().variables.get(argumentText.trim()) ?? '';
    case 'create_uuid':
      return context.uuid();
    case 'uuid_getvar': {
      const [uuid = '', variable = ''] = argumentText.trim().split(/\s+/);
      const leg = context.legs.get(uuid);
      return leg === undefined ? '-ERR No such channel!' : (leg.record.variables[variable] ?? callerField(leg, variable) ?? '_undef_');
    }
    default:
      return null;
  }
}

/** `[backend] realm id`. */
function usageText(context: CallContext, argumentText: string): string {
  const words = argumentText.trim().split(/\s+/);
  const [realm = '', id = ''] = /^(hash|db|hiredis|redis)$/.test(words[0] ?? '') ? words.slice(1) : words;
  return String(limitUsage(context, realm, id));
}

function defaultDomain(context: CallContext): string {
  return context.config().variables.get('domain') ?? '';
}

function findUser(context: CallContext, user: string, domain: string): DirectoryUser | null {
  return context.config().directory.get(domain)?.users.get(user) ?? null;
}

/**
 * `[profile/]user@domain`: dial strings of all contacts. Where packets of the contact come from elsewhere than it says
 * (NAT), `fs_path` names that place, as in FreeSWITCH.
 */
function sofiaContact(context: CallContext, argumentText: string): string {
  const match = /^(?:[^/]*\/)?([^@]+)@(.+)$/.exec(argumentText.trim());
  const contacts = match === null ? [] : context.contactsFor(match[1] ?? '', match[2] ?? '');
  if (contacts.length === 0) return 'error/user_not_registered';
  return contacts
    .map(({ profile, uri, destination }) => {
      const plain = uri.replace(/^sips?:/, '');
      const host = /(?:^|@)(\[[^\]]+\]|[^:;@]+)(?::(\d+))?(?:;|$)/.exec(plain);
      const same =
        destination === null || (host?.[1]?.replace(/^\[|\]$/g, '') === destination.ip && Number(host?.[2] ?? 5060) === destination.port);
      const path =
        destination === null ? '' : `sip:${isIP(destination.ip) === 6 ? `[${destination.ip}]` : destination.ip}:${destination.port}`;
      return `sofia/${profile}/${plain}${same ? '' : `;fs_nat=yes;fs_path=${encodeURIComponent(path)}`}`;
    })
    .join(',');
}

/** `user@domain var|param|attr NAME`. */
function userData(context: CallContext, argumentText: string): string {
  const [address = '', kind = '', name = ''] = argumentText.trim().split(/\s+/);
  const [id = '', domain = ''] = address.split('@');
  const user = findUser(context, id, domain === '' ? defaultDomain(context) : domain);
  if (user === null) return '';
  if (kind === 'attr') return name === 'id' ? user.id : name === 'cidr' ? (user.cidr ?? '') : '';
  return (kind === 'param' ? user.parameters : user.variables).get(name) ?? '';
}

function groupMembers(context: CallContext, group: string, domain: string): readonly string[] | null {
  return context.config().directory.get(domain)?.groups?.get(group) ?? null;
}

/** `group[@domain][+A|+F|+E]`: its members at once (A), one after another (F), or as calls of their own (E). */
export function groupCall(context: CallContext, text: string): string {
  const [address = '', order = 'A'] = text.trim().split('+');
  const [group = '', domain = defaultDomain(context)] = address.split('@');
  const members = groupMembers(context, group, domain) ?? [];
  if (members.length === 0) return 'error/NO_ROUTE_DESTINATION';
  const separator = order.toUpperCase() === 'F' ? '|' : order.toUpperCase() === 'E' ? ':_:' : ',';
  return members.map((member) => `user/${member}@${domain}`).join(separator);
}
