import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Address, Logger, LogLevel } from '../base/index.ts';
import { UndropError } from '../base/index.ts';
import { CdrWriter } from '../checkpoint/index.ts';
import type { Config } from '../config/index.ts';
import { loadConfig } from '../config/index.ts';
import { createCommandRegistry, EventSocketServer } from '../console/index.ts';
import { GuardianClient, type StopHow } from '../guardian/index.ts';
import { createLogger, LineClient, replaceFile, systemClock, systemRandom, UdpSocket } from '../io/index.ts';
import type { MediaCommand, MediaMessage } from '../media/protocol.ts';
import { nodeFiles, SqliteStore } from '../store/index.ts';
import { Switch } from './switch.ts';
import { CoreView } from './view.ts';

/** Exit code of a start that the user has to mend something for (sysexits.h, EX_CONFIG). */
const EXIT_CONFIG = 78;
/** Exit code of a start that shall be tried again (sysexits.h, EX_TEMPFAIL): nothing is wrong with the configuration. */
const EXIT_TEMPORARY = 75;
const TEMPORARY_ERRORS: readonly string[] = ['STORE_FULL', 'STORE_BUSY'];
/** FreeSWITCH's numbers, for `log` of the event socket. */
const LEVEL_NUMBERS: Readonly<Record<LogLevel, number>> = { alert: 1, critical: 2, error: 3, warning: 4, notice: 5, info: 6, debug: 7 };
const EXPIRE_INTERVAL = 10_000;
/** `stop --now` gives the far ends this long to answer our BYEs. */
const HANGUP_BOUND = 8_000;

/** Runs the switch process: configuration, store, recovery, and only then signalling. */
export async function runSwitch(options: { readonly configDirectory: string; readonly stateDirectory: string }): Promise<void> {
  try {
    await start(options.configDirectory, options.stateDirectory);
  } catch (error) {
    if (!(error instanceof UndropError)) throw error;
    const text = `undrop: ${error.describe()}\n`;
    process.stderr.write(text);
    if (TEMPORARY_ERRORS.includes(error.code)) process.exit(EXIT_TEMPORARY);
    writeFileSync(join(options.stateDirectory, 'run', 'start-error'), text);
    process.exit(EXIT_CONFIG);
  }
}

function localAddress(family: 'IPv4' | 'IPv6'): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const address of addresses ?? []) {
      if (address.family === family && !address.internal && !address.address.startsWith('fe80')) return address.address;
    }
  }
  return family === 'IPv4' ? '127.0.0.1' : '::1';
}

async function start(configDirectory: string, stateDirectory: string): Promise<void> {
  const processStartedAt = systemClock.wallMicroseconds() - Math.round(process.uptime() * 1_000_000);
  const coreUuid = systemRandom.uuid();
  const localIpv4 = localAddress('IPv4');
  const localIpv6 = localAddress('IPv6');
  const load = (): Config =>
    loadConfig({ directory: configDirectory, stateDirectory, hostname: hostname(), localIpv4, localIpv6, coreUuid });

  // Connecting to the guardian and opening the store take as long as they take; the configuration is read meanwhile.
  const system = createLogger({ target: { file: join(stateDirectory, 'log', 'undrop.log') }, level: 'debug', name: 'switch' });
  const guardian = new GuardianClient({ stateDirectory, runtime: coreUuid, logger: system });
  const connected = guardian.connect();
  const config = load();
  system.setLevel(levelOf(config.logLevel));
  for (const warning of config.warnings) system.log('warning', `${warning.position.file}:${warning.position.line}: ${warning.message}`);
  mkdirSync(join(stateDirectory, 'cdr'), { recursive: true });
  const store = new SqliteStore({ path: config.coreDatabase.path ?? join(stateDirectory, 'db', 'core.db'), clock: systemClock });
  const { epoch, notices } = await store.open(config.switchname);
  for (const notice of notices ?? []) system.log('error', notice);
  await connected;

  const sockets = await openSockets(config, guardian);
  let view: CoreView | null = null;
  const logger: Logger = {
    log: (level, message, fields) => {
      system.log(level, message, fields);
      view?.publishLog({ level: LEVEL_NUMBERS[level], text: message, uuid: typeof fields?.['uuid'] === 'string' ? fields['uuid'] : null });
    },
  };
  const media = new LineClient<MediaMessage, MediaCommand>(join(stateDirectory, 'run', 'media.sock'));
  const core = new Switch({
    config,
    clock: systemClock,
    random: systemRandom,
    logger,
    store,
    epoch,
    coreUuid,
    processStartedAt,
    media,
    cdr: new CdrWriter({ directory: join(stateDirectory, 'cdr'), files: nodeFiles, clock: systemClock, logger }),
    secret: nonceSecret(stateDirectory),
    send: (profile, bytes, destination) => sockets.get(profile)?.send(bytes, destination),
    onEvent: (event) => view?.publish(event),
  });
  let ending = false;
  const recovered = Promise.withResolvers<void>();
  const end = (how: StopHow): void => {
    if (ending && how !== 'now') return;
    ending = true;
    core.paused.inbound = true;
    // Calls that are not back yet can neither be waited for nor hung up.
    const begin = how === 'restart' ? Promise.resolve() : recovered.promise;
    void begin.then(() => shutDown(core, guardian, how, () => system.flush()));
  };
  guardian.onStop(end);
  view = new CoreView({
    core,
    startedAtMicroseconds: processStartedAt,
    localIpv4,
    localIpv6,
    reload: async () => load(),
    shutdown: (how) => {
      const stop: StopHow = how === 'now' ? 'now' : how === 'restart' ? 'restart' : 'drain';
      if (!guardian.requestStop(stop)) end(stop);
    },
    trace: (line) => logger.log('info', line),
  });
  const registry = createCommandRegistry(view, { clock: systemClock, random: systemRandom, version: version() });
  const console = new EventSocketServer({ registry, view, config: config.eventSocket, logger, clock: systemClock, random: systemRandom });

  core.registrar.load(await store.loadRegistrations(config.switchname));
  media.start();
  if (config.recoverOnStart) await core.recovery.recoverAtStart();
  else await core.recovery.skip();

  for (const [profile, socket] of sockets) {
    socket.onMessage((bytes: Uint8Array, source: Address) => core.receive(profile, bytes, source));
    socket.start();
  }
  recovered.resolve();
  await console.listen();
  expireRegistrations(core);
  for (const command of config.apiOnStartup) {
    const reply = await registry.execute(command);
    logger.log('notice', `api_on_startup: ${command}: ${reply.trim()}`);
  }
  guardian.ready();
  system.log('notice', `ready: switchname ${config.switchname}, epoch ${epoch}, runtime ${coreUuid}`);
}

function levelOf(name: string): LogLevel {
  const known: readonly LogLevel[] = ['alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];
  return (
    known.find((level) => level === name || (name === 'err' && level === 'error') || (name === 'crit' && level === 'critical')) ?? 'info'
  );
}

/** One socket a profile, from the guardian, which holds it while we are dead. Nothing is read yet. */
async function openSockets(config: Config, guardian: GuardianClient): Promise<Map<string, UdpSocket>> {
  const keys = new Map<string, string>();
  for (const profile of config.profiles.values()) {
    const ip = profile.sipIp.includes(':') ? `[${profile.sipIp}]` : profile.sipIp;
    keys.set(profile.name, `udp:${ip}:${profile.sipPort}`);
  }
  const grants = await guardian.requestSockets([...keys.values()]);
  const sockets = new Map<string, UdpSocket>();
  for (const [name, key] of keys) {
    const grant = grants.get(key);
    const profile = config.profiles.get(name);
    if (grant === undefined || profile === undefined) continue;
    if ('error' in grant) {
      const { file, line } = profile.position;
      throw new UndropError(grant.error.code, `profile ${name} cannot listen on ${key}: ${grant.error.message}`, {
        where: `${file}:${line}`,
        fix: 'stop the program that uses the address, or change sip-ip or sip-port',
      });
    }
    sockets.set(name, 'fd' in grant ? UdpSocket.fromDescriptor(grant.fd) : await UdpSocket.open(grant.address));
  }
  return sockets;
}

/** The key of digest nonces lives as long as the state folder, so that a nonce given before a crash is good after it. */
function nonceSecret(stateDirectory: string): string {
  const path = join(stateDirectory, 'db', 'nonce.key');
  try {
    const known = readFileSync(path, 'utf8').trim();
    if (known.length >= 32) return known;
  } catch {
    // The first start makes it.
  }
  const secret = systemRandom.token(43);
  replaceFile(path, `${secret}\n`);
  return secret;
}

function expireRegistrations(core: Switch): void {
  systemClock.setTimer(EXPIRE_INTERVAL, () => {
    const changes = core.registrar.expire();
    if (changes.length > 0) core.writer.save(changes, () => undefined);
    expireRegistrations(core);
  });
}

/** Ends as asked: `restart` leaves calls, rows and audio; `drain` waits for the last call; `now` hangs up everything. */
async function shutDown(core: Switch, guardian: GuardianClient, how: StopHow, flush: () => void): Promise<void> {
  const bound = new Promise<void>((resolve) => systemClock.setTimer(HANGUP_BOUND, resolve));
  if (how === 'drain') {
    const report = (): void => {
      guardian.draining(core.busy);
      systemClock.setTimer(1000, report);
    };
    report();
    await core.emptied();
  } else if (how === 'now') {
    core.hangupAll('MANAGER_REQUEST');
    await Promise.race([core.emptied(), bound]);
  }
  core.stop();
  await Promise.race([core.writer.drained(), bound]);
  guardian.stopped();
  flush();
  process.exit(0);
}

function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : '0';
}
