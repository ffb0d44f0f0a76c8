import type { Role } from './processes.ts';

/**
 * How to end. `restart`: calls stay, a later start goes on with them. `drain`: no new calls, end when the last call has ended.
 * `now`: hang up every call, then end.
 */
export type StopHow = 'restart' | 'drain' | 'now';

export function isStopHow(value: unknown): value is StopHow {
  return value === 'restart' || value === 'drain' || value === 'now';
}

/** One death of one process. */
export interface Death {
  readonly role: Role | 'guardian';
  readonly pid: number;
  /** null: not known, or it exited. */
  readonly signal: string | null;
  /** null: not known, or it was ended by a signal. */
  readonly exitCode: number | null;
  /** Microseconds since the epoch; 0: not known, since nobody was there to see it. */
  readonly at: number;
  /** Microseconds since the epoch; null: not restarted yet. */
  readonly respawnedAt: number | null;
}

/** From the switch, or from `undrop stop`, to the guardian; one JSON object a line. */
export type ToGuardian =
  | { readonly kind: 'hello'; readonly role: 'switch'; readonly pid: number; readonly runtime: string; readonly held: readonly string[] }
  | { readonly kind: 'sockets'; readonly keys: readonly string[]; readonly fdPath: string }
  | { readonly kind: 'gaveSockets'; readonly keys: readonly string[] }
  | { readonly kind: 'release'; readonly keys: readonly string[] }
  | { readonly kind: 'ready'; readonly runtime: string }
  | { readonly kind: 'draining'; readonly calls: number }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'stopRequest'; readonly how: StopHow };

export type SocketResult =
  | { readonly key: string; readonly ok: true }
  | { readonly key: string; readonly ok: false; readonly code: string; readonly message: string };

/** From the guardian to the switch. */
export type ToSwitch =
  | { readonly kind: 'sockets'; readonly results: readonly SocketResult[] }
  | { readonly kind: 'giveSockets'; readonly fdPath: string; readonly keys: readonly string[] }
  | { readonly kind: 'deaths'; readonly deaths: readonly Death[] }
  | { readonly kind: 'stop'; readonly how: StopHow };

/** From the guardian to `undrop stop`. */
export type ToStopCommand =
  | { readonly kind: 'stopping'; readonly how: StopHow }
  | { readonly kind: 'progress'; readonly calls: number }
  | { readonly kind: 'stopped'; readonly clean: boolean };

/** The transport and address in a key such as `udp:192.0.2.1:5060` or `tcp:[2001:db8::1]:5060`; null for anything else. */
export function parseSocketKey(key: string): { transport: 'udp' | 'tcp'; ip: string; port: number } | null {
  const match = /^(udp|tcp):(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(key);
  if (match === null) return null;
  const ip = match[2] ?? match[3] ?? '';
  const port = Number(match[4]);
  return port > 65_535 ? null : { transport: match[1] === 'tcp' ? 'tcp' : 'udp', ip, port };
}
