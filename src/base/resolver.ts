import type { Address } from './address.ts';

/** What a host name leads to, the best address first; or why it leads nowhere. */
export type Resolution =
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** Host names as the protocol code sees them; the real resolver lives in `io/`. */
export interface HostResolver {
  /**
   * RFC 3263 for UDP: a literal address as it is; a name with a port by A and AAAA; a name without one (null) by SRV of
   * `_sip._udp` first, else port 5060. Calls `done` once, for a literal address at once, else later; never throws.
   */
  resolve(host: string, port: number | null, done: (resolution: Resolution) => void): void;
}
