import { Schedule } from './schedule.ts';
import { SeededRandom } from './seeded-random.ts';
import { simulatedConfiguration } from './simulated-configuration.ts';
import { type NetworkFaults, NO_FAULTS, SimulatedNetwork } from './simulated-network.ts';
import { type CrashKind, SimulatedNode } from './simulated-node.ts';
import { SimulatedPhone } from './simulated-phone.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly sipFaults?: NetworkFaults;
  readonly rtpFaults?: NetworkFaults;
  readonly profileParameters?: Readonly<Record<string, string>>;
  readonly phones?: number;
}

const RESTART_LOW = 100;
const RESTART_HIGH = 700;
/** Virtual time after which everything must be over. */
const LIMIT = 400_000;

/** One switch, its phones and the networks between them, on virtual time and from one seed. */
export class SimulatedWorld {
  readonly schedule = new Schedule();
  readonly random: SeededRandom;
  readonly sip: SimulatedNetwork;
  readonly rtp: SimulatedNetwork;
  readonly node: SimulatedNode;
  readonly phones: readonly SimulatedPhone[];
  readonly violations: string[] = [];
  readonly reorders: boolean;
  readonly rtpReorders: boolean;
  /** From then on the switch may end calls too. */
  somebodyHungUp = false;
  /** The dialplan itself ends the call. */
  endsByItself = false;
  /** The switch may cancel a ringing phone. */
  mayCancel = false;
  /** A refusal that the scenario is about. */
  expectedRefusal = 0;
  expectsSound = true;
  /** Points passed, in order, while counting. */
  readonly points: string[] = [];
  readonly #crashAt = new Map<number, CrashKind>();

  constructor(options: WorldOptions) {
    this.random = new SeededRandom(options.seed);
    const sipFaults = options.sipFaults ?? NO_FAULTS;
    const rtpFaults = options.rtpFaults ?? NO_FAULTS;
    this.reorders = sipFaults.reordering > 0 || sipFaults.loss > 0;
    this.rtpReorders = rtpFaults.reordering > 0 || rtpFaults.duplication > 0;
    this.sip = new SimulatedNetwork(this.schedule, this.random, sipFaults, true);
    this.rtp = new SimulatedNetwork(this.schedule, this.random, rtpFaults, false);
    this.node = new SimulatedNode({
      schedule: this.schedule,
      random: this.random,
      sip: this.sip,
      rtp: this.rtp,
      config: simulatedConfiguration(options.profileParameters),
      restartLow: RESTART_LOW,
      restartHigh: RESTART_HIGH,
      crashPoint: (name) => this.#crashPoint(name),
    });
    this.phones = Array.from({ length: options.phones ?? 4 }, (_, index) => new SimulatedPhone(this, index + 1));
  }

  get mayEnd(): boolean {
    return this.somebodyHungUp || this.endsByItself;
  }

  phone(digit: number): SimulatedPhone {
    const phone = this.phones[digit - 1];
    if (phone === undefined) throw new Error(`there is no phone ${digit}`);
    return phone;
  }

  violation(text: string): void {
    if (this.violations.length < 50) this.violations.push(`${(this.schedule.now() / 1000).toFixed(3)} s: ${text}`);
  }

  /** A console's `originate`: the switch calls a phone, and runs an application with who answers. */
  originate(digit: number, application: string, data = ''): void {
    const { core, profile } = this.node;
    if (core === null || !this.node.ready) {
      this.schedule.setTimer(1, () => this.originate(digit, application, data));
      return;
    }
    const { address, name } = this.phone(digit);
    const { result } = core.engine.originate(
      {
        profile,
        target: `sip:${name}@${address.ip}:${address.port}`,
        destination: address,
        destinationNumber: name,
        originator: null,
        variables: new Map(),
        callerIdName: 'Console',
        callerIdNumber: '0000000000',
        applications: [{ application, data }],
        context: 'public',
      },
      60,
    );
    core.apply(result);
  }

  /** Kills at the n-th point, counted from 0 over all lives. */
  crashAtPoint(point: number, kind: CrashKind): void {
    this.#crashAt.set(point, kind);
  }

  #crashPoint(name: string): void {
    const point = this.points.length;
    this.points.push(name);
    const kind = this.#crashAt.get(point);
    if (kind !== undefined) this.node.crash(kind);
  }

  /** Runs to the end: no call is left anywhere, and everything about them is written. */
  async run(limit = LIMIT): Promise<void> {
    const refused = (reason: unknown): void => this.violation(`exception: ${reason instanceof Error ? reason.stack : String(reason)}`);
    process.on('unhandledRejection', refused);
    try {
      const isOver = await this.schedule.run(limit, () => this.#isOver());
      if (!isOver) this.violation(`not over: ${this.#remains()}`);
      await this.schedule.run(this.schedule.now() + 500, () => false);
    } catch (error) {
      this.violation(`exception: ${error instanceof Error ? error.stack : String(error)}`);
    } finally {
      process.off('unhandledRejection', refused);
    }
    this.#verify();
  }

  /** Lets virtual time pass; the calls go on. */
  async pass(milliseconds: number): Promise<void> {
    await this.schedule.run(this.schedule.now() + milliseconds, () => false);
  }

  #isOver(): boolean {
    const { node } = this;
    if (!node.ready || node.core === null || node.core.busy > 0) return false;
    for (const phone of this.phones) for (const call of phone.calls) if (call.state !== 'ended') return false;
    return node.database.rows.length === 0 && node.endpoints.length === 0 && this.phones.some((phone) => phone.calls.length > 0);
  }

  #remains(): string {
    const { node } = this;
    const calls = this.phones.flatMap((phone) =>
      phone.calls.filter((call) => call.state !== 'ended').map((call) => `${phone.name} ${call.state}`),
    );
    const legs = [...(node.core?.engine.legs.values() ?? [])].map((leg) => `${leg.record.direction} ${leg.record.phase}`);
    const rows = node.database.rows.map((row) => row.state);
    return JSON.stringify({ ready: node.ready, calls, legs, rows, endpoints: node.endpoints.length });
  }

  /** What must hold at the end, whatever happened. */
  #verify(): void {
    const { node } = this;
    for (const uuid of node.everStored) if (!node.cdrs.has(uuid)) this.violation(`leg ${uuid} has no CDR`);
    const written = [...node.cdrs.values()].map((versions) => versions.at(-1) ?? '');
    for (const phone of this.phones) {
      for (const call of phone.calls) {
        const count = written.filter((xml) => xml.includes(`<sip_call_id>${encodeURIComponent(call.callId)}</sip_call_id>`)).length;
        if (call.answeredAt >= 0 && count !== 1) this.violation(`${phone.name}: ${count} CDRs for an answered call`);
        // With a lossy network the 200 may have been lost before the crash.
        if (call.byeUnknown && !this.reorders) this.violation(`${phone.name}: BYE got 481 and no BYE came: the call was forgotten`);
        if (call.ssrcs.size > 1) this.violation(`${phone.name}: ${call.ssrcs.size} SSRCs in one call`);
        if (call.end === 'timeout' && !call.plan.mute) this.violation(`${phone.name}: a call ended by timeout`);
      }
    }
  }
}
