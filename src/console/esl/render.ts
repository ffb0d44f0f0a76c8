import type { Clock } from '../../base/index.ts';
import type { ChannelView, SwitchEvent, SwitchView } from '../switch-view.ts';
import { gmtTime, localTime } from '../time-text.ts';

export type EventFormat = 'plain' | 'json' | 'xml';

/** An event with all its headers in order, values not encoded. */
export interface RenderedEvent {
  readonly name: string;
  readonly subclass: string | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | null;
}

/** Bytes that FreeSWITCH escapes in event values, besides controls and non-ASCII (switch_utils.c `switch_url_encode`). */
const URL_UNSAFE = new Set('\r\n "#%&+:;<=>?@[\\]^`{|}');

/** FreeSWITCH's URL encoding: upper-case hex, UTF-8 byte by byte; `/`, `,` and `'` stay. */
export function urlEncode(value: string): string {
  if (/^[A-Za-z0-9_./,()*!$'~-]*$/.test(value)) return value;
  let encoded = '';
  for (const byte of Buffer.from(value, 'utf8')) {
    const character = String.fromCharCode(byte);
    if (byte < 0x20 || byte > 0x7e || URL_UNSAFE.has(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    else encoded += character;
  }
  return encoded;
}

/** Text or attribute of an XML document; characters that XML 1.0 cannot hold become U+FFFD. */
export function xmlEscape(value: string): string {
  const characters = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' } as const;
  return value
    .toWellFormed()
    .replace(/[&<>"]/g, (character) => characters[character as keyof typeof characters])
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD');
}

/** Adds FreeSWITCH's standard headers to events and numbers them. One for the whole process, so that the sequence has no holes. */
export class EventRenderer {
  readonly #view: SwitchView;
  readonly #clock: Clock;
  #sequence = 0;

  constructor(view: SwitchView, clock: Clock) {
    this.#view = view;
    this.#clock = clock;
  }

  render(event: SwitchEvent): RenderedEvent {
    const view = this.#view;
    const now = this.#clock.wallMicroseconds();
    this.#sequence += 1;
    const headers: [string, string][] = [];
    if (event.subclass !== null) headers.push(['Event-Subclass', event.subclass]);
    headers.push(
      ['Event-Name', event.name],
      ['Core-UUID', view.coreUuid],
      ['FreeSWITCH-Hostname', view.hostname],
      ['FreeSWITCH-Switchname', view.switchname],
      ['FreeSWITCH-IPv4', view.localIpv4],
      ['FreeSWITCH-IPv6', view.localIpv6],
      ['Event-Date-Local', localTime(now)],
      ['Event-Date-GMT', gmtTime(now)],
      ['Event-Date-Timestamp', String(now)],
      // FreeSWITCH names its C source here; clients only need the headers to exist.
      ['Event-Calling-File', 'undrop'],
      ['Event-Calling-Function', event.name.toLowerCase()],
      ['Event-Calling-Line-Number', '1'],
      ['Event-Sequence', String(this.#sequence)],
    );
    if (event.channel !== null) headers.push(...channelHeaders(event.channel, this.#partnerOf(event.channel)));
    for (const [name, value] of event.headers) headers.push([name, value]);
    if (event.channel !== null) for (const [name, value] of event.channel.variables) headers.push([`variable_${name}`, value]);
    return { name: event.name, subclass: event.subclass, headers, body: event.body };
  }

  #partnerOf(channel: ChannelView): ChannelView | null {
    return channel.partnerUuid === null ? null : this.#view.channel(channel.partnerUuid);
  }
}

function callerProfileHeaders(prefix: string, channel: ChannelView, profileIndex: string): [string, string][] {
  const headers: [string, string][] = [];
  const add = (name: string, value: string) => headers.push([`${prefix}-${name}`, value]);
  const addIfSet = (name: string, value: string) => {
    if (value !== '') add(name, value);
  };
  add('Direction', channel.direction);
  add('Logical-Direction', channel.direction);
  addIfSet('Username', channel.username);
  addIfSet('Dialplan', channel.dialplan);
  addIfSet('Caller-ID-Name', channel.callerIdName);
  addIfSet('Caller-ID-Number', channel.callerIdNumber);
  addIfSet('Orig-Caller-ID-Name', channel.callerIdName);
  addIfSet('Orig-Caller-ID-Number', channel.callerIdNumber);
  addIfSet('Callee-ID-Name', channel.calleeIdName);
  addIfSet('Callee-ID-Number', channel.calleeIdNumber);
  addIfSet('Network-Addr', channel.networkAddr);
  addIfSet('ANI', channel.ani);
  addIfSet('RDNIS', channel.rdnis);
  addIfSet('Destination-Number', channel.destinationNumber);
  add('Unique-ID', channel.uuid);
  add('Source', 'mod_sofia');
  addIfSet('Context', channel.context);
  add('Channel-Name', channel.name);
  add('Profile-Index', profileIndex);
  const times = channel.times;
  for (const [name, value] of [
    ['Profile-Created-Time', times.profileCreated],
    ['Channel-Created-Time', times.created],
    ['Channel-Answered-Time', times.answered],
    ['Channel-Progress-Time', times.progress],
    ['Channel-Progress-Media-Time', times.progressMedia],
    ['Channel-Hangup-Time', times.hangup],
    ['Channel-Transfer-Time', times.transfer],
    ['Channel-Resurrect-Time', times.resurrected],
    ['Channel-Bridged-Time', times.bridged],
    ['Channel-Last-Hold', times.lastHold],
    ['Channel-Hold-Accum', times.holdAccumulated],
  ] as const) {
    add(name, String(value));
  }
  add('Screen-Bit', 'true');
  add('Privacy-Hide-Name', 'false');
  add('Privacy-Hide-Number', 'false');
  return headers;
}

/** The channel block of an event, in FreeSWITCH's order (switch_channel.c `switch_channel_event_set_basic_data`). */
function channelHeaders(channel: ChannelView, partner: ChannelView | null): [string, string][] {
  const presenceId = channel.variables.get('presence_id') ?? '';
  const headers: [string, string][] = [
    ['Channel-State', channel.state],
    ['Channel-Call-State', channel.callState],
    ['Channel-State-Number', String(channel.stateNumber)],
    ['Channel-Name', channel.name],
    ['Unique-ID', channel.uuid],
    ['Call-Direction', channel.direction],
    ['Presence-Call-Direction', channel.direction],
    ['Channel-HIT-Dialplan', channel.direction === 'inbound' ? 'true' : 'false'],
  ];
  if (presenceId !== '') headers.push(['Channel-Presence-ID', presenceId]);
  headers.push(['Channel-Call-UUID', channel.callUuid === '' ? channel.uuid : channel.callUuid], ['Answer-State', channel.answerState]);
  if (channel.hangupCause !== null) headers.push(['Hangup-Cause', channel.hangupCause]);
  if (channel.readCodec !== '') {
    headers.push(
      ['Channel-Read-Codec-Name', channel.readCodec],
      ['Channel-Read-Codec-Rate', String(channel.readRate)],
      ['Channel-Read-Codec-Bit-Rate', String(channel.readBitRate)],
    );
  }
  if (channel.writeCodec !== '') {
    headers.push(
      ['Channel-Write-Codec-Name', channel.writeCodec],
      ['Channel-Write-Codec-Rate', String(channel.writeRate)],
      ['Channel-Write-Codec-Bit-Rate', String(channel.writeBitRate)],
    );
  }
  headers.push(...callerProfileHeaders('Caller', channel, '1'));
  if (partner !== null) {
    headers.push(['Other-Type', channel.direction === 'inbound' ? 'originatee' : 'originator']);
    headers.push(...callerProfileHeaders('Other-Leg', partner, '0'));
  }
  // Ours: says when the store has not confirmed this channel's state, so a crash now would lose it.
  if (!channel.tracked) headers.push(['Undrop-Tracked', 'false']);
  return headers;
}

/** A header value on one line whatever it contains: encoded values have no line break left. */
function plainHeaders(event: RenderedEvent): string {
  return event.headers.map(([name, value]) => `${name}: ${urlEncode(value)}\n`).join('');
}

/** The event as text: `plain` with URL-encoded values, `json` on one line with `_body`, `xml` as `switch_event_xmlize` writes it. */
export function serializeEvent(event: RenderedEvent, format: EventFormat): string {
  switch (format) {
    case 'plain':
      if (event.body === null || event.body === '') return `${plainHeaders(event)}\n`;
      return `${plainHeaders(event)}Content-Length: ${Buffer.byteLength(event.body)}\n\n${event.body}`;
    case 'json': {
      const pairs = event.headers.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
      if (event.body !== null) {
        pairs.push(`"Content-Length":"${Buffer.byteLength(event.body)}"`, `"_body":${JSON.stringify(event.body)}`);
      }
      return `{${pairs.join(',')}}`;
    }
    case 'xml': {
      const headers = event.headers.map(([name, value]) => {
        const element = name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^[^A-Za-z_]/, '_');
        return `    <${element}>${xmlEscape(urlEncode(value))}</${element}>\n`;
      });
      const body =
        event.body === null
          ? ''
          : `  <Content-Length>${Buffer.byteLength(event.body)}</Content-Length>\n  <body>${xmlEscape(event.body)}</body>\n`;
      return `<event>\n  <headers>\n${headers.join('')}  </headers>\n${body}</event>\n`;
    }
  }
}
