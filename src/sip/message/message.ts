/** One header line, unfolded; `name` in its canonical long form (`Via`, `Call-ID`, …), `value` trimmed. */
export interface SipHeader {
  readonly name: string;
  readonly value: string;
}

/** RFC 3261 §7.1. Header order is kept. The body is text (SDP, INFO); bytes are latin-1 mapped so that nothing is lost. */
export interface SipRequest {
  readonly kind: 'request';
  readonly method: string;
  /** Request-URI as on the wire. */
  readonly uri: string;
  readonly headers: readonly SipHeader[];
  readonly body: string;
}

/** RFC 3261 §7.2. */
export interface SipResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly SipHeader[];
  readonly body: string;
}

export type SipMessage = SipRequest | SipResponse;

/** RFC 3261 §19.1. Parameters keep their order; a parameter without value maps to ''. Names are lower-case. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips' | 'tel';
  /** Unescaped user part (or the number of a tel: URI), null when absent. */
  readonly user: string | null;
  /** No brackets around IPv6. */
  readonly host: string;
  readonly port: number | null;
  readonly parameters: ReadonlyMap<string, string>;
  /** The part after `?`, raw, or null. */
  readonly headers: string | null;
}

/** From, To, Contact, Route, Record-Route, Refer-To: RFC 3261 §20.10. */
export interface NameAddress {
  /** Unquoted display name, null when absent. */
  readonly displayName: string | null;
  readonly uri: SipUri;
  /** Header parameters (those outside the angle brackets): tag, expires, q, … Names are lower-case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** RFC 3261 §20.42. */
export interface Via {
  /** Upper case: `UDP`, `TCP`, `TLS`, `WS`, `WSS`. */
  readonly transport: string;
  readonly host: string;
  readonly port: number | null;
  readonly parameters: ReadonlyMap<string, string>;
}

/** RFC 3261 §20.16. */
export interface CSeq {
  readonly number: number;
  readonly method: string;
}
