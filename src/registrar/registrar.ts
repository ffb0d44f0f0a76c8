import type { Address, Clock, Random } from '../base/index.ts';
import type { SipProfile } from '../config/index.ts';
import {
  createResponse,
  headerValue,
  parseCSeq,
  parseNameAddress,
  parseUri,
  type SipHeader,
  type SipRequest,
  type SipResponse,
  sameUri,
} from '../sip/index.ts';
import type { RegistrationRow, StoreOperation } from '../store/index.ts';
import { type Authenticator, domainOf, type FindUser } from './authenticator.ts';
import { type ExpiryLimits, type RequestedBinding, requestedBindings } from './binding.ts';

/** Contacts of all users together. */
export const MAXIMUM_REGISTRATIONS = 100_000;
export const DEFAULT_MAXIMUM_CONTACTS = 10;
export const DEFAULT_EXPIRY: ExpiryLimits = { minimum: 30, default: 3600, maximum: 86_400 };
const MAXIMUM_USER_AGENT_LENGTH = 256;

export type RegistrationChange = Extract<StoreOperation, { kind: 'saveRegistration' | 'deleteRegistration' }>;

export interface RegistrarOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly authenticator: Authenticator;
  readonly findUser: FindUser;
  /** Our switchname, written into each row. */
  readonly hostname: string;
  /** Contacts of one user; beyond it the one that would expire first makes room. */
  readonly maximumContacts?: number;
  readonly expiry?: ExpiryLimits;
}

export interface RegisterResult {
  readonly response: SipResponse;
  /** To be durable before the response goes out. */
  readonly changes: readonly RegistrationChange[];
}

/** RFC 3261 §10.3 for one switch. Sans I/O: the caller stores the changes, then sends the response. `expiresAt` is wall microseconds. */
export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #maximumContacts: number;
  readonly #expiry: ExpiryLimits;
  /** `user@domain` → contacts. Empty lists are removed. */
  readonly #registrations = new Map<string, readonly RegistrationRow[]>();
  #count = 0;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#maximumContacts = options.maximumContacts ?? DEFAULT_MAXIMUM_CONTACTS;
    this.#expiry = options.expiry ?? DEFAULT_EXPIRY;
  }

  /** Rows of a previous life. Those that are no contact or beyond the limits are left out; returns how many were taken. */
  load(rows: readonly RegistrationRow[]): number {
    let taken = 0;
    for (const row of rows) {
      const present = this.#present(row.user, row.realm);
      const full = this.#count >= MAXIMUM_REGISTRATIONS || present.length >= this.#maximumContacts;
      if (full || parseUri(row.contact) === null || present.some((other) => other.contact === row.contact)) continue;
      this.#replace(row.user, row.realm, [...present, row]);
      taken++;
    }
    return taken;
  }

  /** Answers a REGISTER that came from `source` over `profile`. */
  handleRegister(request: SipRequest, source: Address, profile: SipProfile): RegisterResult {
    const to = parseNameAddress(headerValue(request, 'To') ?? '');
    const cseq = parseCSeq(headerValue(request, 'CSeq') ?? '');
    const callId = headerValue(request, 'Call-ID');
    const user = to?.uri.user ?? null;
    if (user === null || user === '' || cseq === null || callId === null) return this.#refuse(request, 400, 'Bad To, CSeq Or Call-ID');
    const domain = domainOf(request, profile);

    if (!profile.acceptBlindRegistration) {
      const verification = this.#options.authenticator.verify(request, profile);
      switch (verification.kind) {
        case 'missing':
          return { response: this.#options.authenticator.challenge(request, profile, 401), changes: [] };
        case 'stale':
          return { response: this.#options.authenticator.challenge(request, profile, 401, true), changes: [] };
        case 'wrong':
          return this.#refuse(request, 403);
        case 'ok':
          // RFC 3261 §10.3 step 4: only the user itself may change its bindings.
          if (verification.user.id !== user) return this.#refuse(request, 403);
      }
    }

    const requested = requestedBindings(request, profile, this.#expiry, this.#maximumContacts);
    const present = this.contactsFor(user, domain);
    switch (requested.kind) {
      case 'invalid':
        return this.#refuse(request, 400, requested.reason);
      case 'tooBrief':
        return this.#refuse(request, 423, undefined, [{ name: 'Min-Expires', value: String(requested.minimum) }]);
      case 'fetch':
        return this.#accept(request, present, []);
      case 'removeAll':
        if (present.some((row) => row.callId === callId && cseq.number < row.cseq)) return this.#outOfOrder(request);
        return this.#apply(request, user, domain, []);
      case 'update': {
        if (present.some((row) => row.callId === callId && cseq.number < row.cseq && touches(row, requested.bindings))) {
          return this.#outOfOrder(request);
        }
        const userAgent = (headerValue(request, 'User-Agent') ?? '').slice(0, MAXIMUM_USER_AGENT_LENGTH);
        const now = this.#options.clock.wallMicroseconds();
        let next = [...present];
        for (const binding of requested.bindings) {
          next = next.filter((row) => !touches(row, [binding]));
          if (binding.expires === 0) continue;
          next.push({
            user,
            realm: domain,
            callId,
            profileName: profile.name,
            contact: binding.contact,
            expiresAt: now + binding.expires * 1_000_000,
            networkIp: source.ip,
            networkPort: source.port,
            cseq: cseq.number,
            userAgent,
            hostname: this.#options.hostname,
          });
        }
        const room = this.#makeRoom(next, new Set(requested.bindings.map((binding) => binding.contact)));
        if (this.#count - present.length + room.length > MAXIMUM_REGISTRATIONS) {
          return this.#refuse(request, 503, undefined, [{ name: 'Retry-After', value: '60' }]);
        }
        return this.#apply(request, user, domain, room);
      }
    }
  }

  /** The contacts of a user that have not expired, the newest last. */
  contactsFor(user: string, domain: string): readonly RegistrationRow[] {
    const now = this.#options.clock.wallMicroseconds();
    return this.#present(user, domain).filter((row) => row.expiresAt > now);
  }

  /** Forgets what has expired. To be called now and then; lookups never show expired contacts anyway. */
  expire(): readonly RegistrationChange[] {
    const now = this.#options.clock.wallMicroseconds();
    const changes: RegistrationChange[] = [];
    for (const rows of [...this.#registrations.values()]) {
      const [first] = rows;
      const gone = rows.filter((row) => row.expiresAt <= now);
      if (first === undefined || gone.length === 0) continue;
      changes.push(...gone.map(deletion));
      this.#replace(
        first.user,
        first.realm,
        rows.filter((row) => row.expiresAt > now),
      );
    }
    return changes;
  }

  /** Every contact that has not expired. */
  list(): readonly RegistrationRow[] {
    const now = this.#options.clock.wallMicroseconds();
    return [...this.#registrations.values()].flat().filter((row) => row.expiresAt > now);
  }

  #present(user: string, domain: string): readonly RegistrationRow[] {
    return this.#registrations.get(keyOf(user, domain)) ?? [];
  }

  #replace(user: string, domain: string, rows: readonly RegistrationRow[]): void {
    this.#count += rows.length - this.#present(user, domain).length;
    if (rows.length === 0) this.#registrations.delete(keyOf(user, domain));
    else this.#registrations.set(keyOf(user, domain), rows);
  }

  /** Phones that restart with a new port leave their old contact behind; such leftovers shall not lock them out. */
  #makeRoom(rows: readonly RegistrationRow[], requested: ReadonlySet<string>): readonly RegistrationRow[] {
    const excess = rows.length - this.#maximumContacts;
    if (excess <= 0) return rows;
    const oldest = rows.filter((row) => !requested.has(row.contact)).sort((left, right) => left.expiresAt - right.expiresAt);
    const evicted = new Set(oldest.slice(0, excess));
    return rows.filter((row) => !evicted.has(row));
  }

  #apply(request: SipRequest, user: string, domain: string, rows: readonly RegistrationRow[]): RegisterResult {
    const before = this.#present(user, domain);
    const changes: RegistrationChange[] = [
      ...before.filter((row) => !rows.some((kept) => kept.contact === row.contact)).map(deletion),
      ...rows.filter((row) => !before.includes(row)).map((row): RegistrationChange => ({ kind: 'saveRegistration', row })),
    ];
    this.#replace(user, domain, rows);
    return this.#accept(request, rows, changes);
  }

  /** RFC 3261 §10.3 step 8: the 200 lists every binding with its remaining time. */
  #accept(request: SipRequest, rows: readonly RegistrationRow[], changes: readonly RegistrationChange[]): RegisterResult {
    const now = this.#options.clock.wallMicroseconds();
    const headers: SipHeader[] = rows.map((row) => ({
      name: 'Contact',
      value: `<${row.contact}>;expires=${Math.max(1, Math.ceil((row.expiresAt - now) / 1_000_000))}`,
    }));
    headers.push({ name: 'Date', value: new Date(Math.floor(now / 1000)).toUTCString() });
    return { response: createResponse(request, 200, { toTag: this.#options.random.token(10), headers }), changes };
  }

  #outOfOrder(request: SipRequest): RegisterResult {
    return this.#refuse(request, 500, 'CSeq Out Of Order');
  }

  #refuse(request: SipRequest, status: number, reason?: string, headers: readonly SipHeader[] = []): RegisterResult {
    const options = { toTag: this.#options.random.token(10), headers, ...(reason === undefined ? {} : { reason }) };
    return { response: createResponse(request, status, options), changes: [] };
  }
}

function keyOf(user: string, domain: string): string {
  return `${user}@${domain.toLowerCase()}`;
}

/** RFC 3261 §10.3 step 7: contacts are compared as URIs. */
function touches(row: RegistrationRow, bindings: readonly RequestedBinding[]): boolean {
  const uri = parseUri(row.contact);
  return uri !== null && bindings.some((binding) => sameUri(uri, binding.uri));
}

function deletion(row: RegistrationRow): RegistrationChange {
  return { kind: 'deleteRegistration', user: row.user, realm: row.realm, contact: row.contact };
}
