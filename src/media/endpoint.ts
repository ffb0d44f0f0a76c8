import type { Address } from '../base/index.ts';
import { MemberInput } from './conference-room.ts';
import { type G711Codec, g711Of } from './g711-codec.ts';
import type { IpTable } from './ip-table.ts';
import type { EchoConstants, SavedEndpoint } from './journal-record.ts';
import type { OwnStream } from './own-stream.ts';
import type { SocketHandle } from './packet-io.ts';
import type { Playback } from './playback.ts';
import type { EndpointReport, EndpointState } from './protocol.ts';
import { RelayPath } from './relay-path.ts';
import { SymmetricSource } from './symmetric-source.ts';
import type { TelephoneEventReceiver } from './telephone-event-receiver.ts';
import { TelephoneEventSender } from './telephone-event-sender.ts';

export const CLOSED: SocketHandle = -1;

/** What an arriving packet is used for; numbers, because it is asked for each packet. */
export const MODE_IDLE = 0;
export const MODE_RELAY = 1;
export const MODE_ECHO = 2;
export const MODE_CONFERENCE = 3;
export const MODE_PLAY = 4;

/** One audio stream of one leg at run time. The plane decides; this holds. */
export class Endpoint {
  state: EndpointState;
  readonly slot: number;
  stream: OwnStream;
  readonly digits: TelephoneEventReceiver;
  readonly sender = new TelephoneEventSender();
  readonly source = new SymmetricSource();
  readonly rtcpSource = new SymmetricSource();
  rtpSocket: SocketHandle = CLOSED;
  rtcpSocket: SocketHandle = CLOSED;
  /** Why the port is not open, a system error name. */
  failure: string | null = null;

  mode = MODE_IDLE;
  receive = true;
  send = true;
  telephoneEvent = -1;
  codec: G711Codec | null = null;

  partner: Endpoint | null = null;
  path = new RelayPath(null, null);
  /** When a packet of the partner was last sent through this endpoint (monotonic milliseconds). */
  relayedAt = Number.NEGATIVE_INFINITY;
  echo: EchoConstants | null = null;
  input: MemberInput | null = null;
  playback: Playback | null = null;
  playFinished = false;
  /** The next frame of our own stream begins a talk spurt (marker bit). */
  spurt = true;
  sendingDigit = false;

  packetsIn = 0;
  bytesIn = 0;
  packetsOut = 0;
  bytesOut = 0;
  dropped = 0;
  firstInAt = 0;
  lastInAt = 0;
  firstOutAt = 0;
  lastOutAt = 0;
  restoredAt = 0;
  lastInBeforeCrash = 0;
  /** When waiting for packets began (monotonic milliseconds). */
  armedAt = 0;
  timedOut = false;
  reportedAt = 0;
  reportedPackets = 0;

  constructor(state: EndpointState, slot: number, stream: OwnStream, digits: TelephoneEventReceiver, now: number) {
    this.state = state;
    this.slot = slot;
    this.stream = stream;
    this.digits = digits;
    this.armedAt = now;
    this.reportedAt = now;
    this.adopt(state);
  }

  // For the mixer, which knows members only.
  get memberId(): number {
    return this.state.mode.kind === 'conference' ? this.state.mode.memberId : 0;
  }

  get muted(): boolean {
    return this.state.mode.kind === 'conference' && this.state.mode.muted;
  }

  get deaf(): boolean {
    return this.state.mode.kind === 'conference' && this.state.mode.deaf;
  }

  /** Copies what the packet path needs out of the state. */
  adopt(state: EndpointState): void {
    this.state = state;
    this.receive = state.receive;
    this.send = state.send;
    this.telephoneEvent = state.format?.telephoneEvent ?? -1;
    this.codec = g711Of(state.format);
    switch (state.mode.kind) {
      case 'idle':
        this.mode = MODE_IDLE;
        break;
      case 'relay':
        this.mode = MODE_RELAY;
        break;
      case 'echo':
        this.mode = MODE_ECHO;
        break;
      case 'conference':
        this.mode = MODE_CONFERENCE;
        this.input ??= new MemberInput();
        break;
      case 'play':
        this.mode = MODE_PLAY;
        break;
    }
    if (this.mode !== MODE_CONFERENCE) this.input = null;
  }

  learned(ips: IpTable): Address | null {
    return address(ips, this.source);
  }

  saved(ips: IpTable): SavedEndpoint {
    return {
      state: this.state,
      learned: address(ips, this.source),
      learnedRtcp: address(ips, this.rtcpSource),
      echo: this.echo,
      playFinished: this.playFinished,
    };
  }

  report(ips: IpTable): EndpointReport {
    const { state, packetsIn, bytesIn, packetsOut, bytesOut, dropped, firstInAt, lastInAt, firstOutAt, lastOutAt } = this;
    const { restoredAt, lastInBeforeCrash } = this;
    const learned = this.learned(ips);
    const counters = { packetsIn, bytesIn, packetsOut, bytesOut, dropped, firstInAt, lastInAt, firstOutAt, lastOutAt };
    const report = { state, learned, ...counters, restoredAt, lastInBeforeCrash };
    return this.failure === null ? report : { ...report, failure: this.failure };
  }
}

function address(ips: IpTable, source: SymmetricSource): Address | null {
  return source.learnedPort === 0 ? null : { ip: ips.toText(source.learnedIp), port: source.learnedPort };
}
