import { isIP } from 'node:net';
import type { Address } from '../base/index.ts';
import type { SipProfile } from '../config/index.ts';
import type { DialEndpoint } from '../dialplan/index.ts';
import type { CallContext } from './context.ts';

/** Where a dial string's leg leads: one or several contacts, or a cause why it leads nowhere. */
export type DialTargets =
  | {
      readonly kind: 'targets';
      readonly number: string;
      readonly targets: readonly { readonly profile: SipProfile; readonly uri: string; readonly destination: Address }[];
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
      if (isIP(host) === 0)
        return registered(
          context,
          endpoint.user,
          endpoint.host,
          'NO_ROUTE_DESTINATION',
          `host ${endpoint.host} is no address and nobody is registered there`,
        );
      const destination = { ip: host, port: endpoint.port ?? 5060 };
      const shown = host.includes(':') ? `[${host}]` : host;
      const port = endpoint.port === null ? '' : `:${endpoint.port}`;
      const parameters = endpoint.parameters === '' ? '' : `;${endpoint.parameters}`;
      const user = endpoint.user === '' ? '' : `${endpoint.user}@`;
      const uri = `${endpoint.scheme}:${user}${shown}${port}${parameters}`;
      return { kind: 'targets', number: endpoint.user, targets: [{ profile, uri, destination }] };
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
    return profile === null || contact.destination === null ? [] : [{ profile, uri: contact.uri, destination: contact.destination }];
  });
  return targets.length === 0 ? failed(cause, reason) : { kind: 'targets', number: user, targets };
}
