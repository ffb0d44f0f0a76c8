import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, causeName, formatAddress, type Logger, type Random, type Timer, UndropError } from '../../base/index.ts';
import type { EventSocketConfig } from '../../config/index.ts';

import type { CommandRegistry } from '../command/registry.ts';
import type { SwitchEvent, SwitchView } from '../switch-view.ts';
import { duration } from '../time-text.ts';
import { compileAcl } from './acl.ts';
import { ClientConnection, type ConnectionHost, sharedText } from './client-connection.ts';

export const MAXIMUM_CLIENTS = 64;
/** Most `bgapi` commands running at one time. */
const MAXIMUM_JOBS = 256;
const AUTH_TIMEOUT_MILLISECONDS = 30_000;
const HEARTBEAT_MILLISECONDS = 20_000;

export interface EventSocketServerOptions {
  readonly registry: CommandRegistry;
  readonly view: SwitchView;
  readonly config: EventSocketConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** FreeSWITCH's event socket, inbound mode: commands in, events and log lines out. */
export class EventSocketServer {
  readonly #options: EventSocketServerOptions;
  readonly #host: ConnectionHost;
  readonly #clients = new Map<Socket, ClientConnection>();
  #server: Server | null = null;
  #jobs = 0;
  #heartbeat: Timer | null = null;
  #unsubscribe: (() => void)[] = [];

  constructor(options: EventSocketServerOptions) {
    this.#options = options;
    const { view, config, logger, random } = options;
    this.#host = {
      password: config.password,
      logger,
      execute: (line) => this.#execute(line),
      startJob: (line, wantedUuid) => this.#startJob(line, wantedUuid),
      fireEvent: (name, headers, body) => {
        const uuid = random.uuid();
        const subclass = headers.find(([header]) => header.toLowerCase() === 'event-subclass')?.[1] ?? null;
        const own = headers.filter(([header]) => !['content-length', 'event-name', 'event-subclass'].includes(header.toLowerCase()));
        this.#publish({ name, subclass, channel: null, headers: [['Event-UUID', uuid], ...own], body });
        return uuid;
      },
      channelExists: (uuid) => view.channel(uuid) !== null,
      hangup: (uuid, cause) => view.hangup(uuid, causeName(cause)),
      setVariable: (uuid, name, value) => view.setVariable(uuid, name, value),
    };
  }

  /** The port listened on (as configured, or what the system chose for port 0); null while not listening. */
  get port(): number | null {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  /** Resolves when clients can connect; rejects with `UndropError` when the port is in use or the ACL is wrong. */
  async listen(): Promise<void> {
    const { config, view, logger } = this.#options;
    const allowed = compileAcl(config.acl);
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket, allowed));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, config)));
      server.listen(config.listenPort, config.listenIp, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => logger.log('error', 'event socket listener failed', { error: error.message }));
    this.#server = server;
    this.#unsubscribe = [
      view.subscribe((event) => this.#publish(event)),
      view.subscribeLog((line) => {
        for (const client of this.#clients.values()) client.deliverLog(line);
      }),
    ];
    this.#scheduleHeartbeat();
  }

  /** Stops listening and drops every client. */
  async close(): Promise<void> {
    for (const stop of this.#unsubscribe) stop();
    this.#unsubscribe = [];
    this.#heartbeat?.cancel();
    const server = this.#server;
    this.#server = null;
    for (const [socket, client] of this.#clients) {
      client.closed();
      socket.destroy();
    }
    this.#clients.clear();
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #accept(socket: Socket, allowed: (ip: string) => boolean): void {
    const { logger, clock } = this.#options;
    const peer = socket.remoteAddress ?? '';
    socket.on('error', () => socket.destroy());
    if (!allowed(peer)) {
      const body = 'Access Denied, go away.\n';
      logger.log('warning', `event socket client rejected by acl ${this.#options.config.acl}`, { peer });
      socket.end(`Content-Type: text/rude-rejection\nContent-Length: ${body.length}\n\n${body}`, () => socket.destroy());
      return;
    }
    if (this.#clients.size >= MAXIMUM_CLIENTS) {
      logger.log('warning', `event socket client refused: ${MAXIMUM_CLIENTS} are connected`, { peer });
      socket.destroy();
      return;
    }
    const client = new ClientConnection(socket, this.#host, (expired) => clock.setTimer(AUTH_TIMEOUT_MILLISECONDS, expired));
    this.#clients.set(socket, client);
    socket.on('close', () => {
      client.closed();
      this.#clients.delete(socket);
    });
  }

  #publish(event: SwitchEvent): void {
    const rendered = this.#options.registry.renderer.render(event);
    const textOf = sharedText(rendered);
    for (const client of this.#clients.values()) client.deliver(rendered, textOf);
  }

  /** A fault in a command must not end the calls: it is logged and answered. */
  async #execute(line: string): Promise<string> {
    try {
      return await this.#options.registry.execute(line);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.logger.log('critical', 'console command failed', { command: line.slice(0, 200), error: message });
      return `-ERR internal error: ${message}\n`;
    }
  }

  #startJob(line: string, wantedUuid: string | null): string | null {
    if (this.#jobs >= MAXIMUM_JOBS) return null;
    const uuid = wantedUuid === null || wantedUuid === '' ? this.#options.random.uuid() : wantedUuid.slice(0, 256);
    const [, command = '', argument = ''] = /^(\S*)\s*(.*)$/s.exec(line) ?? [];
    this.#jobs += 1;
    const finish = (reply: string) => {
      this.#jobs -= 1;
      const headers: [string, string][] = [
        ['Job-UUID', uuid],
        ['Job-Command', command],
      ];
      if (argument !== '') headers.push(['Job-Command-Arg', argument]);
      this.#publish({ name: 'BACKGROUND_JOB', subclass: null, channel: null, headers, body: reply });
    };
    void this.#execute(line).then(finish);
    return uuid;
  }

  #scheduleHeartbeat(): void {
    this.#heartbeat = this.#options.clock.setTimer(HEARTBEAT_MILLISECONDS, () => {
      this.#publish(this.#heartbeatEvent());
      this.#scheduleHeartbeat();
    });
  }

  #heartbeatEvent(): SwitchEvent {
    const { view, clock, registry } = this.#options;
    const status = view.status();
    const up = Math.max(0, clock.wallMicroseconds() - view.startedAtMicroseconds);
    const headers: [string, string][] = [
      ['Event-Info', 'System Ready'],
      ['Up-Time', duration(up)],
      ['FreeSWITCH-Version', `undrop ${registry.version}`],
      ['Uptime-msec', String(Math.floor(up / 1000))],
      ['Session-Count', String(status.sessions)],
      ['Max-Sessions', String(status.maxSessions)],
      ['Session-Per-Sec', String(status.sessionsPerSecondMaximum)],
      ['Session-Per-Sec-Last', String(status.sessionsPerSecond)],
      ['Session-Per-Sec-Max', String(status.sessionsPerSecondPeak)],
      ['Session-Per-Sec-FiveMin', String(status.sessionsPerSecondPeakFiveMinutes)],
      ['Session-Since-Startup', String(status.sessionsSinceStart)],
      ['Session-Peak-Max', String(status.peakSessions)],
      ['Session-Peak-FiveMin', String(status.peakSessionsFiveMinutes)],
    ];
    return { name: 'HEARTBEAT', subclass: null, channel: null, headers, body: null };
  }
}

function listenError(error: NodeJS.ErrnoException, config: EventSocketConfig): UndropError {
  const place = formatAddress({ ip: config.listenIp, port: config.listenPort });
  const inUse = error.code === 'EADDRINUSE';
  return new UndropError(
    inUse ? 'ESL_PORT_IN_USE' : 'ESL_LISTEN_FAILED',
    inUse ? `event socket: ${place} is in use by another process` : `event socket: cannot listen on ${place}: ${error.message}`,
    {
      where: 'event_socket.conf.xml',
      fix: inUse ? 'stop the other process (FreeSWITCH?) or change listen-port' : 'check listen-ip and listen-port',
      cause: error,
    },
  );
}
