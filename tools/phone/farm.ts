import { PacketIo, wallMilliseconds } from './packet-io.ts';
import { PhoneCall } from './phone.ts';
import type { CallKind, DialRequest, FarmReport, HangupRequest, Side } from './report.ts';
import { Stream } from './stream.ts';
import { type Remote, UserAgent } from './user-agent.ts';
import { header, type SipText, userOf } from './wire.ts';

const packetTime = 20;
const bucketMilliseconds = 10;
/** Ten minutes; later arrivals of a window are not plotted. */
const largestBucketCount = 60_000;
/** After a longer stall frames are skipped, as a phone would. */
const largestCatchUp = 200;
const bridgeNumbers = { first: 2000, count: 1000 } as const;

/** Many simulated phones: the callers on one SIP address, the called ones on another. */
export class PhoneFarm {
  readonly #io = new PacketIo();
  readonly #callers: UserAgent;
  readonly #callees: UserAgent;
  readonly #switch: Remote;
  readonly #calls: PhoneCall[] = [];
  readonly #byCallId = new Map<string, PhoneCall>();
  readonly #bySocket = new Map<number, Stream>();
  /** Streams by the millisecond of the packet time at which they send. */
  readonly #slots: Stream[][] = Array.from({ length: packetTime }, () => []);
  #nextStreamId = 1;
  #dialled = 0;
  #rooms = 0;
  #ringMilliseconds = 50;
  #lastTick = 0;
  #lateness = 0;
  #windowStartedAt = wallMilliseconds();
  #arrivals: number[] = [];
  #ticker: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(switchAddress: Remote) {
    this.#switch = switchAddress;
    this.#callers = new UserAgent(
      (request, from) => this.#receive(this.#callers, request, from),
      (answer) => this.#byCallId.get(header(answer, 'call-id'))?.receiveStrayAnswer(answer),
    );
    this.#callees = new UserAgent(
      (request, from) => this.#receive(this.#callees, request, from),
      (answer) => this.#byCallId.get(header(answer, 'call-id'))?.receiveStrayAnswer(answer),
    );
  }

  /** Opens both SIP addresses; returns the port that bridged calls must be sent to. */
  async open(): Promise<{ callerPort: number; calleePort: number }> {
    await this.#callers.open();
    await this.#callees.open();
    this.#lastTick = wallMilliseconds();
    this.#ticker = setInterval(() => this.#tick(), 2);
    return { callerPort: this.#callers.port, calleePort: this.#callees.port };
  }

  /** Places the calls at the asked rate; resolves when the last INVITE is out. */
  async dial(request: DialRequest): Promise<void> {
    this.#ringMilliseconds = request.ringMilliseconds ?? 50;
    const roomSize = request.roomSize ?? 10;
    const firstRoom = this.#rooms;
    const conference = request.conference ?? 0;
    this.#rooms += Math.ceil(conference / roomSize);
    const plan: { kind: CallKind; number: string }[] = [];
    for (let index = 0; index < (request.bridge ?? 0); index += 1) {
      plan.push({ kind: 'bridge', number: String(bridgeNumbers.first + (this.#dialled % bridgeNumbers.count)) });
      this.#dialled += 1;
    }
    for (let index = 0; index < (request.echo ?? 0); index += 1) plan.push({ kind: 'echo', number: '9196' });
    for (let index = 0; index < conference; index += 1) {
      plan.push({ kind: 'conference', number: String(3000 + ((firstRoom + Math.floor(index / roomSize)) % 100)) });
    }
    const startedAt = wallMilliseconds();
    const rate = request.rate ?? 50;
    for (const [index, item] of plan.entries()) {
      const wait = startedAt + (index * 1000) / rate - wallMilliseconds();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      if (this.#closed) return;
      this.#add(PhoneCall.dial(this.#callers, this.#newStream(item.kind, 'caller'), item.kind, item.number, this.#switch));
    }
  }

  /** Begins a new window without a report. */
  mark(): void {
    for (const call of this.#calls) call.stream.resetWindow();
    this.#arrivals = [];
    this.#lateness = 0;
    this.#windowStartedAt = wallMilliseconds();
  }

  /** `keep` leaves the window open: the next report still covers what this one did. */
  report(keep: boolean): FarmReport {
    this.#io.receive((socket, packet, length, port, at) => this.#hear(socket.descriptor, packet, length, port, at));
    const report: FarmReport = {
      windowStartedAt: this.#windowStartedAt,
      windowEndedAt: wallMilliseconds(),
      streams: this.#calls.filter((call) => call.state === 'answered').map((call) => call.stream.report()),
      calls: this.#calls.map((call) => call.report()),
      anomalies: [...this.#callers.anomalies, ...this.#callees.anomalies],
      anomalyCount: this.#callers.anomalyCount + this.#callees.anomalyCount,
      arrivals: { bucketMilliseconds, counts: Array.from(this.#arrivals, (count) => count ?? 0) },
      generatorLatenessMilliseconds: this.#lateness,
    };
    if (!keep) this.mark();
    return report;
  }

  /** Hangs up a share of the calls that are up, from one side; returns how many. */
  hangup(request: HangupRequest): number {
    const up = this.#calls.filter(
      (call) => call.side === request.side && call.state === 'answered' && (request.kind === undefined || call.kind === request.kind),
    );
    const chosen = up.slice(0, Math.round(up.length * request.fraction));
    for (const call of chosen) call.hangUp();
    return chosen.length;
  }

  /** Every answered call of a side sends a re-INVITE; returns how many. */
  reInvite(side: Side): number {
    const up = this.#calls.filter((call) => call.side === side && call.state === 'answered');
    for (const call of up) call.reInvite();
    return up.length;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#ticker);
    for (const call of this.#calls) call.close();
    this.#callers.close();
    this.#callees.close();
    this.#io.closeAll();
  }

  #newStream(kind: CallKind, side: Side): Stream {
    const stream = new Stream(this.#io, this.#nextStreamId, kind, side);
    this.#nextStreamId += 1;
    this.#bySocket.set(stream.socket.descriptor, stream);
    this.#slots[(stream.id * 7) % packetTime]?.push(stream);
    return stream;
  }

  #add(call: PhoneCall): void {
    this.#calls.push(call);
    this.#byCallId.set(call.callId, call);
  }

  #receive(agent: UserAgent, request: SipText, from: Remote): void {
    const known = this.#byCallId.get(header(request, 'call-id'));
    if (known !== undefined) {
      known.receiveRequest(request, from);
      return;
    }
    if (request.method === 'INVITE' && agent === this.#callees && !/;\s*tag=/i.test(header(request, 'to'))) {
      this.#ring(request, from);
      return;
    }
    if (request.method === 'OPTIONS') {
      agent.answer(request, from, 200, 'OK', 'options', []);
      return;
    }
    agent.anomaly(`${request.method} outside of any call, Call-ID ${header(request, 'call-id')}`);
    if (request.method !== 'ACK') agent.answer(request, from, 481, 'Call/Transaction Does Not Exist', 'none', []);
  }

  /** The called phone expects the sound of the caller who dialled its number, and the other way round. */
  #ring(invite: SipText, from: Remote): void {
    const number = userOf(invite.requestUri);
    const caller = this.#calls.findLast((call) => call.side === 'caller' && call.number === number);
    if (caller === undefined) {
      this.#callees.anomaly(`INVITE for ${number}, which nobody dialled`);
      this.#callees.answer(invite, from, 404, 'Not Found', 'none', []);
      return;
    }
    if (this.#calls.some((call) => call.side === 'callee' && call.number === number && call.stream.expectedId === caller.stream.id)) {
      this.#callees.anomaly(`second INVITE for ${number}`);
      this.#callees.answer(invite, from, 486, 'Busy Here', 'none', []);
      return;
    }
    const stream = this.#newStream('bridge', 'callee');
    stream.expectedId = caller.stream.id;
    caller.stream.expectedId = stream.id;
    this.#add(PhoneCall.ring(this.#callees, stream, invite, from, this.#ringMilliseconds));
  }

  #hear(descriptor: number, packet: Uint8Array, length: number, port: number, at: number): void {
    if (this.#bySocket.get(descriptor)?.hear(packet, length, port, at) !== true) return;
    const bucket = Math.max(0, Math.floor((at - this.#windowStartedAt) / bucketMilliseconds));
    if (bucket >= largestBucketCount) return;
    while (this.#arrivals.length <= bucket) this.#arrivals.push(0);
    this.#arrivals[bucket] = (this.#arrivals[bucket] ?? 0) + 1;
  }

  #tick(): void {
    const now = wallMilliseconds();
    this.#lateness = Math.max(this.#lateness, now - this.#lastTick - 2);
    if (now - this.#lastTick > largestCatchUp) this.#lastTick = now - largestCatchUp;
    const from = Math.floor(this.#lastTick) + 1;
    for (let millisecond = from; millisecond <= now; millisecond += 1) {
      for (const stream of this.#slots[millisecond % packetTime] ?? []) stream.sendFrame();
    }
    this.#lastTick = now;
    this.#io.receive((socket, packet, length, port, at) => this.#hear(socket.descriptor, packet, length, port, at));
  }
}
