/** An IP address as one integer: IPv4 is its 32 bits, IPv6 an interned number from 2^32 on. 0 is "no address". */
export type IpNumber = number;

/** IPv6 addresses that one process remembers; packets from further ones are dropped as unknown. */
export const MAX_IPV6_ADDRESSES = 65_536;

/** What a packet from an IPv6 address that the table has no room for is said to come from. Never a destination. */
export const UNKNOWN_IP: IpNumber = 0xffff_ffff;

const FIRST_IPV6 = 2 ** 32;

/** Turns IP addresses into integers and back, so that the packet path compares numbers only. */
export class IpTable {
  readonly #numbers = new Map<string, IpNumber>();
  readonly #texts: string[] = [];
  readonly #bytes: Uint8Array[] = [];

  /** The number of an address; 0 for what is not an IP address (and for 0.0.0.0, RFC 2543's way to hold). */
  toNumber(text: string): IpNumber {
    const ipv4 = parseIpv4(text);
    if (ipv4 !== null) return ipv4;
    if (!text.includes(':')) return 0;
    const groups = parseIpv6(text);
    if (groups === null) return 0;
    const canonical = formatIpv6(groups);
    if (canonical === '::') return 0;
    const known = this.#numbers.get(canonical);
    if (known !== undefined) return known;
    if (this.#texts.length >= MAX_IPV6_ADDRESSES) return UNKNOWN_IP;
    const number = FIRST_IPV6 + this.#texts.length;
    this.#texts.push(canonical);
    this.#bytes.push(Uint8Array.from({ length: 16 }, (_, index) => ((groups[index >> 1] ?? 0) >> (index % 2 === 0 ? 8 : 0)) & 255));
    this.#numbers.set(canonical, number);
    return number;
  }

  /** The 16 bytes of an IPv6 address, in network order. */
  ipv6Bytes(ip: IpNumber): Uint8Array | undefined {
    return this.#bytes[ip - FIRST_IPV6];
  }

  toText(ip: IpNumber): string {
    if (ip >= FIRST_IPV6) return this.#texts[ip - FIRST_IPV6] ?? '::';
    return `${(ip >>> 24) & 255}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
  }
}

export function isIpv6Number(ip: IpNumber): boolean {
  return ip >= FIRST_IPV6;
}

function parseIpv4(text: string): number | null {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 48 && code <= 57) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48;
      if (octet > 255) return null;
    } else if (code === 46 && octet >= 0 && dots < 3) {
      value = value * 256 + octet;
      octet = -1;
      dots++;
    } else return null;
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : null;
}

/** The eight groups of an IPv6 address (RFC 4291, 2.2), or null. A zone (`%eth0`) is not supported. */
function parseIpv6(text: string): Uint16Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '') : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  return Uint16Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

function parseGroups(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const ipv4 = index === parts.length - 1 ? parseIpv4(part) : null;
      if (ipv4 === null) return null;
      groups.push(Math.floor(ipv4 / 65536), ipv4 & 65535);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** Canonical text of eight groups: lower case, the longest run of zeros shortened (RFC 5952). */
export function formatIpv6(groups: ArrayLike<number>): string {
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8; ) {
    let end = index;
    while (end < 8 && groups[end] === 0) end++;
    if (end - index > length) {
      start = index;
      length = end - index;
    }
    index = end + 1;
  }
  const texts = Array.from({ length: 8 }, (_, index) => (groups[index] ?? 0).toString(16));
  if (start < 0) return texts.join(':');
  return `${texts.slice(0, start).join(':')}::${texts.slice(start + length).join(':')}`;
}
