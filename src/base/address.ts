/** An IP address (no brackets) and a port. */
export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** `ip:port`, with brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.ip.includes(':') ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`;
}

export function sameAddress(left: Address | null, right: Address | null): boolean {
  return left === right || (left !== null && right !== null && left.ip === right.ip && left.port === right.port);
}
