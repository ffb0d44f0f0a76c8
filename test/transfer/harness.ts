import assert from 'node:assert/strict';
import { silentLogger } from '../../src/base/index.ts';
import type { Config } from '../../src/config/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { EndpointState, MediaCommand, MediaMessage } from '../../src/media/protocol.ts';
import { MemoryDatabase, MemoryStore } from '../../src/store/index.ts';
import { Switch } from '../../src/switch/switch.ts';
import { CoreView } from '../../src/switch/view.ts';
import { cseqOf, header, headerList, readSip, type SipText, tagOf, uriOf, writeSip } from '../../tools/phone/wire.ts';
import { optionsFor } from '../config/memory-files.ts';
import { VirtualClock } from '../sip/virtual-clock.ts';

type Headers = readonly (readonly [string, string])[];

function bridgeTo(name: string, expression: string, data: string): string {
  return `<extension name="${name}"><condition field="destination_number" expression="${expression}"><action application="bridge" data="${data}"/></condition></extension>`;
}

function configuration(profile: Readonly<Record<string, string>>): Config {
  const parameters = Object.entries({
    'track-calls': 'true',
    'sip-ip': '127.0.0.1',
    'sip-port': '5060',
    'rtp-ip': '127.0.0.1',
    context: 'public',
    'auth-calls': 'false',
    'accept-blind-reg': 'true',
    'codec-prefs': 'PCMU,PCMA,G729',
    ...profile,
  }).map(([name, value]) => `<param name="${name}" value="${value}"/>`);
  return loadConfig(
    optionsFor({
      'freeswitch.xml': `<document type="freeswitch/xml">
<section name="configuration">
<configuration name="switch.conf"><settings><param name="switchname" value="one"/><param name="sessions-per-second" value="1000"/></settings></configuration>
<configuration name="event_socket.conf"><settings><param name="password" value="ClueCon"/></settings></configuration>
<configuration name="sofia.conf"><profiles><profile name="internal"><settings>${parameters.join('')}</settings></profile></profiles></configuration>
</section>
<section name="dialplan"><context name="public">
<extension name="echo"><condition field="destination_number" expression="^9196$"><action application="answer"/><action application="echo"/></condition></extension>
${bridgeTo('phones', '^(60\\d\\d)$', 'sofia/internal/$1@127.0.0.1:$1')}
${bridgeTo('both', '^7000$', 'sofia/internal/6002@127.0.0.1:6002,sofia/internal/6003@127.0.0.1:6003')}
</context></section>
<section name="directory"><domain name="127.0.0.1"/></section>
</document>`,
    }),
  );
}

/** A switch whose network, clock, disk and media are all here; phones are at 127.0.0.1, one a port. */
export class World {
  readonly clock = new VirtualClock();
  readonly database = new MemoryDatabase();
  readonly phones = new Map<number, Phone>();
  /** What media was last told of each endpoint. */
  readonly endpoints = new Map<string, EndpointState>();
  readonly events: string[] = [];
  /** uuids of the legs whose CDR was written; a second time is the same file. */
  readonly cdrs = new Set<string>();
  /** Effects and saves so far; the switch is killed before the one with the number `killBefore`. */
  effects = 0;
  killBefore = 0;
  core!: Switch;
  view!: CoreView;
  readonly #config: Config;
  #seed = 1;
  #media: (message: MediaMessage) => void = () => undefined;

  private constructor(config: Config) {
    this.#config = config;
  }

  static async start(profile: Readonly<Record<string, string>> = {}): Promise<World> {
    const world = new World(configuration(profile));
    await world.#boot();
    return world;
  }

  async #boot(): Promise<void> {
    const store = new MemoryStore({ database: this.database });
    const { epoch } = await store.open('one');
    let connected = (): void => undefined;
    const random = {
      uint32: () => {
        this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
        return this.#seed;
      },
      uuid: () =>
        `${(random.uint32() >>> 0).toString(16).padStart(8, '0')}-0000-4000-8000-${String(random.uint32()).padStart(12, '0').slice(-12)}`,
      token: (length: number) => Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(random.uint32() >>> 27)).join(''),
    };
    let media: (message: MediaMessage) => void = () => undefined;
    const core: Switch = new Switch({
      config: this.#config,
      clock: this.clock,
      random,
      logger: silentLogger,
      store,
      epoch,
      coreUuid: random.uuid(),
      processStartedAt: this.clock.wallMicroseconds(),
      media: {
        send: (command) => setImmediate(() => this.#mediaCommand(command, media)),
        onMessage: (receive) => {
          media = receive;
          this.#media = receive;
        },
        onConnect: (connect) => {
          connected = connect;
        },
        close: () => undefined,
      },
      cdr: { write: async (record) => void this.cdrs.add(record.uuid) },
      secret: 'a secret of the nonces',
      send: (_profile, bytes, destination) => {
        const copy = Uint8Array.from(bytes);
        setImmediate(() => this.phones.get(destination.port)?.receive(copy));
      },
      onEvent: (event) => void this.events.push(event.name),
      onEffect: () => {
        this.effects += 1;
        if (this.effects !== this.killBefore) return;
        core.stop();
        setImmediate(() => void this.#boot());
      },
    });
    this.core = core;
    this.view = new CoreView({
      core,
      startedAtMicroseconds: 0,
      localIpv4: '127.0.0.1',
      localIpv6: '::1',
      reload: async () => this.#config,
      shutdown: () => undefined,
      trace: () => undefined,
    });
    connected();
    await core.recovery.recoverAtStart();
    await this.settle();
  }

  /** SIGKILL and a fresh start, `dead` milliseconds later. */
  async crash(dead = 0): Promise<void> {
    this.core.stop();
    await this.settle();
    if (dead > 0) this.clock.advance(dead);
    await this.#boot();
  }

  #mediaCommand(command: MediaCommand, reply: (message: MediaMessage) => void): void {
    const { request } = command;
    switch (command.kind) {
      case 'hello':
        reply({ kind: 'hello', request, version: 1, pid: 1, runtime: 'r', startedAt: 0 });
        return;
      case 'set':
        for (const endpoint of command.endpoints) this.endpoints.set(endpoint.id, endpoint);
        reply({ kind: 'done', request, failed: [] });
        return;
      case 'close':
        for (const id of command.ids) this.endpoints.delete(id);
        reply({ kind: 'done', request, failed: [] });
        return;
      case 'list':
        reply({ kind: 'report', request, endpoints: [] });
        return;
      case 'sendDtmf':
        this.events.push(`digits ${command.digits}`);
        reply({ kind: 'done', request, failed: [] });
        return;
    }
  }

  /** A sound is over. */
  async played(uuid: string): Promise<void> {
    const mode = this.endpoints.get(uuid)?.mode;
    assert(mode?.kind === 'play');
    this.#media({ kind: 'played', id: uuid, playId: mode.playId });
    await this.settle();
  }

  /** Until nothing happens without time passing. */
  async settle(): Promise<void> {
    for (let round = 0; round < 40; round += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass, in steps, so that answers arrive in between. */
  async pass(milliseconds: number, step = 1000): Promise<void> {
    for (let left = milliseconds; left > 0; left -= step) {
      this.clock.advance(Math.min(step, left));
      await this.settle();
    }
  }

  phone(port: number, codecs: readonly number[] = [0, 8]): Phone {
    const phone = new Phone(this, port, codecs);
    this.phones.set(port, phone);
    return phone;
  }

  /** uuids of the channels that are up, callers first. */
  channels(): string[] {
    return this.view.channels().map(({ uuid }) => uuid);
  }

  /** uuid of the leg with that Call-ID. */
  legOf(call: Call): string {
    const leg = [...this.core.engine.legs.values()].find(({ record }) => record.dialog?.callId === call.callId);
    assert(leg !== undefined, 'the call has a leg');
    return leg.uuid;
  }

  mode(call: Call): EndpointState['mode'] {
    const endpoint = this.endpoints.get(this.legOf(call));
    assert(endpoint !== undefined);
    return endpoint.mode;
  }

  /** Both relay to each other, in media and in the records. */
  assertBridged(left: Call, right: Call): void {
    const [a, b] = [this.legOf(left), this.legOf(right)];
    assert.equal(this.core.engine.legs.get(a)?.record.partner, b);
    assert.equal(this.core.engine.legs.get(b)?.record.partner, a);
    assert.deepEqual(this.endpoints.get(a)?.mode, { kind: 'relay', partner: b });
    assert.deepEqual(this.endpoints.get(b)?.mode, { kind: 'relay', partner: a });
  }

  async assertNothingLeft(): Promise<void> {
    await this.pass(40_000);
    assert.deepEqual(this.channels(), []);
    assert.equal(this.core.engine.legs.size, 0, 'no leg is left');
    assert.equal(this.database.rows.length, 0, 'no row is left');
  }
}

/** One dialog of a phone. */
export class Call {
  readonly phone: Phone;
  readonly callId: string;
  readonly localTag: string;
  remoteTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  target: string;
  cseq = 100;
  /** Requests and responses of this dialog, as they came. */
  readonly received: SipText[] = [];
  /** CSeqs of INVITEs sent without an offer: their ACK has the answer. */
  readonly noOffer = new Set<number>();
  /** The INVITE that came in. */
  invite: SipText | null = null;

  constructor(
    phone: Phone,
    parts: { callId: string; localTag: string; remoteTag: string; localUri: string; remoteUri: string; target: string },
  ) {
    this.phone = phone;
    this.callId = parts.callId;
    this.localTag = parts.localTag;
    this.remoteTag = parts.remoteTag;
    this.localUri = parts.localUri;
    this.remoteUri = parts.remoteUri;
    this.target = parts.target;
  }

  /** Sends a request and returns its final response (once there is one). */
  async request(method: string, headers: Headers = [], body = ''): Promise<SipText> {
    if (method !== 'ACK') this.cseq += 1;
    this.send(method, headers, body);
    await this.phone.world.settle();
    return this.final(method);
  }

  send(method: string, headers: Headers = [], body = ''): void {
    const to = this.remoteTag === '' ? `<${this.remoteUri}>` : `<${this.remoteUri}>;tag=${this.remoteTag}`;
    const branch = method === 'CANCEL' ? this.#branch : `z9hG4bK${this.callId}${this.cseq}${method}`;
    if (method === 'INVITE') {
      this.#branch = branch;
      if (body === '') this.noOffer.add(this.cseq);
    }
    const bytes = writeSip(
      `${method} ${this.target} SIP/2.0`,
      [
        ['Via', `SIP/2.0/UDP 127.0.0.1:${this.phone.port};rport;branch=${branch}`],
        ['Max-Forwards', '70'],
        ['From', `<${this.localUri}>;tag=${this.localTag}`],
        ['To', method === 'CANCEL' ? `<${this.remoteUri}>` : to],
        ['Call-ID', this.callId],
        ['CSeq', `${this.cseq} ${method}`],
        ['Contact', `<sip:${this.phone.port}@127.0.0.1:${this.phone.port}>`],
        ['Allow', this.phone.allow],
        ...headers,
        ...(body.startsWith('v=0') ? ([['Content-Type', 'application/sdp']] as const) : []),
      ],
      body,
    );
    this.phone.transmit(bytes);
    const { cseq } = this;
    if (method !== 'ACK')
      this.phone.repeat(bytes, () =>
        this.received.some((message) => message.method === null && cseqOf(message).method === method && cseqOf(message).number === cseq),
      );
  }

  #branch = '';

  /** The final response to the last request of that method; a 2xx to INVITE is acknowledged. */
  final(method: string): SipText {
    const answer = this.received.findLast(
      (message) =>
        message.method === null && message.status >= 200 && cseqOf(message).method === method && cseqOf(message).number === this.cseq,
    );
    assert(answer !== undefined, `${method} has a final response`);
    return answer;
  }

  /** Requests of the switch in this dialog. */
  requests(method: string): SipText[] {
    return this.received.filter((message) => message.method === method);
  }

  answer(status = 200, headers: Headers = [], sdp = this.phone.sdp()): void {
    assert(this.invite !== null);
    this.phone.respond(this, this.invite, status, headers, status === 200 || status === 183 ? sdp : '');
  }
}

type Reaction = { readonly status: number; readonly headers?: Headers; readonly body?: string } | 'silence';

/** A phone that a test drives; within dialogs it answers 200 to everything unless `react` says otherwise. */
export class Phone {
  readonly world: World;
  readonly port: number;
  readonly codecs: readonly number[];
  readonly calls: Call[] = [];
  allow = 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER';
  /** Status with which a new call is answered at once; null: the test answers. */
  answers: number | null = 200;
  answerHeaders: Headers = [];
  react: (request: SipText, call: Call) => Reaction | null = () => null;
  #version = 1;

  constructor(world: World, port: number, codecs: readonly number[]) {
    this.world = world;
    this.port = port;
    this.codecs = codecs;
  }

  sdp(direction = 'sendrecv', codecs = this.codecs): string {
    this.#version += 1;
    const names: Readonly<Record<number, string>> = { 0: 'PCMU/8000', 8: 'PCMA/8000', 18: 'G729/8000' };
    return [
      'v=0',
      `o=phone 1 ${this.#version} IN IP4 127.0.0.1`,
      's=phone',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${this.port + 10_000} RTP/AVP ${codecs.join(' ')}`,
      ...codecs.map((codec) => `a=rtpmap:${codec} ${names[codec]}`),
      `a=${direction}`,
      '',
    ].join('\r\n');
  }

  /** RFC 3261 §17: said again every 500 ms of virtual time until `over` says that it was heard. */
  repeat(bytes: Uint8Array, over: () => boolean, times = 20): void {
    this.world.clock.setTimer(500, () => {
      if (over() || times === 0) return;
      this.transmit(bytes);
      this.repeat(bytes, over, times - 1);
    });
  }

  transmit(bytes: Uint8Array): void {
    this.world.core.receive('internal', bytes, { ip: '127.0.0.1', port: this.port });
  }

  /** Sends an INVITE. */
  dial(number: string, headers: Headers = [], sdp = this.sdp()): Call {
    const call = new Call(this, {
      callId: `call${this.calls.length}-${this.port}`,
      localTag: `tag${this.calls.length}x${this.port}`,
      remoteTag: '',
      localUri: `sip:${this.port}@127.0.0.1`,
      remoteUri: `sip:${number}@127.0.0.1`,
      target: `sip:${number}@127.0.0.1:5060`,
    });
    this.calls.push(call);
    call.send('INVITE', headers, sdp);
    return call;
  }

  async call(number: string, headers: Headers = [], sdp = this.sdp()): Promise<Call> {
    const call = this.dial(number, headers, sdp);
    await this.world.settle();
    assert.equal(call.final('INVITE').status, 200);
    return call;
  }

  /** The newest call that came in. */
  incoming(): Call {
    const call = this.calls.findLast((candidate) => candidate.invite !== null);
    assert(call !== undefined, `phone ${this.port} was called`);
    return call;
  }

  respond(call: Call, request: SipText, status: number, headers: Headers = [], body = ''): void {
    const copied = request.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq', 'record-route'].includes(name));
    const to = header(request, 'to');
    const bytes = writeSip(
      `SIP/2.0 ${status} Status`,
      [
        ...copied,
        ['to', tagOf(to) === '' ? `${to};tag=${call.localTag}` : to],
        ['contact', `<sip:${this.port}@127.0.0.1:${this.port}>`],
        ['allow', this.allow],
        ...headers,
        ...(body === '' ? [] : ([['content-type', 'application/sdp']] as const)),
      ],
      body,
    );
    this.transmit(bytes);
    const { number, method } = cseqOf(request);
    if (method === 'INVITE' && status >= 200)
      this.repeat(bytes, () => call.received.some((message) => message.method === 'ACK' && cseqOf(message).number === number));
  }

  receive(bytes: Uint8Array): void {
    const message = readSip(bytes);
    assert(message !== null);
    const callId = header(message, 'call-id');
    let call = this.calls.find((candidate) => candidate.callId === callId);
    if (message.method === null) {
      assert(call !== undefined);
      call.received.push(message);
      if (cseqOf(message).method !== 'INVITE' || message.status < 200) return;
      if (call.remoteTag === '') call.remoteTag = tagOf(header(message, 'to'));
      if (message.status >= 300) return;
      const contact = headerList(message, 'contact')[0];
      if (contact !== undefined) call.target = uriOf(contact);
      const offered = !this.#offered(call);
      call.send('ACK', [], offered ? this.sdp() : '');
      return;
    }
    if (message.method === 'INVITE' && tagOf(header(message, 'to')) === '') {
      if (call?.invite != null && cseqOf(call.invite).number === cseqOf(message).number) {
        if (this.answers !== null && this.answers >= 300) call.answer(this.answers, this.answerHeaders);
        return;
      }
      if (call !== undefined) {
        // Once more, after a 3xx or 422.
        call.invite = message;
        call.received.push(message);
        return;
      }
      call = new Call(this, {
        callId,
        localTag: `in${this.calls.length}x${this.port}`,
        remoteTag: tagOf(header(message, 'from')),
        localUri: uriOf(header(message, 'to')),
        remoteUri: uriOf(header(message, 'from')),
        target: uriOf(headerList(message, 'contact')[0] ?? ''),
      });
      call.invite = message;
      this.calls.push(call);
      call.received.push(message);
      if (this.answers !== null) call.answer(this.answers, this.answerHeaders);
      return;
    }
    if (call === undefined) return;
    call.received.push(message);
    if (message.method === 'ACK') return;
    const reaction = this.react(message, call) ?? { status: 200 };
    if (reaction === 'silence') return;
    const sdp = message.method === 'INVITE' && reaction.status === 200 ? this.sdp(this.#mirror(message.body)) : '';
    this.respond(call, message, reaction.status, reaction.headers, reaction.body ?? sdp);
    if (message.method === 'CANCEL' && call.invite !== null) this.respond(call, call.invite, 487);
  }

  #offered(call: Call): boolean {
    return !call.noOffer.has(call.cseq);
  }

  #mirror(offer: string): string {
    if (offer.includes('a=sendonly')) return 'recvonly';
    return offer.includes('a=inactive') ? 'inactive' : 'sendrecv';
  }
}
