import { isIP } from 'node:net';
import { type Address, UndropError } from '../base/index.ts';
import type { SipProfile } from '../config/index.ts';
import { type DialEndpoint, parseDialString } from '../dialplan/index.ts';
import { formatUri, parseUri } from '../sip/index.ts';
import type { CallContext, DialGateway } from './context.ts';
import { expandText } from './dialplan-function.ts';

export interface DialTarget {
  readonly profile: SipProfile;
  readonly uri: string;
  /** Null: a host name, to be looked up. */
  readonly destination: Address | null;
  readonly gateway: DialGateway | null;
  /** What the user's `dial-string` sets on the leg. */
  readonly variables?: ReadonlyMap<string, string>;
}

/** Where a dial string's leg leads: one or several contacts, or a cause why it leads nowhere. */
export type DialTargets =
  | {
      readonly kind: 'targets';
      readonly number: string;
      readonly targets: readonly DialTarget[];
    }
  | { readonly kind: 'failed'; readonly cause: string; readonly reason: string };

function failed(cause: string, reason: string): DialTargets {
  return { kind: 'failed', cause, reason };
}

/** Resolves an endpoint of a dial string (`sofia/…`, `user/…`, `group/…`, `error/…`). */
export function resolveEndpoint(context: CallContext, endpoint: DialEndpoint, defaultDomain: string): DialTargets {
  switch (endpoint.kind) {
    case 'sofia': {
      const profile = profileNamed(context, endpoint.profile);
      if (profile === null) return failed('INVALID_PROFILE', `there is no profile ${endpoint.profile}`);
      const host = endpoint.host === 'localhost' ? '127.0.0.1' : endpoint.host;
      if (isIP(host) === 0) {
        const contacts = registered(
          context,
          endpoint.user,
          endpoint.host,
          'NO_ROUTE_DESTINATION',
          `${endpoint.host} is a domain of ours and ${endpoint.user} is not registered there`,
        );
        if (contacts.kind === 'targets' || endpoint.host === defaultDomain || context.config().directory.has(endpoint.host))
          return contacts;
      }
      const destination = isIP(host) === 0 ? null : { ip: host, port: endpoint.port ?? 5060 };
      const shown = host.includes(':') ? `[${host}]` : host;
      const port = endpoint.port === null ? '' : `:${endpoint.port}`;
      const { parameters, path } = readParameters(endpoint.parameters);
      const user = endpoint.user === '' ? '' : `${endpoint.user}@`;
      const uri = `${endpoint.scheme}:${user}${shown}${port}${parameters}`;
      return { kind: 'targets', number: endpoint.user, targets: [{ profile, uri, destination: path ?? destination, gateway: null }] };
    }
    case 'registered':
      return registered(
        context,
        endpoint.user,
        endpoint.domain,
        'USER_NOT_REGISTERED',
        `${endpoint.user}@${endpoint.domain} is not registered`,
      );
    case 'user': {
      const domain = endpoint.domain ?? defaultDomain;
      const user = context.config().directory.get(domain)?.users.get(endpoint.user);
      const dialString = user?.parameters.get('dial-string') ?? '';
      if (dialString !== '') return byDialString(context, endpoint.user, domain, dialString, defaultDomain);
      return registered(context, endpoint.user, domain, 'USER_NOT_REGISTERED', `${endpoint.user}@${domain} is not registered`);
    }
    case 'error':
      return failed(endpoint.cause, 'the dial string says so');
    case 'gateway':
      return throughGateway(context, endpoint.gateway, endpoint.number);
    case 'group': {
      // The others reach a group as its members (bridge.ts); here it is one answer for one leg.
      const members =
        context
          .config()
          .directory.get(endpoint.domain ?? defaultDomain)
          ?.groups?.get(endpoint.group) ?? [];
      const found = members.map((user) => resolveEndpoint(context, { kind: 'user', user, domain: endpoint.domain }, defaultDomain));
      const targets = found.flatMap((each) => (each.kind === 'targets' ? each.targets : []));
      if (targets.length === 0) return failed('USER_NOT_REGISTERED', `nobody of the group ${endpoint.group} is registered`);
      return { kind: 'targets', number: endpoint.group, targets };
    }
    case 'loopback':
      return failed('SERVICE_NOT_IMPLEMENTED', 'loopback/ is not possible here: only bridge can use it, and only as its one leg');
    default:
      return failed('DESTINATION_OUT_OF_ORDER', 'unknown endpoint');
  }
}

/** A profile by its name or one of its aliases. */
function profileNamed(context: CallContext, name: string): SipProfile | null {
  const own = context.profile(name);
  if (own !== null) return own;
  for (const profile of context.config().profiles.values()) if (profile.aliases.includes(name)) return profile;
  return null;
}

/** The user's own `dial-string` of the directory (mod_dptools, user endpoint): all its legs at once. */
function byDialString(context: CallContext, user: string, domain: string, dialString: string, defaultDomain: string): DialTargets {
  const text = expandText(
    context,
    null,
    dialString,
    new Map([
      ['dialed_user', user],
      ['dialed_domain', domain],
    ]),
  );
  let plan: ReturnType<typeof parseDialString>;
  try {
    plan = parseDialString(text);
  } catch (error) {
    if (!(error instanceof UndropError)) throw error;
    return failed('DESTINATION_OUT_OF_ORDER', `the dial-string of ${user}@${domain}: ${error.describe()}`);
  }
  const targets: DialTarget[] = [];
  let failure = failed('USER_NOT_REGISTERED', `${user}@${domain} is not registered`);
  for (const leg of plan.attempts.flat()) {
    // A dial-string that names users again could go round in a circle.
    const found =
      leg.endpoint.kind === 'user'
        ? registered(
            context,
            leg.endpoint.user,
            leg.endpoint.domain ?? domain,
            'USER_NOT_REGISTERED',
            `${leg.endpoint.user} is not registered`,
          )
        : resolveEndpoint(context, leg.endpoint, defaultDomain);
    const variables = new Map([...plan.globalVariables, ...leg.variables]);
    if (found.kind === 'targets') targets.push(...found.targets.map((target) => ({ ...target, variables })));
    else if (found.cause !== 'USER_NOT_REGISTERED') failure = found;
  }
  return targets.length === 0 ? failure : { kind: 'targets', number: user, targets };
}

/** URI parameters for the Request-URI, and where `fs_path` (a contact behind NAT) says that packets go. */
function readParameters(text: string): { readonly parameters: string; readonly path: Address | null } {
  const all = text.split(';').filter((parameter) => parameter !== '');
  const written = all.find((parameter) => parameter.startsWith('fs_path='))?.slice('fs_path='.length) ?? '';
  const match = /^sips?:(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::(\d{1,5}))?/i.exec(decodeText(written).replace(/^<|>$/g, ''));
  const ip = match?.[1] ?? match?.[2] ?? '';
  const kept = all.filter((parameter) => !/^fs_(path|nat)=/.test(parameter)).map((parameter) => `;${parameter}`);
  return { parameters: kept.join(''), path: isIP(ip) === 0 ? null : { ip, port: Number(match?.[3] ?? 5060) } };
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

function registered(context: CallContext, user: string, domain: string, cause: string, reason: string): DialTargets {
  const targets = context.contactsFor(user, domain).flatMap((contact) => {
    const profile = context.profile(contact.profile);
    return profile === null || contact.destination === null
      ? []
      : [{ profile, uri: contact.uri, destination: contact.destination, gateway: null }];
  });
  return targets.length === 0 ? failed(cause, reason) : { kind: 'targets', number: user, targets };
}

/** `sofia/gateway/NAME/number`; a trunk that is down fails at once, so that the next attempt (`|`) is tried. */
function throughGateway(context: CallContext, name: string, number: string): DialTargets {
  const gateway = context.gateway(name);
  if (gateway === null) return failed('INVALID_GATEWAY', `there is no gateway ${name}`);
  const profile = context.profile(gateway.profile);
  if (profile === null) return failed('INVALID_PROFILE', `there is no profile ${gateway.profile}`);
  if (!gateway.up) return failed('GATEWAY_DOWN', `the gateway ${name} is down`);
  const parsed = parseUri(gateway.requestUri(number));
  if (parsed === null) return failed('INVALID_NUMBER_FORMAT', `${JSON.stringify(number)} cannot be dialled`);
  const uri = formatUri(parsed);
  return { kind: 'targets', number: number.replace(/;.*$/, ''), targets: [{ profile, uri, destination: gateway.nextHop(uri), gateway }] };
}
