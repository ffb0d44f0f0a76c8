import { type Clock, type Random, sameAddress, unreachable } from '../base/index.ts';
import { CLOSED, Endpoint, MODE_CONFERENCE, MODE_ECHO, MODE_IDLE, MODE_RELAY } from './endpoint.ts';
import { EndpointOutput } from './endpoint-output.ts';
import { EndpointSockets } from './endpoint-sockets.ts';
import { sameMode, sameState, stateProblem } from './endpoint-state.ts';
import { FrameMaker } from './frame-maker.ts';
import { type Journal, MAX_ENDPOINTS, type RestoredEndpoint } from './journal.ts';
import { OwnStream } from './own-stream.ts';
import type { PacketOutput, SocketHandle } from './packet-io.ts';
import { Playback, WavCache } from './playback.ts';
import {
  type EndpointReport,
  type EndpointState,
  MEDIA_PROTOCOL_VERSION,
  type MediaCommand,
  type MediaEvent,
  type MediaReply,
} from './protocol.ts';
import { payloadEnd, payloadStart, RelayPath } from './relay-path.ts';
import { RTCP_REPORT_BYTES, writeSenderReport } from './rtcp-report.ts';
import { RTP_HEADER_BYTES, readUint32, writeHeader, writeUint32 } from './rtp-bytes.ts';
import { ACCEPT, DROP, LEARNED } from './symmetric-source.ts';
import { TelephoneEventReceiver } from './telephone-event-receiver.ts';

/** How often what is not due each frame is looked at: timeouts, lost ends of digits, reports. */
const SWEEP_MILLISECONDS = 100;
/** How often the journal is written out where it is not a mapping. */
const PERSIST_MILLISECONDS = 1_000;
/** RTCP ports opened at a time after a restore: about a millisecond. */
const RTCP_OPEN_BATCH = 32;
/** How often a port that was taken at a restore is tried again. */
const REOPEN_MILLISECONDS = 1_000;
/** RFC 3550, 6.2: the usual interval of a two-party session. */
const RTCP_INTERVAL_MILLISECONDS = 5_000;

export interface MediaPlaneOptions {
  readonly io: PacketOutput;
  readonly clock: Pick<Clock, 'now' | 'wallMicroseconds'>;
  readonly journal: Journal;
  readonly random: Random;
  readonly emit: (event: MediaEvent) => void;
  /** Reads a file of at most `maxBytes`; throws otherwise. */
  readonly readFile: (path: string, maxBytes: number) => Uint8Array;
  readonly pid: number;
}

/** What `restore` did. */
export interface RestoreResult {
  readonly restored: number;
  /** Ports that could not be opened. */
  readonly failed: number;
  readonly torn: number;
  readonly lost: number;
}

type Failure = { readonly id: string; readonly code: string; readonly message: string };

/** All endpoints of a media process: packets, commands and time in; packets, events and journal writes out. */
export class MediaPlane {
  readonly #io: PacketOutput;
  readonly #clock: Pick<Clock, 'now' | 'wallMicroseconds'>;
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #emit: (event: MediaEvent) => void;
  readonly #wavs: WavCache;
  readonly #pid: number;
  readonly #runtime: string;
  readonly #startedAt: number;

  readonly #endpoints = new Map<string, Endpoint>();
  readonly #sockets: EndpointSockets;
  readonly #output: EndpointOutput;
  readonly #frames: FrameMaker;
  /** Who relays to an id, whether it exists or not. */
  readonly #feeders = new Map<string, Set<Endpoint>>();
  readonly #packet = new Uint8Array(RTP_HEADER_BYTES + 4);
  readonly #report = new Uint8Array(RTCP_REPORT_BYTES);
  /** Restored endpoints whose RTCP ports are still to be opened. */
  #withoutRtcp: Endpoint[] = [];
  #sweepAt = Number.POSITIVE_INFINITY;
  #persistAt = 0;
  #reopenAt = 0;
  constructor(options: MediaPlaneOptions) {
    this.#io = options.io;
    this.#sockets = new EndpointSockets(options.io);
    this.#clock = options.clock;
    this.#journal = options.journal;
    this.#random = options.random;
    this.#emit = options.emit;
    this.#wavs = new WavCache(options.readFile);
    this.#pid = options.pid;
    this.#runtime = options.random.uuid();
    this.#startedAt = options.clock.wallMicroseconds();
    this.#output = new EndpointOutput(options.io, options.journal);
    this.#frames = new FrameMaker(this.#output, options.clock, options.journal, options.emit);
  }

  /** Monotonic milliseconds of the next `tick`; Infinity when there is nothing to do. */
  get nextTickAt(): number {
    if (this.#withoutRtcp.length > 0) return this.#clock.now();
    return Math.min(this.#frames.nextFrameAt, this.#sweepAt);
  }

  /** Opens what the journal holds and goes on with it; call once, before anything else. */
  restore(): RestoreResult {
    const now = this.#clock.now();
    const wall = this.#clock.wallMicroseconds();
    const found = this.#journal.load();
    const endpoints = found.endpoints.map((saved) => this.#revive(saved, now, wall));
    for (const endpoint of endpoints) this.#sockets.openRtp(endpoint);
    for (const endpoint of endpoints) {
      endpoint.restoredAt = endpoint.failure === null ? this.#clock.wallMicroseconds() : 0;
      this.#enter(endpoint);
    }
    // RTP first: it is what a caller hears. RTCP follows a few at a time, between packets.
    this.#withoutRtcp = endpoints.filter((endpoint) => endpoint.failure === null);
    this.#schedule();
    const failed = endpoints.filter((endpoint) => endpoint.failure !== null).length;
    return { restored: endpoints.length, failed, torn: found.torn, lost: found.lost };
  }

  handleCommand(command: MediaCommand): MediaReply {
    const { request } = command;
    switch (command.kind) {
      case 'hello':
        return {
          kind: 'hello',
          request,
          version: MEDIA_PROTOCOL_VERSION,
          pid: this.#pid,
          runtime: this.#runtime,
          startedAt: this.#startedAt,
        };
      case 'set': {
        const failed: Failure[] = [];
        for (const state of command.endpoints) {
          const failure = this.#set(state);
          if (failure !== null) failed.push(failure);
        }
        this.#schedule();
        return { kind: 'done', request, failed };
      }
      case 'close':
        for (const id of command.ids) this.#close(id);
        return { kind: 'done', request, failed: [] };
      case 'list':
        return { kind: 'report', request, endpoints: this.#reports(command.ids) };
      case 'sendDtmf':
        return { kind: 'done', request, failed: this.#sendDtmf(command.id, command.digits, command.durationMilliseconds) };
      default:
        return unreachable(command);
    }
  }

  /** A datagram that arrived. `bytes` may be changed until this returns. */
  handlePacket(socket: SocketHandle, bytes: Uint8Array, offset: number, length: number, ip: number, port: number): void {
    const endpoint = this.#sockets.rtp[socket];
    if (endpoint === undefined) {
      const owner = this.#sockets.rtcp[socket];
      if (owner !== undefined) this.#handleRtcp(owner, bytes, offset, length, ip, port);
      return;
    }
    if (length < RTP_HEADER_BYTES || (bytes[offset] as number) >>> 6 !== 2) {
      if (!this.#isMuxedRtcp(endpoint, bytes, offset, length, ip, port)) endpoint.dropped++;
      return;
    }
    const second = bytes[offset + 1] as number;
    if (second >= 192 && second <= 223) {
      if (!this.#isMuxedRtcp(endpoint, bytes, offset, length, ip, port)) endpoint.dropped++;
      return;
    }
    const now = this.#clock.now();
    const verdict = endpoint.source.accept(ip, port, now);
    if (verdict !== ACCEPT) {
      if (verdict === DROP) {
        endpoint.dropped++;
        return;
      }
      this.#output.save(endpoint);
      this.#emit({ kind: 'learned', id: endpoint.state.id, source: { ip: this.#io.ips.toText(ip), port } });
    }
    const wall = this.#clock.wallMicroseconds();
    endpoint.packetsIn++;
    endpoint.bytesIn += length;
    if (endpoint.firstInAt === 0) endpoint.firstInAt = wall;
    endpoint.lastInAt = wall;
    endpoint.timedOut = false;
    this.#journal.writeLastIn(endpoint.slot, wall);
    if (!endpoint.receive) return;
    if ((second & 127) === endpoint.telephoneEvent) this.#receiveDigit(endpoint, bytes, offset, length, now);
    switch (endpoint.mode) {
      case MODE_RELAY:
        this.#relay(endpoint, bytes, offset, length, now, wall);
        break;
      case MODE_ECHO:
        this.#echo(endpoint, bytes, offset, length, now, wall);
        break;
      case MODE_CONFERENCE:
        if (endpoint.codec !== null && (second & 127) === endpoint.state.format?.payloadType) {
          const start = payloadStart(bytes, offset, length);
          endpoint.input?.push(
            endpoint.codec,
            bytes,
            start,
            payloadEnd(bytes, offset, length),
            readUint32(bytes, offset + 8),
            readUint32(bytes, offset + 4),
          );
        }
        break;
      default:
        break;
    }
  }

  /** Makes the frames that are due and looks after what takes longer. */
  tick(): void {
    const now = this.#clock.now();
    for (const endpoint of this.#withoutRtcp.splice(0, RTCP_OPEN_BATCH)) {
      if (this.#endpoints.get(endpoint.state.id) === endpoint && endpoint.rtcpSocket === CLOSED) this.#sockets.openRtcp(endpoint);
    }
    if (this.#frames.nextFrameAt <= now) this.#frames.make(now);
    if (this.#sweepAt <= now) this.#sweep(now);
    this.#io.flush();
  }

  // ---- packets ----

  #relay(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number, now: number, wall: number): void {
    const partner = endpoint.partner;
    if (partner === null || !partner.send || partner.source.port === 0 || partner.rtpSocket === CLOSED) return;
    if (!endpoint.path.apply(bytes, offset, length)) {
      endpoint.dropped++;
      return;
    }
    partner.relayedAt = now;
    if (!partner.sender.idle && this.#replaceByDigit(partner, bytes, offset, wall)) return;
    this.#output.transmit(partner, bytes, offset, length, wall);
  }

  /** A digit that we send takes the place of a relayed packet, under its SSRC and sequence number: the peer sees one stream. */
  #replaceByDigit(endpoint: Endpoint, bytes: Uint8Array, offset: number, wall: number): boolean {
    const format = endpoint.state.format;
    if (format === null || format.telephoneEvent === null) return false;
    const packet = this.#packet;
    if (!endpoint.sender.next(packet, RTP_HEADER_BYTES, format.clockRate)) return false;
    if (endpoint.sender.first) endpoint.sender.timestamp = readUint32(bytes, offset + 4);
    const sequence = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number);
    const ssrc = readUint32(bytes, offset + 8);
    writeHeader(packet, format.telephoneEvent, endpoint.sender.first, sequence, endpoint.sender.timestamp, ssrc);
    this.#output.transmit(endpoint, packet, 0, RTP_HEADER_BYTES + 4, wall);
    return true;
  }

  #echo(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number, now: number, wall: number): void {
    if (!endpoint.send || endpoint.rtpSocket === CLOSED || endpoint.sendingDigit) return;
    const peerSsrc = readUint32(bytes, offset + 8);
    const peerSequence = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number);
    const peerTimestamp = readUint32(bytes, offset + 4);
    const { stream } = endpoint;
    let echo = endpoint.echo;
    if (echo === null || echo.peerSsrc !== peerSsrc) {
      echo = {
        peerSsrc,
        sequenceOffset: (stream.nextSequence - peerSequence) & 0xffff,
        timestampOffset: (stream.timestampAt(now) - peerTimestamp) >>> 0,
      };
      endpoint.echo = echo;
      this.#output.save(endpoint);
    }
    const sequence = (peerSequence + echo.sequenceOffset) & 0xffff;
    const timestamp = (peerTimestamp + echo.timestampOffset) >>> 0;
    bytes[offset + 2] = sequence >>> 8;
    bytes[offset + 3] = sequence & 255;
    writeUint32(bytes, offset + 4, timestamp);
    writeUint32(bytes, offset + 8, stream.ssrc);
    stream.follow(sequence, timestamp, now, length - RTP_HEADER_BYTES);
    if (stream.needsReserve()) this.#output.reserve(endpoint, timestamp, wall);
    this.#output.transmit(endpoint, bytes, offset, length, wall);
  }

  #receiveDigit(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number, now: number): void {
    const at = payloadStart(bytes, offset, length);
    if (at + 4 > offset + length) return;
    const duration = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
    const end = ((bytes[at + 1] as number) & 128) !== 0;
    endpoint.digits.receive(bytes[at] as number, end, duration, readUint32(bytes, offset + 8), readUint32(bytes, offset + 4), now);
  }

  /** RTP and RTCP on one port (RFC 5761, 4). */
  #isMuxedRtcp(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number, ip: number, port: number): boolean {
    const type = length >= 8 ? (bytes[offset + 1] as number) : 0;
    if (type < 192 || type > 223 || (bytes[offset] as number) >>> 6 !== 2) return false;
    if (ip !== endpoint.source.ip || port !== endpoint.source.port) return false;
    const partner = endpoint.mode === MODE_RELAY && endpoint.receive ? endpoint.partner : null;
    if (partner?.send && partner.source.port !== 0 && partner.rtpSocket !== CLOSED) {
      this.#io.send(partner.rtpSocket, bytes, offset, length, partner.source.ip, partner.source.port);
    }
    return true;
  }

  #handleRtcp(endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number, ip: number, port: number): void {
    const known = ip === endpoint.source.ip || ip === endpoint.rtcpSource.remoteIp;
    if (length < 8 || (bytes[offset] as number) >>> 6 !== 2 || !known) {
      endpoint.dropped++;
      return;
    }
    const verdict = endpoint.rtcpSource.accept(ip, port, this.#clock.now());
    if (verdict === DROP) {
      endpoint.dropped++;
      return;
    }
    if (verdict === LEARNED) this.#output.save(endpoint);
    const partner = endpoint.mode === MODE_RELAY ? endpoint.partner : null;
    if (partner?.send) this.#output.transmitRtcp(partner, bytes, offset, length);
  }

  // ---- slower things ----

  #sweep(now: number): void {
    this.#sweepAt = this.#endpoints.size === 0 ? Number.POSITIVE_INFINITY : now + SWEEP_MILLISECONDS;
    const reopen = now >= this.#reopenAt;
    if (reopen) this.#reopenAt = now + REOPEN_MILLISECONDS;
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.digits.pending) endpoint.digits.expire(now);
      this.#checkTimeout(endpoint, now);
      if (now - endpoint.reportedAt >= RTCP_INTERVAL_MILLISECONDS) this.#sendReport(endpoint, now);
      if (reopen && endpoint.failure !== null) {
        this.#sockets.openRtp(endpoint);
        if (endpoint.failure === null) this.#sockets.openRtcp(endpoint);
      }
    }
    if (now >= this.#persistAt) {
      this.#persistAt = now + PERSIST_MILLISECONDS;
      this.#journal.persistAll();
    }
  }

  #checkTimeout(endpoint: Endpoint, now: number): void {
    const { rtpTimeout } = endpoint.state;
    if (rtpTimeout === 0 || endpoint.timedOut || !endpoint.receive) return;
    if (now - Math.max(endpoint.armedAt, endpoint.source.lastInAt) < rtpTimeout) return;
    endpoint.timedOut = true;
    this.#emit({ kind: 'timeout', id: endpoint.state.id });
  }

  #sendReport(endpoint: Endpoint, now: number): void {
    endpoint.reportedAt = now;
    const { stream } = endpoint;
    const own = endpoint.mode !== MODE_RELAY && endpoint.mode !== MODE_IDLE;
    if (!own || stream.packets === endpoint.reportedPackets || !endpoint.send) return;
    endpoint.reportedPackets = stream.packets;
    const length = writeSenderReport(this.#report, {
      ssrc: stream.ssrc,
      wallMicroseconds: this.#clock.wallMicroseconds(),
      timestamp: stream.timestampAt(now),
      packets: stream.packets,
      octets: stream.octets,
      cname: `undrop@${endpoint.state.localIp}`,
    });
    this.#output.transmitRtcp(endpoint, this.#report, 0, length);
  }

  #schedule(): void {
    const now = this.#clock.now();
    if (this.#endpoints.size > 0 && this.#sweepAt === Number.POSITIVE_INFINITY) this.#sweepAt = now + SWEEP_MILLISECONDS;
  }

  // ---- commands ----

  #set(next: EndpointState): Failure | null {
    const problem = stateProblem(next);
    if (problem !== null) return { id: typeof next?.id === 'string' ? next.id : '', code: 'BAD_ENDPOINT', message: problem };
    const present = this.#endpoints.get(next.id);
    if (present === undefined) return this.#create(next);
    return this.#change(present, next);
  }

  #create(state: EndpointState): Failure | null {
    if (this.#endpoints.size >= MAX_ENDPOINTS) return failureOf(state, 'TOO_MANY_ENDPOINTS', `all ${MAX_ENDPOINTS} endpoints are in use`);
    const slot = this.#journal.allocate();
    if (slot < 0) return failureOf(state, 'TOO_MANY_ENDPOINTS', `all ${MAX_ENDPOINTS} endpoints are in use`);
    const now = this.#clock.now();
    const stream = new OwnStream(state.ssrc, state.format?.clockRate ?? 8000, this.#random.uint32() & 0x7fff, this.#random.uint32(), now);
    const endpoint = this.#make(state, slot, stream, now);
    this.#signal(endpoint, now);
    if (state.learned !== null && state.learned.port !== 0)
      endpoint.source.learn(this.#io.ips.toNumber(state.learned.ip), state.learned.port);
    if (!this.#sockets.openRtp(endpoint)) {
      this.#journal.free(slot);
      return failureOf(state, endpoint.failure ?? 'EIO', `port ${state.localIp}:${state.localPort} cannot be opened: ${endpoint.failure}`);
    }
    this.#sockets.openRtcp(endpoint);
    this.#endpoints.set(state.id, endpoint);
    const failure = this.#startPlayback(endpoint, state.mode.kind === 'play' ? state.mode.position : 0);
    this.#output.save(endpoint);
    this.#enter(endpoint);
    return failure;
  }

  #change(endpoint: Endpoint, next: EndpointState): Failure | null {
    const present = endpoint.state;
    if (endpoint.failure !== null && present.localIp === next.localIp && present.localPort === next.localPort) {
      if (!this.#sockets.openRtp(endpoint))
        return failureOf(next, endpoint.failure, `port ${next.localIp}:${next.localPort} is still taken: ${endpoint.failure}`);
      this.#sockets.openRtcp(endpoint);
    }
    const { source } = endpoint;
    if (source.learnedPort === 0 && next.learned !== null && next.learned.port !== 0 && sameAddress(present.remote, next.remote)) {
      source.learn(this.#io.ips.toNumber(next.learned.ip), next.learned.port);
      this.#output.save(endpoint);
    }
    if (sameState(present, next)) {
      this.#repeatPlayed(endpoint);
      return null;
    }
    const now = this.#clock.now();
    const moved = present.localIp !== next.localIp || present.localPort !== next.localPort;
    if (moved && !this.#sockets.move(endpoint, next))
      return failureOf(next, 'EADDRINUSE', `port ${next.localIp}:${next.localPort} cannot be opened`);
    const otherMode = !sameMode(present.mode, next.mode);
    this.#leave(endpoint);
    if (next.ssrc !== present.ssrc) {
      this.#journal.clearSequence(endpoint.slot);
      endpoint.stream = new OwnStream(
        next.ssrc,
        next.format?.clockRate ?? 8000,
        this.#random.uint32() & 0x7fff,
        this.#random.uint32(),
        now,
      );
      endpoint.echo = null;
    } else if (next.format !== null && next.format.clockRate !== endpoint.stream.clockRate) {
      const { nextSequence } = endpoint.stream;
      endpoint.stream = new OwnStream(next.ssrc, next.format.clockRate, nextSequence, endpoint.stream.timestampAt(now), now);
    }
    endpoint.adopt(next);
    endpoint.armedAt = now;
    endpoint.timedOut = false;
    this.#signal(endpoint, now);
    let failure: Failure | null = null;
    if (otherMode) {
      endpoint.echo = null;
      endpoint.spurt = true;
      endpoint.playback = null;
      endpoint.playFinished = false;
      failure = this.#startPlayback(endpoint, next.mode.kind === 'play' ? next.mode.position : 0);
    } else {
      this.#repeatPlayed(endpoint);
    }
    this.#output.save(endpoint);
    this.#enter(endpoint);
    return failure;
  }

  /** A playback that ended while nobody heard of it is told again. */
  #repeatPlayed(endpoint: Endpoint): void {
    const { mode, id } = endpoint.state;
    if (endpoint.playFinished && mode.kind === 'play') this.#emit({ kind: 'played', id, playId: mode.playId });
  }

  #startPlayback(endpoint: Endpoint, position: number): Failure | null {
    const { mode, id } = endpoint.state;
    if (mode.kind !== 'play' || endpoint.playFinished) return null;
    try {
      endpoint.playback = new Playback(mode.source, mode.loops, position, this.#wavs);
      this.#journal.writePlayPosition(endpoint.slot, position);
      return null;
    } catch (error) {
      endpoint.playFinished = true;
      return { id, code: 'PLAY_SOURCE', message: error instanceof Error ? error.message : String(error) };
    }
  }

  #close(id: string): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    endpoint.digits.finish();
    this.#leave(endpoint);
    this.#frames.forget(endpoint);
    this.#endpoints.delete(id);
    this.#sockets.close(endpoint);
    this.#journal.free(endpoint.slot);
    this.#relinkFeeders(id);
  }

  #sendDtmf(id: string, digits: string, durationMilliseconds: number): Failure[] {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return [{ id, code: 'NO_ENDPOINT', message: `no endpoint ${id}` }];
    if (endpoint.telephoneEvent < 0) return [{ id, code: 'NO_TELEPHONE_EVENT', message: 'the peer has not agreed to telephone-event' }];
    if (!endpoint.sender.add(digits, durationMilliseconds)) {
      return [{ id, code: 'BAD_DIGITS', message: `"${digits.slice(0, 32)}" has something else than 0-9 * # A-D, or too many digits wait` }];
    }
    this.#frames.generate(endpoint);
    return [];
  }

  #reports(ids: readonly string[] | null): EndpointReport[] {
    const reports: EndpointReport[] = [];
    for (const id of ids ?? this.#endpoints.keys()) {
      const endpoint = this.#endpoints.get(id);
      if (endpoint !== undefined) reports.push(endpoint.report(this.#io.ips));
    }
    return reports;
  }

  // ---- endpoints ----

  #make(state: EndpointState, slot: number, stream: OwnStream, now: number): Endpoint {
    const { id } = state;
    const digits = new TelephoneEventReceiver(this.#journal, slot, (digit, ticks, ssrc, timestamp) => {
      const rate = this.#endpoints.get(id)?.state.format?.clockRate ?? 8000;
      this.#emit({ kind: 'dtmf', id, digit, durationMilliseconds: Math.round((ticks * 1000) / rate), ssrc, timestamp });
    });
    return new Endpoint(state, slot, stream, digits, now);
  }

  #revive(found: RestoredEndpoint, now: number, wall: number): Endpoint {
    const { saved, sequence } = found;
    const { state } = saved;
    const rate = state.format?.clockRate ?? 8000;
    let stream: OwnStream;
    if (sequence === null) {
      stream = new OwnStream(state.ssrc, rate, this.#random.uint32() & 0x7fff, this.#random.uint32(), now);
    } else {
      // Never past real time, never back: some receivers hold packets from the future for seconds.
      const elapsed = Math.max(0, wall - sequence.wallMicroseconds) / 1e6;
      const timestamp = Math.floor(sequence.timestamp + elapsed * rate) % 2 ** 32;
      stream = new OwnStream(state.ssrc, rate, sequence.mark, timestamp, now);
    }
    const endpoint = this.#make(state, found.slot, stream, now);
    this.#signal(endpoint, now);
    const { ips } = this.#io;
    if (saved.learned !== null) endpoint.source.learn(ips.toNumber(saved.learned.ip), saved.learned.port);
    if (saved.learnedRtcp !== null) endpoint.rtcpSource.learn(ips.toNumber(saved.learnedRtcp.ip), saved.learnedRtcp.port);
    endpoint.echo = saved.echo;
    endpoint.lastInBeforeCrash = found.lastInWallMicroseconds;
    endpoint.playFinished = saved.playFinished;
    endpoint.digits.restore(found, now);
    this.#endpoints.set(state.id, endpoint);
    this.#startPlayback(endpoint, found.playPositionMilliseconds);
    if (endpoint.playFinished !== saved.playFinished) this.#repeatPlayed(endpoint);
    return endpoint;
  }

  /** Takes its place among feeders, members and generators. */
  #enter(endpoint: Endpoint): void {
    const { mode, id } = endpoint.state;
    if (mode.kind === 'relay') {
      const feeders = this.#feeders.get(mode.partner) ?? new Set();
      this.#feeders.set(mode.partner, feeders.add(endpoint));
    } else if (mode.kind === 'conference') {
      this.#frames.join(endpoint, mode.room);
    }
    if (endpoint.playback !== null || !endpoint.sender.idle) this.#frames.generate(endpoint);
    this.#link(endpoint);
    this.#relinkFeeders(id);
  }

  #leave(endpoint: Endpoint): void {
    const { mode } = endpoint.state;
    if (mode.kind === 'relay') {
      const feeders = this.#feeders.get(mode.partner);
      feeders?.delete(endpoint);
      if (feeders?.size === 0) this.#feeders.delete(mode.partner);
      endpoint.partner = null;
    } else if (mode.kind === 'conference') {
      this.#frames.leave(endpoint, mode.room);
    }
  }

  #relinkFeeders(id: string): void {
    const feeders = this.#feeders.get(id);
    if (feeders !== undefined) for (const feeder of feeders) this.#link(feeder);
  }

  /** Finds the partner; one that makes a stream of its own, or listens to another, takes nothing from us. */
  #link(endpoint: Endpoint): void {
    const { mode, id, format } = endpoint.state;
    endpoint.partner = null;
    if (mode.kind !== 'relay') return;
    const partner = this.#endpoints.get(mode.partner);
    if (partner === undefined) return;
    const theirs = partner.state.mode;
    if (theirs.kind !== 'idle' && !(theirs.kind === 'relay' && theirs.partner === id)) return;
    endpoint.partner = partner;
    endpoint.path = new RelayPath(format, partner.state.format);
  }

  #signal(endpoint: Endpoint, now: number): void {
    const { remote, remoteRtcp } = endpoint.state;
    const { ips } = this.#io;
    const ip = remote === null ? 0 : ips.toNumber(remote.ip);
    endpoint.source.signal(ip, remote === null || ip === 0 ? 0 : remote.port, now);
    const rtcp = remoteRtcp ?? (remote === null || remote.port === 0 ? null : { ip: remote.ip, port: remote.port + 1 });
    const rtcpIp = rtcp === null ? 0 : ips.toNumber(rtcp.ip);
    endpoint.rtcpSource.signal(rtcpIp, rtcp === null || rtcpIp === 0 ? 0 : rtcp.port, now);
  }
}

function failureOf(state: EndpointState, code: string, message: string): Failure {
  return { id: state.id, code, message };
}
