import { BlockList, isIP, isIPv4 } from 'node:net';
import { UndropError } from '../../base/index.ts';
import { type AccessList, checkAccess } from '../../config/index.ts';

/** What needs no configuration. */
const NAMED_LISTS: Readonly<Record<string, readonly string[]>> = {
  'loopback.auto': ['127.0.0.0/8', '::1/128'],
  'rfc1918.auto': ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fe80::/10'],
  'any_v4.auto': ['0.0.0.0/0'],
  'any_v6.auto': ['::/0'],
  any: ['0.0.0.0/0', '::/0'],
};

/** Who may connect: names of lists and `address[/prefix]`, separated by commas or blanks. Throws `UndropError` on anything else. */
export function compileAcl(acl: string, accessLists: ReadonlyMap<string, AccessList> = new Map()): (ip: string) => boolean {
  const list = new BlockList();
  const named: AccessList[] = [];
  const words = acl.split(/[\s,]+/).filter((word) => word !== '');
  for (const word of words.length === 0 ? ['loopback.auto'] : words) {
    const configured = accessLists.get(word);
    if (configured !== undefined) {
      named.push(configured);
      continue;
    }
    for (const network of NAMED_LISTS[word] ?? [word]) {
      const [address = '', prefixText] = network.split('/', 2);
      const family = isIP(address);
      const longest = family === 4 ? 32 : 128;
      const prefix = prefixText === undefined ? longest : Number(prefixText);
      if (family === 0 || !/^\d*$/.test(prefixText ?? '') || prefix > longest) {
        throw new UndropError('ESL_ACL_UNKNOWN', `apply-inbound-acl does not understand '${word}'`, {
          where: 'event_socket.conf.xml',
          fix: `use a list of acl.conf, ${Object.keys(NAMED_LISTS).join(', ')} or networks such as 192.0.2.0/24`,
        });
      }
      list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
    }
  }
  return (ip) => {
    const plain = ip.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
    if (isIP(plain) === 0) return false;
    return list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6') || named.some((each) => checkAccess(each, plain).allowed);
  };
}
