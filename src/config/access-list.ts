import { isIP } from 'node:net';
import type { AccessEntry, AccessList } from './config.ts';

/** What an access list says of an address, and the directory user whose `cidr` decided. */
export interface Access {
  readonly allowed: boolean;
  readonly user: AccessEntry['user'];
}

interface Network {
  readonly family: number;
  readonly bits: number;
  readonly value: bigint;
}

/** `address` or `address/prefix`; null when it is neither. */
export function parseNetwork(text: string): Network | null {
  const [address = '', prefix] = text.trim().split('/');
  const family = isIP(address);
  const longest = family === 6 ? 128 : 32;
  const bits = prefix === undefined ? longest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (family === 0 || !(bits <= longest)) return null;
  return { family, bits, value: shifted(address, family, longest - bits) };
}

function shifted(address: string, family: number, by: number): bigint {
  return (family === 6 ? ipv6Value(address) : ipv4Value(address)) >> BigInt(by);
}

function ipv4Value(address: string): bigint {
  return address.split('.').reduce((sum, part) => (sum << 8n) + BigInt(Number(part)), 0n);
}

function ipv6Value(address: string): bigint {
  const plain = address.replace(/%.*$/, '').replace(/(\d+\.\d+\.\d+\.\d+)$/, (dotted) => {
    const value = Number(ipv4Value(dotted));
    return `${Math.floor(value / 65_536).toString(16)}:${(value % 65_536).toString(16)}`;
  });
  const [before = '', after] = plain.split('::');
  const left = before === '' ? [] : before.split(':');
  const right = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right].reduce((sum, part) => (sum << 16n) + BigInt(Number.parseInt(part, 16)), 0n);
}

/** switch_network_list_validate_ip_token: the longest network decides, the later one of two that are equally long. */
export function checkAccess(list: AccessList, ip: string): Access {
  const plain = ip.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  const family = isIP(plain);
  const longest = family === 6 ? 128 : 32;
  let best = -1;
  let access: Access = { allowed: list.allowByDefault, user: null };
  for (const entry of list.entries) {
    const network = parseNetwork(entry.network);
    if (network === null || network.family !== family || network.bits < best) continue;
    if (shifted(plain, family, longest - network.bits) !== network.value) continue;
    best = network.bits;
    access = { allowed: entry.allow, user: entry.user };
  }
  return access;
}
