import assert from 'node:assert/strict';
import {
  CallEngine,
  type CallInput,
  type DialContact,
  type Effect,
  type Leg,
  type LegRecord,
  type StepResult,
} from '../../src/call/index.ts';
import { whatIsWrong } from '../../src/checkpoint/validate.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { parseMessage, type SipRequest } from '../../src/sip/index.ts';
import { optionsFor, parts } from '../config/memory-files.ts';

const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n';
const SOURCE = { ip: '127.0.0.1', port: 5070 };

export interface EngineSetup {
  /** `<extension>`s of the context `default`. */
  readonly extensions: string;
  /** Other contexts. */
  readonly contexts?: string;
  readonly directory?: string;
  readonly vars?: string;
  /** Registered contacts by `user@domain`. */
  readonly contacts?: Readonly<Record<string, readonly DialContact[]>>;
}

/** A call engine without a network: what it asks for is kept, time and media are in the hands of the test. */
export class TestEngine {
  readonly config: Config;
  readonly log: string[] = [];
  engine: CallEngine;
  effects: Effect[] = [];
  /** Microseconds. */
  now = 1_795_536_200_000_000;
  #count = 0;
  readonly #contacts: Readonly<Record<string, readonly DialContact[]>>;

  constructor(setup: EngineSetup) {
    this.config = loadConfig(
      optionsFor(
        parts({
          profile:
            '<param name="sip-ip" value="127.0.0.1"/><param name="rtp-ip" value="127.0.0.1"/><param name="context" value="default"/><param name="sip-port" value="5060"/></settings><aliases><alias name="d.example"/></aliases><settings>',
          dialplan: `<context name="default">${setup.extensions}</context>${setup.contexts ?? ''}`,
          vars: `<X-PRE-PROCESS cmd="set" data="sounds_dir=/sounds"/><X-PRE-PROCESS cmd="set" data="domain=d.example"/>\n${setup.vars ?? ''}`,
          directory: setup.directory ?? '',
        }),
      ),
    );
    this.#contacts = setup.contacts ?? {};
    this.engine = this.#create();
  }

  #next(): string {
    this.#count += 1;
    return String(this.#count);
  }

  #create(): CallEngine {
    const next = (): string => this.#next();
    return new CallEngine({
      config: () => this.config,
      clock: { now: () => this.now / 1000, wallMicroseconds: () => this.now, setTimer: () => ({ cancel: () => undefined }) },
      random: {
        uint32: () => Number(next()),
        uuid: () => `00000000-0000-4000-8000-${next().padStart(12, '0')}`,
        token: (length) => next().padStart(length, '0'),
      },
      logger: { log: (level, message) => this.log.push(`${level}: ${message}`) },
      coreUuid: 'core',
      contactsFor: (user, domain) => this.#contacts[`${user}@${domain}`] ?? [],
      gateway: () => null,
      onEvent: () => undefined,
      onRecoveryOutcome: () => undefined,
    });
  }

  step(input: CallInput): void {
    this.#take(this.engine.step(input));
  }

  #take(result: StepResult): void {
    this.effects.push(...result.effects);
    for (const leg of result.changed)
      assert.equal(whatIsWrong(JSON.parse(JSON.stringify(leg.record))), null, 'every record can be read back');
  }

  /** An INVITE for a number, with its media opened: the dialplan has been hunted. */
  call(number: string, user: Extract<CallInput, { kind: 'invite' }>['user'] = null, callerName = 'Ann'): Leg {
    const id = `call-${this.#next()}`;
    const text = [
      `INVITE sip:${number}@127.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK${id}`,
      'Max-Forwards: 70',
      `From: "${callerName}" <sip:1000@d.example>;tag=a`,
      `To: <sip:${number}@d.example>`,
      `Call-ID: ${id}`,
      'CSeq: 1 INVITE',
      'Contact: <sip:1000@127.0.0.1:5070>',
      'Content-Type: application/sdp',
      `Content-Length: ${SDP.length}`,
      '',
      SDP,
    ].join('\r\n');
    const parsed = parseMessage(Buffer.from(text, 'latin1'));
    assert.ok(parsed.kind === 'message' && parsed.message.kind === 'request');
    const request: SipRequest = parsed.message;
    const before = new Set(this.engine.legs.keys());
    this.step({ kind: 'invite', profile: 'internal-video', key: id, request, source: SOURCE, user });
    const uuid = [...this.engine.legs.keys()].find((each) => !before.has(each));
    const leg = this.engine.legs.get(uuid ?? '');
    assert.ok(leg, 'the call has a leg');
    this.step({ kind: 'mediaDone', leg: leg.uuid, failure: null });
    return leg;
  }

  /** Digits of the peer, one after another. */
  digits(leg: Leg, digits: string): void {
    for (const digit of digits) this.step({ kind: 'dtmf', leg: leg.uuid, digit, durationMilliseconds: 100 });
  }

  /** What plays now comes to its end. */
  played(leg: Leg): void {
    const mode = leg.record.media?.endpoint?.mode;
    assert.ok(mode?.kind === 'play', 'something plays');
    this.step({ kind: 'played', leg: leg.uuid, playId: mode.playId });
  }

  /** Path or tone script of what plays now, or the mode. */
  sound(leg: Leg): string {
    const mode = leg.record.media?.endpoint?.mode;
    if (mode?.kind !== 'play') return mode?.kind ?? 'none';
    return mode.source.kind === 'file' ? mode.source.path : mode.source.script;
  }

  /** Delay of the last timer effect of a name, null when it was cancelled. */
  timer(leg: Leg, name: 'application' | 'hangup' | 'originate'): number | null {
    const last = this.effects.findLast((effect) => effect.kind === 'timer' && effect.leg === leg.uuid && effect.name === name);
    return last?.kind === 'timer' ? last.delayMilliseconds : null;
  }

  fire(leg: Leg, name: 'application' | 'hangup' | 'originate'): void {
    this.step({ kind: 'timer', leg: leg.uuid, name });
  }

  /** Statuses sent to a leg. */
  statuses(leg: Leg): number[] {
    return this.effects.flatMap((effect) => (effect.kind === 'respond' && effect.leg === leg.uuid ? [effect.status] : []));
  }

  /** Applications that the leg has begun, as `name(data)`. */
  ran(leg: Leg): string[] {
    return leg.record.applicationLog.map(({ application, data }) => `${application}(${data})`);
  }

  /** The process dies and another begins with what was saved; the legs of before are dead. Returns the leg's successor. */
  crash(leg: Leg): Leg {
    const records = [...this.engine.legs.values()].map((each) => JSON.parse(JSON.stringify(each.record)) as LegRecord);
    for (const record of records) assert.equal(whatIsWrong(record), null);
    this.effects = [];
    this.engine = this.#create();
    this.#take(this.engine.restoreMedia(records));
    this.#take(this.engine.restoreSignalling(records.map((record) => record.uuid)));
    const successor = this.engine.legs.get(leg.uuid);
    assert.ok(successor, 'the leg is there again');
    return successor;
  }
}

export const extension = (number: string, ...actions: readonly string[]): string =>
  `<extension name="${number}"><condition field="destination_number" expression="^${number}$">${actions
    .map((action) => {
      const [application = '', data = ''] = action.split(/ (.*)/s);
      return `<action application="${application}"><![CDATA[${data}]]></action>`;
    })
    .join('')}</condition></extension>`;
