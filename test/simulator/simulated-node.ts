import type { Address } from '../../src/base/index.ts';
import { silentLogger } from '../../src/base/index.ts';
import type { Config, SipProfile } from '../../src/config/index.ts';
import { ControlServer } from '../../src/media/control-server.ts';
import { JOURNAL_BYTES, Journal, type MediaCommand, type MediaMessage, MediaPlane } from '../../src/media/index.ts';
import { MemoryDatabase, MemoryStore } from '../../src/store/index.ts';
import type { MediaLink } from '../../src/switch/media-client.ts';
import { Switch } from '../../src/switch/switch.ts';
import { SimulatedPacketIo } from '../media/simulated-packet-io.ts';
import { LifeClock, type Schedule } from './schedule.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SWITCH_IP, SWITCH_PORT } from './simulated-configuration.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** `switch` and `media`: that process alone, the guardian lives. `all`: everything, as when the host is reset. */
export type CrashKind = 'switch' | 'media' | 'all';

/** Datagrams that a socket keeps while its reader is dead. */
const SOCKET_QUEUE = 256;
const LINK_DELAY = 0.3;
const RECONNECT = 20;

interface SwitchLife {
  readonly clock: LifeClock;
  readonly store: MemoryStore;
  core: Switch | null;
  link: SimulatedLink | null;
  dead: boolean;
  reading: boolean;
}

interface MediaLife {
  readonly plane: MediaPlane;
  readonly io: SimulatedPacketIo;
  readonly control: ControlServer;
  readonly connections: Map<number, SimulatedLink>;
  dead: boolean;
  tickAt: number;
}

/** The line to `media`, with a delay each way; what is under way when an end dies is lost. */
class SimulatedLink implements MediaLink {
  readonly #node: SimulatedNode;
  readonly #schedule: Schedule;
  #receive: (message: MediaMessage) => void = () => undefined;
  #connected: () => void = () => undefined;
  #closed = false;
  #peer: MediaLife | null = null;
  readonly number: number;

  constructor(node: SimulatedNode, schedule: Schedule, number: number) {
    this.#node = node;
    this.#schedule = schedule;
    this.number = number;
  }

  onMessage(receive: (message: MediaMessage) => void): void {
    this.#receive = receive;
  }

  onConnect(connected: () => void): void {
    this.#connected = connected;
  }

  dial(): void {
    if (this.#closed) return;
    const media = this.#node.media;
    if (media === null) {
      this.#schedule.setTimer(RECONNECT, () => this.dial());
      return;
    }
    this.#peer = media;
    media.connections.set(this.number, this);
    this.#connected();
  }

  send(command: MediaCommand): void {
    const peer = this.#peer;
    if (peer === null || this.#closed) return;
    const line = JSON.stringify(command);
    this.#schedule.setTimer(LINK_DELAY, () => this.#node.mediaLine(peer, this.number, line));
  }

  /** A line of `media` to the switch. */
  deliver(line: string): void {
    const peer = this.#peer;
    this.#schedule.setTimer(LINK_DELAY, () => {
      if (!this.#closed && this.#peer === peer) this.#receive(JSON.parse(line) as MediaMessage);
    });
  }

  /** The other end died. */
  broken(): void {
    this.#peer = null;
    this.#schedule.setTimer(RECONNECT, () => this.dial());
  }

  close(): void {
    this.#closed = true;
    this.#peer?.connections.delete(this.number);
    this.#peer?.control.onDisconnect(this.number);
  }
}

/** Zeroing its header is enough to begin anew, so that one buffer serves all simulations of a test process, one after another. */
const journalBytes = new Uint8Array(JOURNAL_BYTES);

export interface NodeOptions {
  readonly schedule: Schedule;
  readonly random: SeededRandom;
  readonly sip: SimulatedNetwork;
  readonly rtp: SimulatedNetwork;
  readonly config: Config;
  /** Milliseconds from a death to the next life's first instruction. */
  readonly restartLow: number;
  readonly restartHigh: number;
  /** Named points at which a crash may be injected. */
  crashPoint(name: string): void;
}

/** One host: the real switch and the real media plane around a simulated disk, clock and network; each can be killed. */
export class SimulatedNode {
  readonly database = new MemoryDatabase();
  /** CDR files by leg, each time they were written. */
  readonly cdrs = new Map<string, string[]>();
  /** Every leg that was ever on the disk. */
  readonly everStored = new Set<string>();
  /** Virtual time of each crash. */
  readonly crashes: number[] = [];
  readonly #options: NodeOptions;
  #switch: SwitchLife | null = null;
  #media: MediaLife | null = null;
  #guardianLives = true;
  #queued: { readonly bytes: Uint8Array; readonly source: Address }[] = [];
  #connections = 0;
  #storeFree = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    journalBytes.fill(0, 0, 64);
    options.sip.attach(SWITCH_IP, (bytes, source) => this.#receiveSip(bytes, source));
    options.rtp.attach(SWITCH_IP, (bytes, source, local) => this.#receiveRtp(bytes, source, local));
    this.#startMedia();
    this.#startSwitch();
  }

  get core(): Switch | null {
    return this.#switch?.core ?? null;
  }

  get media(): MediaLife | null {
    return this.#media;
  }

  /** Signalling is read: the start, with its recovery, is over. */
  get ready(): boolean {
    return this.#switch?.reading === true && this.#media !== null;
  }

  get endpoints(): readonly string[] {
    const reply = this.#media?.plane.handleCommand({ kind: 'list', request: 0, ids: null });
    return reply?.kind === 'report' ? reply.endpoints.map((endpoint) => endpoint.state.id) : [];
  }

  get profile(): SipProfile {
    const profile = this.#options.config.profiles.get('internal');
    if (profile === undefined) throw new Error('the configuration has a profile "internal"');
    return profile;
  }

  /** SIGKILL; the guardian, or the host's start, brings back what died. */
  crash(kind: CrashKind): void {
    const { schedule, random, restartLow, restartHigh } = this.#options;
    this.crashes.push(schedule.now());
    const restart = random.between(restartLow, restartHigh);
    if (kind !== 'media') this.#killSwitch();
    if (kind !== 'switch') this.#killMedia();
    if (kind === 'all') {
      this.#guardianLives = false;
      this.#queued = [];
      schedule.setTimer(restart * 0.3, () => {
        this.#guardianLives = true;
      });
    }
    if (kind !== 'switch') schedule.setTimer(restart * 0.5, () => this.#startMedia());
    if (kind !== 'media') schedule.setTimer(restart, () => this.#startSwitch());
  }

  #killSwitch(): void {
    const life = this.#switch;
    if (life === null) return;
    this.#switch = null;
    life.dead = true;
    life.clock.die();
    life.core?.stop();
    life.store.crash();
    life.link?.close();
  }

  #killMedia(): void {
    const life = this.#media;
    if (life === null) return;
    this.#media = null;
    life.dead = true;
    for (const link of life.connections.values()) link.broken();
  }

  #startMedia(): void {
    if (this.#media !== null) return;
    const { schedule, random, rtp } = this.#options;
    const io = new SimulatedPacketIo((packet) =>
      rtp.send({ ip: packet.fromIp, port: packet.fromPort }, { ip: packet.toIp, port: packet.toPort }, packet.bytes),
    );
    const connections = new Map<number, SimulatedLink>();
    const plane = new MediaPlane({
      io,
      clock: schedule,
      journal: new Journal(journalBytes),
      random,
      emit: (event) => control.emit(event),
      readFile: (path) => {
        throw new Error(`no file ${path}`);
      },
      pid: 1,
    });
    const control = new ControlServer(
      {
        sendLine: (connection, line) => {
          const link = connections.get(connection);
          link?.deliver(line);
          return link !== undefined;
        },
        disconnect: (connection) => connections.delete(connection),
      },
      (command) => plane.handleCommand(command),
      () => undefined,
    );
    const life: MediaLife = { plane, io, control, connections, dead: false, tickAt: Number.POSITIVE_INFINITY };
    this.#media = life;
    plane.restore();
    this.#scheduleTick(life);
  }

  mediaLine(life: MediaLife, connection: number, line: string): void {
    if (life.dead) return;
    this.#options.crashPoint('media command');
    if (life.dead) return;
    life.control.onLine(connection, line);
    this.#scheduleTick(life);
  }

  #scheduleTick(life: MediaLife): void {
    const at = life.plane.nextTickAt;
    if (at >= life.tickAt || at === Number.POSITIVE_INFINITY) return;
    life.tickAt = at;
    this.#options.schedule.at(
      at,
      () => {
        if (life.dead || life.tickAt !== at) return;
        life.tickAt = Number.POSITIVE_INFINITY;
        life.plane.tick();
        this.#scheduleTick(life);
      },
      true,
    );
  }

  #receiveRtp(bytes: Uint8Array, source: Address, local: Address): void {
    const life = this.#media;
    const socket = life?.io.socketAt(local.ip, local.port);
    if (life == null || socket === undefined) return;
    life.plane.handlePacket(socket, bytes, 0, bytes.length, life.io.ips.toNumber(source.ip), source.port);
    this.#scheduleTick(life);
  }

  #receiveSip(bytes: Uint8Array, source: Address): void {
    const life = this.#switch;
    if (life?.reading === true) life.core?.receive('internal', bytes, source);
    else if (this.#guardianLives && this.#queued.length < SOCKET_QUEUE) this.#queued.push({ bytes, source });
  }

  #startSwitch(): void {
    if (this.#switch !== null) return;
    const { schedule, random } = this.#options;
    const store: MemoryStore = new MemoryStore({
      database: this.database,
      hooks: { schedule: (step, run) => this.#storeStep(life, step, run) },
    });
    const life: SwitchLife = { clock: new LifeClock(schedule), store, core: null, link: null, dead: false, reading: false };
    this.#switch = life;
    void this.#run(life, random.uuid());
  }

  /** In the order of `switch/main.ts`: store, switch, registrations, `media`, recovery, and only then signalling. */
  async #run(life: SwitchLife, coreUuid: string): Promise<void> {
    const { config, random, schedule, sip } = this.#options;
    const processStartedAt = schedule.wallMicroseconds();
    const { epoch } = await life.store.open(config.switchname);
    this.#connections += 1;
    const link = new SimulatedLink(this, schedule, this.#connections);
    life.link = link;
    const core = new Switch({
      config,
      clock: life.clock,
      random,
      logger: silentLogger,
      store: life.store,
      epoch,
      coreUuid,
      processStartedAt,
      media: link,
      cdr: { write: (record, xml) => this.#writeCdr(life, record.uuid, xml) },
      secret: 'the secret of the simulated node',
      send: (_profile, bytes, destination) => sip.send({ ip: SWITCH_IP, port: SWITCH_PORT }, destination, bytes),
      onEvent: () => undefined,
      onEffect: (effect) => {
        if (!life.dead) this.#options.crashPoint(effect.kind);
      },
    });
    life.core = core;
    core.registrar.load(await life.store.loadRegistrations(config.switchname));
    link.dial();
    await core.recovery.recoverAtStart();
    life.reading = true;
    const queued = this.#queued;
    this.#queued = [];
    for (const { bytes, source } of queued) this.#receiveSip(bytes, source);
  }

  /** A commit takes a millisecond or two; a crash may come before it is durable, or before anybody hears of it. */
  #storeStep(life: SwitchLife, step: 'apply' | 'acknowledge', run: () => void): void {
    const { schedule, random } = this.#options;
    const at = Math.max(this.#storeFree, schedule.now() + random.between(0.3, 1.5));
    this.#storeFree = at;
    schedule.at(
      at,
      () => {
        if (life.dead) return;
        this.#options.crashPoint(`store ${step}`);
        if (life.dead) return;
        run();
        for (const row of this.database.rows) this.everStored.add(row.uuid);
      },
      true,
    );
  }

  #writeCdr(life: SwitchLife, uuid: string, xml: string): Promise<void> {
    return new Promise((resolve) => {
      this.#options.schedule.setTimer(1, () => {
        if (life.dead) return;
        this.#options.crashPoint('cdr');
        if (life.dead) return;
        this.cdrs.set(uuid, [...(this.cdrs.get(uuid) ?? []), xml]);
        resolve();
      });
    });
  }
}
