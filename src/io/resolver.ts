import { promises as dns, lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { Address, HostResolver, Resolution } from '../base/index.ts';

const sipPort = 5060;
/** SRV records and addresses that are looked at. */
const maximumRecords = 16;
/** A name server that does not answer must not keep a call waiting for longer. */
const boundMilliseconds = 5000;

interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Names by the system's own rules (hosts file, then name servers), SRV by the name servers. */
export const systemResolver: HostResolver = {
  resolve: (host, port, done) => {
    if (isIP(host) !== 0) {
      done({ kind: 'addresses', addresses: [{ ip: host, port: port ?? sipPort }] });
      return;
    }
    let told = false;
    const tell = (resolution: Resolution): void => {
      if (told) return;
      told = true;
      clearTimeout(bound);
      done(resolution);
    };
    const bound = setTimeout(
      () => tell({ kind: 'failed', reason: `no answer about ${host} within ${boundMilliseconds} ms` }),
      boundMilliseconds,
    );
    find(host, port).then(
      (addresses) => tell(addresses.length === 0 ? { kind: 'failed', reason: `${host} has no address` } : { kind: 'addresses', addresses }),
      (error: unknown) => tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) }),
    );
  },
};

/** RFC 3263 §4.2: with a port no SRV is asked for. */
async function find(host: string, port: number | null): Promise<readonly Address[]> {
  const services = port === null && host !== 'localhost' ? await servicesOf(host) : [];
  if (services.length === 0) return (await addressesOf(host)).map((ip) => ({ ip, port: port ?? sipPort }));
  const addresses: Address[] = [];
  for (const service of services) {
    try {
      for (const ip of await addressesOf(service.name)) addresses.push({ ip, port: service.port });
    } catch {
      // The next server may have an address.
    }
  }
  return addresses.slice(0, maximumRecords);
}

/** Lower priority first, higher weight first (RFC 2782 without its lottery: a registrar wants the same server each time). */
async function servicesOf(host: string): Promise<readonly ServiceRecord[]> {
  try {
    const records = await dns.resolveSrv(`_sip._udp.${host}`);
    const order = [...records].sort((left, right) => left.priority - right.priority || right.weight - left.weight);
    return order.filter((record) => record.name !== '' && record.name !== '.').slice(0, maximumRecords);
  } catch {
    return [];
  }
}

function addressesOf(host: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    lookup(host, { all: true, order: 'ipv4first' }, (error, addresses) => {
      if (error === null) resolve(addresses.slice(0, maximumRecords).map((entry) => entry.address));
      else reject(error);
    });
  });
}
