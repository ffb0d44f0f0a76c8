import type { Clock, Logger } from '../base/index.ts';
import type { EndpointReport, EndpointState, MediaCommand, MediaEvent, MediaMessage } from '../media/protocol.ts';
import { MEDIA_PROTOCOL_VERSION } from '../media/protocol.ts';

/** A connection to `media` that comes back by itself. */
export interface MediaLink {
  /** Sends when connected; what is said while it is not is lost, which `MediaClient` knows. */
  send(command: MediaCommand): void;
  onMessage(receive: (message: MediaMessage) => void): void;
  onConnect(connected: () => void): void;
  close(): void;
}

/** Endpoints in one `set`, so that a line stays well below `media`'s limit. */
const ENDPOINTS_PER_COMMAND = 100;
/** `list` requests that may wait for their answer. */
const MAXIMUM_LISTS = 64;
/** A port that cannot be opened fails with the system's name of the error. */
const SYSTEM_ERROR = /^E[A-Z]+$/;

export interface MediaClientOptions {
  readonly link: MediaLink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The answer to a `set` that opened a port: null, or an error code. Also a port lost later, to a new `media`. */
  readonly onOpened: (id: string, failure: string | null) => void;
  readonly onEvent: (event: MediaEvent) => void;
}

/**
 * Keeps `media` at what every endpoint shall be. After each connection, to the same process or a new one, everything is
 * said again: `set` is idempotent.
 */
export class MediaClient {
  readonly #options: MediaClientOptions;
  readonly #desired = new Map<string, EndpointState>();
  readonly #opening = new Set<string>();
  readonly #unsent = new Set<string>();
  readonly #requests = new Map<number, readonly string[]>();
  readonly #lists = new Map<number, (reports: readonly EndpointReport[]) => void>();
  #request = 0;
  #connected = false;
  #closesStrays = false;
  #runtime: string | null = null;

  constructor(options: MediaClientOptions) {
    this.#options = options;
    options.link.onConnect(() => this.#hello());
    options.link.onMessage((message) => this.#receive(message));
  }

  get connected(): boolean {
    return this.#connected;
  }

  set(endpoint: EndpointState, opening: boolean): void {
    this.#desired.set(endpoint.id, endpoint);
    if (opening) this.#opening.add(endpoint.id);
    this.#unsent.add(endpoint.id);
  }

  closeEndpoint(id: string): void {
    if (!this.#desired.delete(id)) return;
    this.#opening.delete(id);
    this.#unsent.delete(id);
    if (this.#connected) this.#options.link.send({ kind: 'close', request: this.#next(), ids: [id] });
  }

  sendDtmf(id: string, digits: string, durationMilliseconds: number): void {
    if (this.#connected) this.#options.link.send({ kind: 'sendDtmf', request: this.#next(), id, digits, durationMilliseconds });
  }

  /** Sends what `set` collected; called at the end of each step. */
  flush(): void {
    if (!this.#connected || this.#unsent.size === 0) return;
    const ids = [...this.#unsent];
    this.#unsent.clear();
    this.#sendSet(ids);
  }

  /** Reports of all endpoints; not called back while `media` is away. */
  list(receive: (reports: readonly EndpointReport[]) => void): void {
    if (!this.#connected || this.#lists.size >= MAXIMUM_LISTS) return;
    const request = this.#next();
    this.#lists.set(request, receive);
    this.#options.link.send({ kind: 'list', request, ids: null });
  }

  /** Closes what no call knows, now and after each connection. Only after a complete read of the store: until then all stay and serve. */
  closeStrays(): void {
    this.#closesStrays = true;
    this.list((reports) => {
      const strays = reports.map((report) => report.state.id).filter((id) => !this.#desired.has(id));
      if (strays.length === 0) return;
      this.#options.logger.log('notice', `${strays.length} media endpoints without a call are closed`);
      for (let index = 0; index < strays.length; index += ENDPOINTS_PER_COMMAND) {
        this.#options.link.send({ kind: 'close', request: this.#next(), ids: strays.slice(index, index + ENDPOINTS_PER_COMMAND) });
      }
    });
  }

  #next(): number {
    this.#request += 1;
    return this.#request;
  }

  #hello(): void {
    this.#connected = true;
    this.#requests.clear();
    this.#lists.clear();
    this.#options.link.send({ kind: 'hello', request: this.#next(), version: MEDIA_PROTOCOL_VERSION });
    this.#unsent.clear();
    this.#sendSet([...this.#desired.keys()]);
    // What was to be closed while `media` was dead came back from its journal.
    if (this.#closesStrays) this.closeStrays();
  }

  #sendSet(ids: readonly string[]): void {
    for (let index = 0; index < ids.length; index += ENDPOINTS_PER_COMMAND) {
      const endpoints = ids.slice(index, index + ENDPOINTS_PER_COMMAND).flatMap((id) => this.#desired.get(id) ?? []);
      if (endpoints.length === 0) continue;
      const request = this.#next();
      const opening = endpoints.map((endpoint) => endpoint.id).filter((id) => this.#opening.has(id));
      if (opening.length > 0) this.#requests.set(request, opening);
      this.#options.link.send({ kind: 'set', request, endpoints });
    }
  }

  #receive(message: MediaMessage): void {
    switch (message.kind) {
      case 'hello':
        if (this.#runtime !== null && this.#runtime !== message.runtime) {
          this.#options.logger.log('warning', `media is a new process (${message.pid}); ${this.#desired.size} endpoints were said again`);
        }
        this.#runtime = message.runtime;
        return;
      case 'done': {
        const opening = this.#requests.get(message.request) ?? [];
        this.#requests.delete(message.request);
        const failed = new Map(message.failed.map((entry) => [entry.id, entry.code]));
        for (const [id, code] of failed) {
          if (opening.includes(id)) continue;
          this.#options.logger.log('error', `media could not set an endpoint: ${code}`, { uuid: id });
          if (SYSTEM_ERROR.test(code)) this.#options.onOpened(id, code);
        }
        for (const id of opening) {
          if (!this.#opening.delete(id)) continue;
          this.#options.onOpened(id, failed.get(id) ?? null);
        }
        return;
      }
      case 'report': {
        const receive = this.#lists.get(message.request);
        this.#lists.delete(message.request);
        receive?.(message.endpoints);
        return;
      }
      case 'learned': {
        const endpoint = this.#desired.get(message.id);
        if (endpoint !== undefined) this.#desired.set(message.id, { ...endpoint, learned: message.source });
        this.#options.onEvent(message);
        return;
      }
      case 'dtmf':
      case 'timeout':
      case 'played':
      case 'floor':
        this.#options.onEvent(message);
        return;
      default:
        return;
    }
  }
}
