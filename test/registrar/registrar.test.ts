import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import type { Clock, Random } from '../../src/base/index.ts';
import type { DirectoryUser, SipProfile } from '../../src/config/index.ts';
import { Authenticator, NONCE_LIFETIME_MICROSECONDS, type RegisterResult, Registrar, routeToContact } from '../../src/registrar/index.ts';
import {
  computeDigestResponse,
  type DigestAlgorithm,
  formatCredentials,
  headerValue,
  headerValues,
  parseChallenge,
  type SipRequest,
  type SipResponse,
} from '../../src/sip/index.ts';

const START = 1_700_000_000_000_000;
const SOURCE = { ip: '198.51.100.7', port: 40_000 };
const SECRET = 'a secret kept over restarts';
let wall = START;
let cseq = 0;
const clock: Clock = { now: () => 0, wallMicroseconds: () => wall, setTimer: () => ({ cancel: () => undefined }) };
let counter = 0;
const random: Random = { uint32: () => counter++, uuid: () => 'unused', token: (length) => String(counter++).padStart(length, 'x') };

const user = (id: string, password: string | null, a1Hash: string | null = null): DirectoryUser => ({
  id,
  domain: 'example.org',
  password,
  a1Hash,
  parameters: new Map(),
  variables: new Map(),
});
const md5 = (value: string): string => createHash('md5').update(value).digest('hex');
const users = new Map([
  ['1000', user('1000', 'pa ss"word')],
  ['1001', user('1001', 'other')],
  ['hashed', user('hashed', null, md5('hashed:example.org:hidden'))],
  ['open', user('open', null)],
]);
const findUser = (domain: string, name: string): DirectoryUser | null => (domain === 'example.org' ? (users.get(name) ?? null) : null);

// Only what the registrar reads.
function profileWith(changes: Partial<SipProfile> = {}, parameters: Record<string, string> = {}): SipProfile {
  return {
    name: 'internal',
    challengeRealm: 'auto_from',
    acceptBlindRegistration: false,
    parameters: new Map(Object.entries(parameters)),
    ...changes,
  } as SipProfile;
}
const BLIND = profileWith({ acceptBlindRegistration: true });

function createRegistrar(maximumContacts = 3): Registrar {
  const authenticator = new Authenticator({ clock, random, findUser, secret: SECRET });
  return new Registrar({ clock, random, authenticator, findUser, hostname: 'switch-a', maximumContacts });
}

interface RequestParts {
  name?: string;
  contacts?: string[];
  expires?: number;
  callId?: string;
  cseq?: number;
  authorization?: string;
  method?: string;
}
function request(parts: RequestParts = {}): SipRequest {
  const method = parts.method ?? 'REGISTER';
  const name = parts.name ?? '1000';
  const headers = [
    { name: 'Via', value: 'SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK1' },
    { name: 'From', value: `<sip:${name}@example.org>;tag=1` },
    { name: 'To', value: `<sip:${name}@Example.org>` },
    { name: 'Call-ID', value: parts.callId ?? 'call-1' },
    { name: 'CSeq', value: `${parts.cseq ?? ++cseq} ${method}` },
    ...(parts.contacts ?? [`<sip:${name}@10.0.0.5:5060>`]).map((value) => ({ name: 'Contact', value })),
  ];
  if (parts.expires !== undefined) headers.push({ name: 'Expires', value: String(parts.expires) });
  if (parts.authorization !== undefined)
    headers.push({ name: method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization', value: parts.authorization });
  return { kind: 'request', method, uri: 'sip:example.org', headers, body: '' };
}

function credentials(
  response: SipResponse,
  name: string,
  password: string,
  algorithm: DigestAlgorithm = 'MD5',
  method = 'REGISTER',
  nonceCount = '00000001',
): string {
  const header = method === 'REGISTER' ? 'WWW-Authenticate' : 'Proxy-Authenticate';
  const challenge = headerValues(response, header)
    .map(parseChallenge)
    .find((entry) => entry?.algorithm === algorithm);
  assert.ok(challenge, `no ${algorithm} challenge`);
  const input = {
    username: name,
    realm: challenge.realm,
    nonce: challenge.nonce,
    uri: 'sip:example.org',
    algorithm,
    qop: 'auth' as const,
    nonceCount,
    cnonce: 'abc',
  };
  return formatCredentials({ ...input, opaque: null, response: computeDigestResponse({ ...input, secret: { password }, method }) });
}

function register(registrar: Registrar, parts: RequestParts = {}, profile = BLIND, source = SOURCE): RegisterResult {
  return registrar.handleRegister(request(parts), source, profile);
}

beforeEach(() => {
  wall = START;
  cseq = 0;
});

test('a REGISTER without credentials is challenged, with them it is accepted and stored', () => {
  const registrar = createRegistrar();
  const first = register(registrar, {}, profileWith());
  assert.equal(first.response.status, 401);
  assert.deepEqual(first.changes, []);
  const second = register(registrar, { authorization: credentials(first.response, '1000', 'pa ss"word') }, profileWith());
  assert.equal(second.response.status, 200);
  assert.deepEqual(second.changes, [
    {
      kind: 'saveRegistration',
      row: {
        user: '1000',
        realm: 'example.org',
        callId: 'call-1',
        profileName: 'internal',
        contact: 'sip:1000@10.0.0.5:5060',
        expiresAt: START + 3_600_000_000,
        networkIp: SOURCE.ip,
        networkPort: SOURCE.port,
        cseq: 2,
        userAgent: '',
        hostname: 'switch-a',
      },
    },
  ]);
  assert.equal(headerValue(second.response, 'Contact'), '<sip:1000@10.0.0.5:5060>;expires=3600');
  assert.equal(registrar.contactsFor('1000', 'EXAMPLE.org').length, 1);
});

test('SHA-256 and MD5 are both offered and accepted when the profile says so', () => {
  const profile = profileWith({}, { 'rfc8760-auth-algorithms': 'MD5,SHA-256' });
  for (const algorithm of ['SHA-256', 'MD5'] as const) {
    const registrar = createRegistrar();
    const { response } = register(registrar, {}, profile);
    assert.equal(headerValues(response, 'WWW-Authenticate').length, 2);
    assert.equal(
      register(registrar, { authorization: credentials(response, '1000', 'pa ss"word', algorithm) }, profile).response.status,
      200,
    );
  }
});

test('an a1-hash stands for the password', () => {
  const registrar = createRegistrar();
  const { response } = register(registrar, { name: 'hashed' }, profileWith());
  assert.equal(
    register(registrar, { name: 'hashed', authorization: credentials(response, 'hashed', 'hidden') }, profileWith()).response.status,
    200,
  );
});

test('an unknown user, a wrong password and a user without password all look the same', () => {
  for (const name of ['nobody', '1000', 'open']) {
    const registrar = createRegistrar();
    const challenged = register(registrar, { name }, profileWith());
    assert.equal(challenged.response.status, 401);
    const refused = register(registrar, { name, authorization: credentials(challenged.response, name, 'guess') }, profileWith());
    assert.equal(refused.response.status, 403);
    assert.deepEqual([refused.changes, registrar.list()], [[], []]);
  }
});

test('RFC 3261 §10.3 step 4: a user cannot register another one', () => {
  const registrar = createRegistrar();
  const { response } = register(registrar, { name: '1000' }, profileWith());
  assert.equal(
    register(registrar, { name: '1000', authorization: credentials(response, '1001', 'other') }, profileWith()).response.status,
    403,
  );
});

test('a nonce given before a restart is good after it, with the same secret only', () => {
  const { response } = register(createRegistrar(), {}, profileWith());
  const authorization = credentials(response, '1000', 'pa ss"word');
  assert.equal(register(createRegistrar(), { authorization }, profileWith()).response.status, 200);
  const foreign = new Authenticator({ clock, random, findUser, secret: 'another secret of a node' });
  assert.equal(foreign.verify(request({ authorization }), profileWith()).kind, 'stale');
});

test('an old nonce with the right password is stale, with the wrong one it is refused', () => {
  const registrar = createRegistrar();
  const { response } = register(registrar, {}, profileWith());
  wall += NONCE_LIFETIME_MICROSECONDS;
  const authorization = credentials(response, '1000', 'pa ss"word');
  assert.equal(register(registrar, { authorization }, profileWith()).response.status, 200, 'still good at the end of its life');
  wall += 1;
  const stale = register(registrar, { authorization }, profileWith());
  assert.equal(stale.response.status, 401);
  assert.equal(parseChallenge(headerValue(stale.response, 'WWW-Authenticate') ?? '')?.stale, true);
  assert.equal(register(registrar, { authorization: credentials(response, '1000', 'x') }, profileWith()).response.status, 403);
});

test('a repeated nonce count is tolerated: UDP and crashes repeat requests', () => {
  const registrar = createRegistrar();
  const { response } = register(registrar, {}, profileWith());
  const authorization = credentials(response, '1000', 'pa ss"word');
  for (let time = 0; time < 2; time++) assert.equal(register(registrar, { authorization }, profileWith()).response.status, 200);
});

test('an INVITE is challenged with 407 and verified for its own method only', () => {
  const authenticator = new Authenticator({ clock, random, findUser, secret: SECRET });
  const profile = profileWith();
  assert.equal(authenticator.verify(request({ method: 'INVITE' }), profile).kind, 'missing');
  const challenge = authenticator.challenge(request({ method: 'INVITE' }), profile, 407);
  const authorization = credentials(challenge, '1000', 'pa ss"word', 'MD5', 'INVITE');
  const verified = authenticator.verify(request({ method: 'INVITE', authorization }), profile);
  assert.ok(verified.kind === 'ok' && verified.user.id === '1000');
  assert.equal(authenticator.verify(request({ method: 'BYE', authorization }), profile).kind, 'wrong');
});

test('RFC 3261 §10.3 step 7: too short an expiry gets 423 with Min-Expires', () => {
  const { response } = register(createRegistrar(), { expires: 5 });
  assert.equal(response.status, 423);
  assert.equal(headerValue(response, 'Min-Expires'), '30');
});

test("the Contact's expires goes before the header, and both stay below the maximum", () => {
  const registrar = createRegistrar();
  const { response } = register(registrar, { contacts: ['<sip:a@10.0.0.1>;expires=60', '<sip:b@10.0.0.1>'], expires: 999_999 });
  assert.deepEqual(headerValues(response, 'Contact'), ['<sip:a@10.0.0.1>;expires=60', '<sip:b@10.0.0.1>;expires=86400']);
});

test('Contact: * with Expires 0 removes all, without it it is refused', () => {
  const registrar = createRegistrar();
  register(registrar, { contacts: ['<sip:a@10.0.0.1>', '<sip:b@10.0.0.2>'] });
  assert.equal(register(registrar, { contacts: ['*'] }).response.status, 400);
  assert.equal(register(registrar, { contacts: ['*'], expires: 60 }).response.status, 400);
  assert.equal(registrar.list().length, 2);
  const removed = register(registrar, { contacts: ['*'], expires: 0 });
  assert.deepEqual(
    removed.changes.map((change) => change.kind),
    ['deleteRegistration', 'deleteRegistration'],
  );
  assert.deepEqual(registrar.list(), []);
});

test('expires 0 removes that contact only; a REGISTER without Contact lists', () => {
  const registrar = createRegistrar();
  register(registrar, { contacts: ['<sip:a@10.0.0.1>', '<sip:b@10.0.0.2>'] });
  const removed = register(registrar, { contacts: ['<sip:a@10.0.0.1>;expires=0'] });
  assert.deepEqual(removed.changes, [{ kind: 'deleteRegistration', user: '1000', realm: 'example.org', contact: 'sip:a@10.0.0.1' }]);
  assert.deepEqual(headerValues(register(registrar, { contacts: [] }).response, 'Contact'), ['<sip:b@10.0.0.2>;expires=3600']);
});

test('RFC 3261 §10.3 step 7: a lower CSeq of the same Call-ID changes nothing; the same one (sent again after a crash) does no harm', () => {
  const registrar = createRegistrar();
  register(registrar, { cseq: 10 });
  const late = register(registrar, { cseq: 9, contacts: ['<sip:1000@10.0.0.5:5060>;expires=0'] });
  assert.deepEqual([late.response.status, late.changes, registrar.list().length], [500, [], 1]);
  assert.equal(register(registrar, { cseq: 9, contacts: ['*'], expires: 0 }).response.status, 500);
  assert.equal(register(registrar, { cseq: 10 }).response.status, 200);
  assert.equal(register(registrar, { cseq: 1, callId: 'after-reboot' }).response.status, 200);
  assert.equal(registrar.list().length, 1);
});

test('beyond the limit of contacts the one that would expire first makes room, and its row goes', () => {
  const registrar = createRegistrar(2);
  register(registrar, { contacts: ['<sip:a@10.0.0.1>;expires=100'] });
  register(registrar, { contacts: ['<sip:b@10.0.0.2>;expires=50'] });
  const { changes } = register(registrar, { contacts: ['<sip:c@10.0.0.3>;expires=40'] });
  assert.deepEqual(
    changes.map((change) => (change.kind === 'saveRegistration' ? `+${change.row.contact}` : `-${change.contact}`)),
    ['-sip:b@10.0.0.2', '+sip:c@10.0.0.3'],
  );
  assert.equal(register(registrar, { contacts: ['<sip:1@h>', '<sip:2@h>', '<sip:3@h>'] }).response.status, 400);
});

test('contacts expire, are then not shown, and their rows are deleted once', () => {
  const registrar = createRegistrar();
  register(registrar, { expires: 60 });
  wall += 60_000_000;
  assert.deepEqual([registrar.list(), registrar.contactsFor('1000', 'example.org')], [[], []]);
  assert.deepEqual(
    registrar.expire().map((change) => change.kind),
    ['deleteRegistration'],
  );
  assert.deepEqual(registrar.expire(), []);
});

test('registrations are there again after a restart', () => {
  const registrar = createRegistrar();
  register(registrar);
  const rows = registrar.list();
  const next = createRegistrar();
  assert.equal(next.load([...rows, ...rows, { ...rows[0], contact: 'nonsense' } as (typeof rows)[number]]), 1);
  assert.deepEqual(next.contactsFor('1000', 'example.org'), rows);
});

test('a phone behind NAT is reached at the address its REGISTER came from', () => {
  const registrar = createRegistrar();
  register(registrar);
  const [behindNat] = registrar.list();
  assert.ok(behindNat);
  assert.deepEqual(routeToContact(behindNat), { uri: 'sip:1000@10.0.0.5:5060', natAddress: SOURCE });
  assert.equal(routeToContact({ ...behindNat, networkIp: '10.0.0.5', networkPort: 5060 }).natAddress, null);
});

test('broken requests get 400 and change nothing', () => {
  const registrar = createRegistrar();
  for (const contacts of [['tel:+123'], ['<<>>'], [`<sip:${'a'.repeat(600)}@h>`], ['*', '<sip:a@h>']]) {
    const result = register(registrar, { contacts });
    assert.deepEqual([result.response.status, result.changes], [400, []]);
  }
  const noUser = request();
  assert.equal(
    registrar.handleRegister({ ...noUser, headers: noUser.headers.filter((header) => header.name !== 'To') }, SOURCE, BLIND).response
      .status,
    400,
  );
});
