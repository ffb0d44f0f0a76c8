import type { IpNumber } from './ip-table.ts';

/** A new source may take over when the learned one has been silent for so long. */
export const TAKEOVER_SILENCE_MILLISECONDS = 1_000;
/** The signalled source may take over sooner. */
export const SIGNALLED_TAKEOVER_SILENCE_MILLISECONDS = 200;

/** What `accept` found. */
export const DROP = 0;
export const ACCEPT = 1;
/** Accepted, and the source is another one than before. */
export const LEARNED = 2;

/**
 * Symmetric RTP (RFC 4961) with latching: until packets come we send to where SDP says, from then on to where they
 * come from. One source at a time is listened to.
 */
export class SymmetricSource {
  remoteIp: IpNumber = 0;
  remotePort = 0;
  /** 0 until learned. */
  learnedIp: IpNumber = 0;
  learnedPort = 0;
  /** Where to send: the learned source, else the signalled one; port 0 for nowhere. */
  ip: IpNumber = 0;
  port = 0;
  lastInAt = Number.NEGATIVE_INFINITY;
  #formerIp: IpNumber = 0;
  #formerPort = 0;
  #formerUntil = 0;

  /** SDP named another address: it counts from now on, and the former source must first prove that it goes on. */
  signal(ip: IpNumber, port: number, now: number): void {
    if (ip === this.remoteIp && port === this.remotePort) return;
    const first = this.remotePort === 0 && this.remoteIp === 0;
    this.remoteIp = ip;
    this.remotePort = port;
    if (this.learnedPort !== 0 && !first) {
      this.#formerIp = this.learnedIp;
      this.#formerPort = this.learnedPort;
      this.#formerUntil = now + TAKEOVER_SILENCE_MILLISECONDS;
      this.learnedIp = 0;
      this.learnedPort = 0;
    }
    this.#direct();
  }

  learn(ip: IpNumber, port: number): void {
    this.learnedIp = ip;
    this.learnedPort = port;
    this.#formerPort = 0;
    this.#direct();
  }

  /** Decides about a valid packet that came from `ip:port`. */
  accept(ip: IpNumber, port: number, now: number): number {
    if (port === this.learnedPort && ip === this.learnedIp) {
      this.lastInAt = now;
      return ACCEPT;
    }
    if (port === 0) return DROP;
    const signalled = ip === this.remoteIp && port === this.remotePort;
    if (this.learnedPort === 0) {
      if (!signalled && port === this.#formerPort && ip === this.#formerIp && now < this.#formerUntil) {
        this.lastInAt = now;
        return ACCEPT;
      }
    } else {
      const silence = now - this.lastInAt;
      if (silence <= (signalled ? SIGNALLED_TAKEOVER_SILENCE_MILLISECONDS : TAKEOVER_SILENCE_MILLISECONDS)) return DROP;
    }
    const moved = this.port !== port || this.ip !== ip;
    this.lastInAt = now;
    this.learn(ip, port);
    return moved ? LEARNED : ACCEPT;
  }

  #direct(): void {
    const learned = this.learnedPort !== 0;
    this.ip = learned ? this.learnedIp : this.remoteIp;
    this.port = learned ? this.learnedPort : this.remoteIp === 0 ? 0 : this.remotePort;
  }
}
