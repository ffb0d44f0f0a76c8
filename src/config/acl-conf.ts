import { parseNetwork } from './access-list.ts';
import type { AccessEntry, AccessList, DirectoryDomain } from './config.ts';
import { type ConfigReport, formatPosition } from './report.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

const MAX_LISTS = 1000;
const MAX_ENTRIES = 100_000;

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fe80::/10'];
const SHARED_SPACE = ['100.64.0.0/10'];
const LOOPBACK = ['127.0.0.0/8', '::1/128'];

export interface AclSurroundings {
  /** Our own network, for `localnet.auto`: `192.0.2.5/24`. */
  readonly localNetwork: string;
  readonly directory: ReadonlyMap<string, DirectoryDomain>;
}

/** acl.conf `<network-lists><list>`, and FreeSWITCH's automatic lists. A list of the same name as an automatic one replaces it. */
export function readAclConf(
  element: XmlElement | undefined,
  report: ConfigReport,
  surroundings: AclSurroundings,
): ReadonlyMap<string, AccessList> {
  const lists = automaticLists(surroundings.localNetwork);
  const places = new Map<string, XmlElement>();
  const groups = element === undefined ? [] : childrenNamed(element, 'network-lists');
  for (const child of groups.flatMap((group) => childrenNamed(group, 'list'))) {
    const { name } = child.attributes;
    const first = name === undefined ? undefined : places.get(name);
    if (!name) report.error(child.position, '<list> without name; expected <list name="…" default="allow|deny">');
    else if (first !== undefined)
      report.warn(
        child.position,
        `acl.conf: the list "${name}" is there already (${formatPosition(first.position)}); the first one counts`,
      );
    else if (places.size >= MAX_LISTS) report.error(child.position, `acl.conf: more than ${MAX_LISTS} lists`);
    else {
      places.set(name, child);
      const entries = childrenNamed(child, 'node').flatMap((node) => readNode(node, report, surroundings.directory));
      if (entries.length > MAX_ENTRIES) report.error(child.position, `acl.conf: the list "${name}" has more than ${MAX_ENTRIES} networks`);
      lists.set(name, Object.freeze({ name, allowByDefault: isAllow(child.attributes['default'] ?? '', child, report), entries }));
    }
  }
  return lists;
}

function isAllow(value: string, element: XmlElement, report: ConfigReport): boolean {
  if (/^(allow|permit|true|yes)$/i.test(value)) return true;
  if (!/^(deny|false|no|)$/i.test(value)) report.error(element.position, `acl.conf: found "${value}", expected allow or deny`);
  return false;
}

function readNode(node: XmlElement, report: ConfigReport, directory: ReadonlyMap<string, DirectoryDomain>): readonly AccessEntry[] {
  const { type = '', cidr, host, mask, domain } = node.attributes;
  const allow = isAllow(type, node, report);
  if (cidr !== undefined) return networks(cidr, node, report).map((network) => ({ network, allow, user: null }));
  if (host !== undefined) return networks(withMask(host, mask), node, report).map((network) => ({ network, allow, user: null }));
  if (domain === undefined) {
    report.error(node.position, 'acl.conf: <node> needs cidr, host or domain');
    return [];
  }
  const users = new Set(directory.get(domain)?.users.values() ?? []);
  if (!directory.has(domain)) report.warn(node.position, `acl.conf: there is no domain "${domain}" in the directory`);
  return [...users].flatMap((user) =>
    user.cidr === undefined
      ? []
      : networks(user.cidr, node, report).map((network) => ({ network, allow, user: { id: user.id, domain: user.domain } })),
  );
}

/** `192.0.2.0` and `255.255.255.0` as `192.0.2.0/24`. */
function withMask(host: string, mask: string | undefined): string {
  if (mask === undefined || mask === '') return host;
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return `${host}/${/^1*0*$/.test(bits) && bits.length === 32 ? bits.replaceAll('0', '').length : mask}`;
}

function networks(text: string, node: XmlElement, report: ConfigReport): readonly string[] {
  const found = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  for (const each of found) {
    if (parseNetwork(each) === null) report.error(node.position, `acl.conf: found "${each}", expected a network such as 192.0.2.0/24`);
  }
  return found.filter((each) => parseNetwork(each) !== null);
}

function automaticLists(localNetwork: string): Map<string, AccessList> {
  const lists = new Map<string, AccessList>();
  const add = (name: string, allowByDefault: boolean, allowed: readonly string[], denied: readonly string[] = []): void => {
    const entries = [
      ...allowed.map((network) => ({ network, allow: true, user: null })),
      ...denied.map((network) => ({ network, allow: false, user: null })),
    ];
    lists.set(name, Object.freeze({ name, allowByDefault, entries }));
  };
  add('loopback.auto', false, LOOPBACK);
  add('localnet.auto', false, [localNetwork, ...LOOPBACK]);
  add('rfc1918.auto', false, PRIVATE);
  add('rfc6598.auto', false, SHARED_SPACE);
  add('nat.auto', false, [...PRIVATE, ...SHARED_SPACE], [localNetwork]);
  add('wan.auto', true, [], [...PRIVATE, ...SHARED_SPACE, ...LOOPBACK]);
  add('wan_v4.auto', false, ['0.0.0.0/0'], [...PRIVATE, ...SHARED_SPACE, ...LOOPBACK]);
  add('wan_v6.auto', false, ['::/0'], ['fe80::/10', '::1/128', 'fc00::/7']);
  add('any_v4.auto', false, ['0.0.0.0/0']);
  add('any_v6.auto', false, ['::/0']);
  return lists;
}
