/** The payload of a telephone-event packet: RFC 4733 §2.3. */
export interface TelephoneEvent {
  /** 0–15 are the DTMF digits; others (flash 16, …) exist. */
  readonly event: number;
  readonly end: boolean;
  /** Power level in −dBm0, 0–63. */
  readonly volume: number;
  /** In RTP timestamp units, 0–65535. */
  readonly duration: number;
}

export const TELEPHONE_EVENT_LENGTH = 4;
/** RFC 4733 §2.5.1.4: the last packet of an event is sent three times. */
export const TELEPHONE_EVENT_END_REPEATS = 3;
export const MAXIMUM_TELEPHONE_EVENT_DURATION = 0xffff;

const DIGITS = '0123456789*#ABCD';

/** null when the payload is too short. */
export function readTelephoneEvent(payload: Uint8Array): TelephoneEvent | null {
  if (payload.length < TELEPHONE_EVENT_LENGTH) return null;
  const flags = payload[1] ?? 0;
  return {
    event: payload[0] ?? 0,
    end: (flags & 0x80) !== 0,
    volume: flags & 0x3f,
    duration: ((payload[2] ?? 0) << 8) | (payload[3] ?? 0),
  };
}

/** Writes four bytes at `offset`; longer durations than the field holds are clipped. */
export function writeTelephoneEvent(into: Uint8Array, offset: number, event: TelephoneEvent): void {
  const duration = Math.min(event.duration, MAXIMUM_TELEPHONE_EVENT_DURATION);
  into[offset] = event.event & 0xff;
  into[offset + 1] = (event.end ? 0x80 : 0) | (event.volume & 0x3f);
  into[offset + 2] = duration >>> 8;
  into[offset + 3] = duration & 0xff;
}

/** The DTMF digit of an event code, null for other events. */
export function digitOfEvent(event: number): string | null {
  return DIGITS[event] ?? null;
}

/** The event code of a DTMF digit (`0`–`9`, `*`, `#`, `A`–`D` in either case), null for other characters. */
export function eventOfDigit(digit: string): number | null {
  const event = digit.length === 1 ? DIGITS.indexOf(digit.toUpperCase()) : -1;
  return event < 0 ? null : event;
}
