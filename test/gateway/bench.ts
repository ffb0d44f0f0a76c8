import assert from 'node:assert/strict';
import type { Address, HostResolver, Random, Resolution } from '../../src/base/index.ts';
import { silentLogger } from '../../src/base/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { type Gateway, Gateways } from '../../src/gateway/index.ts';
import {
  computeDigestResponse,
  createResponse,
  formatChallenge,
  headerValue,
  parseCredentials,
  type SipRequest,
} from '../../src/sip/index.ts';
import { optionsFor, parts } from '../config/memory-files.ts';
import { VirtualClock } from '../sip/virtual-clock.ts';

interface Sent {
  readonly profile: string;
  readonly request: SipRequest;
  readonly destination: Address;
  answer(status: number, headers?: readonly { name: string; value: string }[]): void;
  timeout(): void;
}

/** Over all benches, so that two lives never draw the same by chance. */
let count = 0;

export function counting(): Random {
  const next = (): number => ++count;
  return {
    uint32: () => next(),
    uuid: () => `00000000-0000-4000-8000-${String(next()).padStart(12, '0')}`,
    token: (length) => String(next()).padStart(length, 'x').slice(-length),
  };
}

/** Gateways of a configuration, with a network that the test plays. */
export class GatewayBench {
  readonly clock = new VirtualClock();
  readonly sent: Sent[] = [];
  readonly events: string[] = [];
  readonly names = new Map<string, Resolution>();
  readonly gateways: Gateways;
  kept: string | null;

  constructor(parameters: Readonly<Record<string, string>>, options: { kept?: string | null; clock?: VirtualClock } = {}) {
    if (options.clock !== undefined) this.clock = options.clock;
    this.kept = options.kept ?? null;
    const resolver: HostResolver = {
      resolve: (host, port, done) => {
        if (/^[\d.]+$/.test(host)) done({ kind: 'addresses', addresses: [{ ip: host, port: port ?? 5060 }] });
        else this.clock.setTimer(1, () => done(this.names.get(host) ?? { kind: 'failed', reason: 'ENOTFOUND' }));
      },
    };
    this.gateways = new Gateways({
      clock: this.clock,
      random: counting(),
      resolver,
      logger: silentLogger,
      party: () => ({ advertised: { ip: '192.0.2.1', port: 5080 }, userAgent: 'undrop' }),
      kept: this.kept,
      keep: (text) => {
        this.kept = text;
      },
      changed: (gateway) => this.events.push(`${gateway.state} ${gateway.up ? 'up' : 'down'}`),
      send: (profile, request, destination, user) =>
        this.sent.push({
          profile,
          request,
          destination,
          answer: (status, headers = []) => user.response(createResponse(request, status, { toTag: 'registrar', headers }), destination),
          timeout: () => user.timeout(),
        }),
    });
    this.gateways.add(configuration(parameters));
    this.gateways.start();
  }

  get gateway(): Gateway {
    const gateway = this.gateways.find('trunk');
    assert.ok(gateway !== null, 'the gateway exists');
    return gateway;
  }

  /** The last request that was sent, and how many there were. */
  last(count: number): Sent {
    assert.equal(this.sent.length, count, `requests sent: ${this.sent.map(({ request }) => request.method).join(', ')}`);
    const last = this.sent.at(-1);
    assert.ok(last !== undefined, 'a request was sent');
    return last;
  }

  /** The number in CSeq. */
  cseq(sent: Sent): number {
    return Number.parseInt(headerValue(sent.request, 'CSeq') ?? '', 10);
  }
}

export function configuration(parameters: Readonly<Record<string, string>>): Config {
  const lines = Object.entries(parameters).map(([name, value]) => `<param name="${name}" value="${value}"/>`);
  return loadConfig(
    optionsFor({
      ...parts({}),
      'sip_profiles/internal.xml': `<profile name="external">
<gateways><gateway name="trunk">${lines.join('')}</gateway></gateways>
<settings><param name="sip-port" value="5080"/><param name="context" value="public"/></settings></profile>`,
    }),
  );
}

export const account = { username: 'alice', password: 'secret', proxy: '198.51.100.1', realm: 'carrier.example' };

export function challengeHeaders(nonce: string, options: { algorithm?: 'MD5' | 'SHA-256'; stale?: boolean; proxy?: boolean } = {}) {
  const { algorithm = 'MD5', stale = false, proxy = false } = options;
  return [
    {
      name: proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate',
      value: formatChallenge({ realm: 'registrar.example', nonce, opaque: null, algorithm, qop: ['auth'], stale }),
    },
  ];
}

/** Whether the request carries the right answer to that nonce. */
export function isAuthorized(request: SipRequest, nonce: string, header = 'Authorization'): boolean {
  const credentials = parseCredentials(headerValue(request, header) ?? '');
  if (credentials === null || credentials.nonce !== nonce || credentials.username !== 'alice' || credentials.uri !== request.uri)
    return false;
  const { username, realm, uri, algorithm, qop, nonceCount, cnonce } = credentials;
  const secret = { password: 'secret' };
  return (
    credentials.response ===
    computeDigestResponse({ username, realm, secret, method: request.method, uri, nonce, algorithm, qop, nonceCount, cnonce })
  );
}
