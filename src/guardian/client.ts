import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Address, type Logger, UndropError } from '../base/index.ts';
import { DescriptorReceiver, maximumDescriptorsAtOnce, openSocket, sendDescriptor } from '../io/index.ts';
import { guardianDescriptorsName, guardianSocketName, socketPath, switchDescriptorsName } from './layout.ts';
import { LineChannel, strings } from './line-channel.ts';
import { type Death, isStopHow, parseSocketKey, type StopHow, type ToGuardian, type ToSwitch } from './messages.ts';

const reconnectMilliseconds = 50;
/** How long a start waits for a guardian before it does without. */
const connectMilliseconds = 1_000;
const answerMilliseconds = 2_000;
const inUseMilliseconds = 100;
const inUseAttempts = 20;

/** A bound descriptor (Linux), the address to open (elsewhere), or why not. */
export type SocketGrant = { readonly fd: number } | { readonly address: Address } | { readonly error: UndropError };

type SocketsAnswer = Extract<ToSwitch, { kind: 'sockets' }>;

export interface GuardianClientOptions {
  readonly stateDirectory: string;
  /** The uuid of this life of the switch. */
  readonly runtime: string;
  readonly logger: Logger;
}

/**
 * The switch's side of the guardian's control channel. Reconnects for ever; a dead guardian is no fault of the switch,
 * which goes on and gives its sockets back to the next one.
 */
export class GuardianClient {
  readonly #options: GuardianClientOptions;
  readonly #run: string;
  readonly #held = new Map<string, number>();
  #channel: LineChannel<ToSwitch, ToGuardian> | null = null;
  #answer: ((answer: SocketsAnswer | null) => void) | null = null;
  #connected: (() => void) | null = null;
  #requests: Promise<unknown> = Promise.resolve();
  #ready = false;
  #closed = false;
  #onStop: ((how: StopHow) => void) | null = null;
  /** Asked before anyone listened: a guardian that is stopping says so as soon as it hears of a new switch. */
  #stopAsked: StopHow | null = null;
  #onDeaths: (deaths: readonly Death[]) => void = () => undefined;

  constructor(options: GuardianClientOptions) {
    this.#options = options;
    this.#run = join(options.stateDirectory, 'run');
  }

  /** Resolves when connected, or after a second without a guardian; never rejects. */
  connect(): Promise<void> {
    return new Promise((resolve) => {
      const bound = setTimeout(() => {
        this.#options.logger.log('warning', 'no guardian answers; its sockets are opened here');
        resolve();
      }, connectMilliseconds);
      this.#connected = () => {
        clearTimeout(bound);
        resolve();
      };
      this.#dial();
    });
  }

  /**
   * Sockets for keys such as `udp:192.0.2.1:5060` (IPv6 in brackets): from the guardian, or opened here when there is none.
   * Never rejects. A descriptor is the caller's to read from; before it is closed, `release` its key.
   */
  requestSockets(keys: readonly string[]): Promise<Map<string, SocketGrant>> {
    const request = this.#requests.then(() => this.#request(keys));
    this.#requests = request;
    return request;
  }

  /** The switch serves: `run/ready` is written, and again by each later guardian. */
  ready(): void {
    this.#ready = true;
    this.#channel?.send({ kind: 'ready', runtime: this.#options.runtime });
  }

  /** Called when the switch shall end; perhaps more than once, for `drain` with something faster later. */
  onStop(stop: (how: StopHow) => void): void {
    this.#onStop = stop;
    if (this.#stopAsked !== null) stop(this.#stopAsked);
    this.#stopAsked = null;
  }

  /** Called with the last deaths (at most 100) at each connection and after each new death. */
  onDeaths(report: (deaths: readonly Death[]) => void): void {
    this.#onDeaths = report;
  }

  /** The guardian shall not hold these any more. */
  release(keys: readonly string[]): void {
    for (const key of keys) this.#held.delete(key);
    this.#channel?.send({ kind: 'release', keys });
  }

  /** Asks the guardian to end everything, as `undrop stop` does. False when there is no guardian. */
  requestStop(how: StopHow): boolean {
    this.#channel?.send({ kind: 'stopRequest', how });
    return this.#channel !== null;
  }

  /** While draining: how many calls are left. */
  draining(calls: number): void {
    this.#channel?.send({ kind: 'draining', calls });
  }

  /** Told to stop, the switch has done all it had to and exits now. */
  stopped(): void {
    this.#channel?.send({ kind: 'stopped' });
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
  }

  #dial(): void {
    if (this.#closed) return;
    const socket = connect(socketPath(this.#run, guardianSocketName));
    const channel = new LineChannel<ToSwitch, ToGuardian>(
      socket,
      (message) => this.#handle(message),
      () => {
        if (this.#channel === channel) this.#channel = null;
        this.#answer?.(null);
        setTimeout(() => this.#dial(), reconnectMilliseconds).unref();
      },
    );
    socket.once('connect', () => {
      this.#channel = channel;
      channel.send({ kind: 'hello', role: 'switch', pid: process.pid, runtime: this.#options.runtime, held: [...this.#held.keys()] });
      if (this.#ready) channel.send({ kind: 'ready', runtime: this.#options.runtime });
      this.#connected?.();
      this.#connected = null;
    });
  }

  #handle(message: ToSwitch): void {
    switch (message.kind) {
      case 'sockets':
        this.#answer?.(message);
        return;
      case 'giveSockets':
        this.#giveBack(strings(message.keys, maximumDescriptorsAtOnce));
        return;
      case 'deaths':
        if (Array.isArray(message.deaths)) this.#onDeaths(message.deaths);
        return;
      case 'stop':
        if (!isStopHow(message.how)) return;
        if (this.#onStop === null) this.#stopAsked = message.how;
        else this.#onStop(message.how);
        return;
      default:
        // From a later guardian; what is not known is not needed.
        return;
    }
  }

  #giveBack(keys: readonly string[]): void {
    const path = socketPath(this.#run, guardianDescriptorsName);
    for (const key of keys) {
      const fd = this.#held.get(key);
      try {
        if (fd !== undefined) sendDescriptor(path, key, fd);
      } catch (error) {
        this.#options.logger.log('warning', `a socket could not be given back: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#channel?.send({ kind: 'gaveSockets', keys });
  }

  async #request(keys: readonly string[]): Promise<Map<string, SocketGrant>> {
    const grants = new Map<string, SocketGrant>();
    for (let index = 0; index < keys.length; index += maximumDescriptorsAtOnce) {
      const chunk = keys.slice(index, index + maximumDescriptorsAtOnce);
      for (const [key, grant] of await this.#requestChunk(chunk)) grants.set(key, grant);
    }
    for (const [key, grant] of grants) if ('fd' in grant) this.#held.set(key, grant.fd);
    return grants;
  }

  /** A guardian that was just restarted may hold the addresses before it answers; so "in use" is asked again for a while. */
  async #requestChunk(keys: readonly string[]): Promise<Map<string, SocketGrant>> {
    const grants = new Map<string, SocketGrant>();
    for (let attempt = 1; ; attempt += 1) {
      const missing = keys.filter((key) => !grants.has(key));
      if (process.platform === 'linux' && this.#channel !== null) await this.#requestFromGuardian(missing, grants);
      let inUse = false;
      for (const key of missing) {
        if (grants.has(key)) continue;
        const grant = this.#openHere(key);
        if ('error' in grant && grant.error.code === 'EADDRINUSE' && attempt < inUseAttempts) inUse = true;
        else grants.set(key, grant);
      }
      if (!inUse) return grants;
      await new Promise((resolve) => setTimeout(resolve, inUseMilliseconds));
    }
  }

  async #requestFromGuardian(keys: readonly string[], grants: Map<string, SocketGrant>): Promise<void> {
    const path = socketPath(this.#run, switchDescriptorsName);
    rmSync(path, { force: true });
    const receiver = new DescriptorReceiver(path);
    try {
      const answer = await this.#ask(keys);
      for (const { key, fd } of receiver.take()) grants.set(key, { fd });
      for (const result of answer?.results ?? []) {
        if (!result.ok) grants.set(result.key, { error: new UndropError(result.code, result.message, { where: result.key }) });
      }
    } finally {
      receiver.close();
      rmSync(path, { force: true });
    }
  }

  /** null: the guardian died or did not answer in time. */
  #ask(keys: readonly string[]): Promise<SocketsAnswer | null> {
    return new Promise((resolve) => {
      const done = (answer: SocketsAnswer | null): void => {
        clearTimeout(bound);
        this.#answer = null;
        resolve(answer);
      };
      const bound = setTimeout(() => done(null), answerMilliseconds);
      this.#answer = done;
      this.#channel?.send({ kind: 'sockets', keys, fdPath: join('run', switchDescriptorsName) });
    });
  }

  #openHere(key: string): SocketGrant {
    const parsed = parseSocketKey(key);
    if (parsed === null) return { error: new UndropError('SOCKET_KEY', `"${key}" is not a socket`) };
    const address = { ip: parsed.ip, port: parsed.port };
    if (process.platform !== 'linux') return { address };
    try {
      return { fd: openSocket(parsed.transport, address) };
    } catch (error) {
      if (error instanceof UndropError) return { error };
      throw error;
    }
  }
}
