import { isIP } from 'node:net';
import type { Address } from '../base/index.ts';
import type { SipProfile } from '../config/index.ts';
import type { DialEndpoint } from '../dialplan/index.ts';
import { formatUri, parseUri } from '../sip/index.ts';
import type { CallContext, DialGateway } from './context.ts';

export interface DialTarget {
  readonly profile: SipProfile;
  readonly uri: string;
  /** Null: a host name, to be looked up. */
  readonly destination: Address | null;
  readonly gateway: DialGateway | null;
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

/** Resolves an endpoint of a dial string (`sofia/…`, `user/…`, `error/…`). */
export function resolveEndpoint(context: CallContext, endpoint: DialEndpoint, defaultDomain: string): DialTargets {
  switch (endpoint.kind) {
    case 'sofia': {
      const profile = context.profile(endpoint.profile);
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
      const parameters = endpoint.parameters === '' ? '' : `;${endpoint.parameters}`;
      const user = endpoint.user === '' ? '' : `${endpoint.user}@`;
      const uri = `${endpoint.scheme}:${user}${shown}${port}${parameters}`;
      return { kind: 'targets', number: endpoint.user, targets: [{ profile, uri, destination, gateway: null }] };
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
      return registered(context, endpoint.user, domain, 'USER_NOT_REGISTERED', `${endpoint.user}@${domain} is not registered`);
    }
    case 'error':
      return failed(endpoint.cause, 'the dial string says so');
    case 'gateway':
      return throughGateway(context, endpoint.gateway, endpoint.number);
    case 'group':
    case 'loopback':
      return failed('SERVICE_NOT_IMPLEMENTED', `${endpoint.kind}/ is not supported yet`);
    default:
      return failed('DESTINATION_OUT_OF_ORDER', 'unknown endpoint');
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
