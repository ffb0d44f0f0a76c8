/** Compact forms: RFC 3261 §20, RFC 3515, 3841, 3892, 4028, 4474, 6665. */
const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

const CANONICAL = [
  ...Object.values(COMPACT),
  ...'Accept Accept-Encoding Accept-Language Alert-Info Allow Authentication-Info Authorization Call-Info'.split(' '),
  ...'Content-Disposition Content-Language CSeq Date Diversion Error-Info Expires Flow-Timer History-Info'.split(' '),
  ...'In-Reply-To Info-Package Join Max-Forwards MIME-Version Min-Expires Min-SE Organization'.split(' '),
  ...'P-Access-Network-Info P-Asserted-Identity P-Charging-Vector P-Early-Media P-Preferred-Identity Path Priority'.split(' '),
  ...'Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Recv-Info'.split(' '),
  ...'Remote-Party-ID Replaces Reply-To Require Retry-After Route RSeq Server Service-Route Session-ID'.split(' '),
  ...'SIP-ETag SIP-If-Match Subscription-State Target-Dialog Timestamp Unsupported User-Agent User-to-User'.split(' '),
  ...'Warning WWW-Authenticate'.split(' '),
];

const BY_LOWER = new Map<string, string>();
const BY_SPELLING = new Map<string, string>();
for (const name of CANONICAL) {
  BY_LOWER.set(name.toLowerCase(), name);
  BY_SPELLING.set(name, name);
}
for (const [compact, name] of Object.entries(COMPACT)) BY_LOWER.set(compact, name);
for (const [lower, name] of BY_LOWER) {
  BY_SPELLING.set(lower, name);
  BY_SPELLING.set(lower.toUpperCase(), name);
}

/**
 * The long form of a header name in its usual spelling (`v` → `Via`, `CALL-ID` → `Call-ID`). A name that no standard known
 * here defines stays as it was written, since it may become the name of a channel variable.
 */
export function canonicalHeaderName(name: string): string {
  return BY_SPELLING.get(name) ?? BY_LOWER.get(name.toLowerCase()) ?? name;
}

/** Whether `name` (in its long form) is one of the names above. */
export function isKnownHeaderName(name: string): boolean {
  return BY_SPELLING.has(name);
}
