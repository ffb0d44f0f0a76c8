/** A codec as one side of an offer or answer lists it. */
export interface SdpCodec {
  readonly payloadType: number;
  /** Upper case: PCMU, G729, OPUS, TELEPHONE-EVENT. */
  readonly name: string;
  /** RTP clock rate in Hz (G722: 8000, RFC 3551 §4.5.2). */
  readonly clockRate: number;
  readonly channels: number;
  /** Value of `a=fmtp` without the payload type, null when absent. */
  readonly fmtp: string | null;
}

/** An entry of `codec-prefs`; the configuration's `CodecPreference` fits. */
export interface OfferedCodec {
  /** Upper case. */
  readonly name: string;
  /** Milliseconds, null for the default. */
  readonly packetTime: number | null;
  /** Clock rate in Hz, null for the default. */
  readonly rate: number | null;
}

export const TELEPHONE_EVENT = 'TELEPHONE-EVENT';
export const COMFORT_NOISE = 'CN';
export const DEFAULT_PACKET_TIME = 20;
const MINIMUM_PACKET_TIME = 5;
const MAXIMUM_PACKET_TIME = 200;
const FIRST_DYNAMIC_PAYLOAD_TYPE = 96;
const LAST_PAYLOAD_TYPE = 127;

interface CodecDefinition {
  /** Static payload type (RFC 3551 §6), or null for a dynamic one. */
  readonly payloadType: number | null;
  readonly clockRate: number;
  readonly channels: number;
  readonly fmtp: string | null;
  /** Usual spelling in rtpmap, where it is not upper case. */
  readonly written?: string;
}

const CODECS: ReadonlyMap<string, CodecDefinition> = new Map([
  ['PCMU', { payloadType: 0, clockRate: 8000, channels: 1, fmtp: null }],
  ['PCMA', { payloadType: 8, clockRate: 8000, channels: 1, fmtp: null }],
  ['GSM', { payloadType: 3, clockRate: 8000, channels: 1, fmtp: null }],
  ['G723', { payloadType: 4, clockRate: 8000, channels: 1, fmtp: null }],
  ['G722', { payloadType: 9, clockRate: 8000, channels: 1, fmtp: null }],
  ['G728', { payloadType: 15, clockRate: 8000, channels: 1, fmtp: null }],
  ['G729', { payloadType: 18, clockRate: 8000, channels: 1, fmtp: 'annexb=no' }],
  [COMFORT_NOISE, { payloadType: 13, clockRate: 8000, channels: 1, fmtp: null }],
  ['OPUS', { payloadType: null, clockRate: 48_000, channels: 2, fmtp: 'useinbandfec=1', written: 'opus' }],
  ['ILBC', { payloadType: null, clockRate: 8000, channels: 1, fmtp: 'mode=30', written: 'iLBC' }],
  ['SPEEX', { payloadType: null, clockRate: 8000, channels: 1, fmtp: null, written: 'speex' }],
  ['G726-32', { payloadType: null, clockRate: 8000, channels: 1, fmtp: null }],
  ['AMR', { payloadType: null, clockRate: 8000, channels: 1, fmtp: 'octet-align=1' }],
  ['AMR-WB', { payloadType: null, clockRate: 16_000, channels: 1, fmtp: 'octet-align=1' }],
  ['L16', { payloadType: null, clockRate: 8000, channels: 1, fmtp: null }],
  [TELEPHONE_EVENT, { payloadType: null, clockRate: 8000, channels: 1, fmtp: '0-15', written: 'telephone-event' }],
]);

const STATIC_NAMES: ReadonlyMap<number, string> = new Map(
  [...CODECS].flatMap(([name, definition]) => (definition.payloadType === null ? [] : [[definition.payloadType, name] as const])),
);

/** RFC 3551 §6: a static payload type needs no rtpmap. null for dynamic and unassigned ones. */
export function staticCodec(payloadType: number, fmtp: string | null): SdpCodec | null {
  const name = STATIC_NAMES.get(payloadType);
  const definition = name === undefined ? undefined : CODECS.get(name);
  if (name === undefined || definition === undefined) return null;
  return { payloadType, name, clockRate: definition.clockRate, channels: definition.channels, fmtp };
}

export function writtenName(name: string): string {
  return CODECS.get(name)?.written ?? name;
}

/** `codec` has the name and, where one is written, the rate of `preference`. */
export function matchesPreference(codec: SdpCodec, preference: OfferedCodec): boolean {
  if (codec.name !== preference.name.toUpperCase()) return false;
  // FreeSWITCH writes G722 with its sampling rate, SDP with 8000.
  return preference.rate === null || preference.rate === codec.clockRate || codec.name === 'G722';
}

/** Neither telephone-event nor comfort noise. */
export function isSpeech(codec: SdpCodec): boolean {
  return codec.name !== TELEPHONE_EVENT && codec.name !== COMFORT_NOISE;
}

export function isG711(name: string): boolean {
  return name === 'PCMU' || name === 'PCMA';
}

/** Whether RTP of one leg can go to another: the same codec, or A-law against µ-law, which media translates. */
export function canRelay(
  left: { readonly name: string; readonly clockRate: number },
  right: { readonly name: string; readonly clockRate: number },
): boolean {
  return (left.name === right.name && left.clockRate === right.clockRate) || (isG711(left.name) && isG711(right.name));
}

export function usablePacketTime(value: number | null | undefined): number | null {
  return typeof value === 'number' && value >= MINIMUM_PACKET_TIME && value <= MAXIMUM_PACKET_TIME ? Math.round(value) : null;
}

/** Collects the codecs of an offer; no payload type is given twice. */
export class CodecList {
  readonly codecs: SdpCodec[] = [];
  readonly #reserved: number | null;

  /** `reserved` is kept free for telephone-event. */
  constructor(reserved: number | null) {
    this.#reserved = reserved;
  }

  has(name: string, clockRate: number): boolean {
    return this.codecs.some((codec) => codec.name === name && codec.clockRate === clockRate);
  }

  /** Takes the codec with its own payload type, or with a free one where that is taken. Full or doubled: not added. */
  add(codec: SdpCodec): void {
    if (this.has(codec.name, codec.clockRate)) return;
    const payloadType = this.#isFree(codec.payloadType, codec.name) ? codec.payloadType : this.#freePayloadType();
    if (payloadType !== null) this.codecs.push({ ...codec, payloadType });
  }

  /** Adds a codec of the configuration; names that no payload format is known for are left out. */
  addPreference(preference: OfferedCodec): void {
    const name = preference.name.toUpperCase();
    const definition = CODECS.get(name);
    if (definition === undefined) return;
    const clockRate = name === 'G722' ? definition.clockRate : (preference.rate ?? definition.clockRate);
    const payloadType = definition.payloadType ?? this.#freePayloadType();
    if (payloadType !== null) this.add({ payloadType, name, clockRate, channels: definition.channels, fmtp: definition.fmtp });
  }

  /** RFC 4733 §2.1: one telephone-event for each clock rate in use; `preferred` is the payload type of the first. */
  addTelephoneEvents(preferred: number): void {
    const rates = new Set(this.codecs.filter(isSpeech).map((codec) => codec.clockRate));
    // 8000 first: what every peer understands.
    for (const clockRate of [...rates].sort((left, right) => left - right)) {
      this.add({ payloadType: preferred, name: TELEPHONE_EVENT, clockRate, channels: 1, fmtp: '0-15' });
    }
  }

  #isFree(payloadType: number, name: string): boolean {
    return (payloadType !== this.#reserved || name === TELEPHONE_EVENT) && !this.codecs.some((codec) => codec.payloadType === payloadType);
  }

  #freePayloadType(): number | null {
    for (let candidate = FIRST_DYNAMIC_PAYLOAD_TYPE; candidate <= LAST_PAYLOAD_TYPE; candidate++) {
      if (this.#isFree(candidate, '')) return candidate;
    }
    return null;
  }
}
