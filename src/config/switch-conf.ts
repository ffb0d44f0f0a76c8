import { isAbsolute, join } from 'node:path/posix';
import type { CoreDatabase, SourcePosition } from './config.ts';
import { names, Parameters, type ParameterTable } from './parameters.ts';
import type { ConfigReport } from './report.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

export interface SwitchConf {
  readonly switchname: string;
  readonly coreDatabase: CoreDatabase;
  readonly maxSessions: number;
  readonly sessionsPerSecond: number;
  readonly rtpStartPort: number;
  readonly rtpEndPort: number;
  readonly logLevel: string;
  readonly recoverOnStart: boolean;
  readonly recoveryAttemptLimit: number;
}

const TABLE: ParameterTable = {
  area: 'switch.conf',
  used: names(`switchname core-db-dsn core-db-name max-sessions sessions-per-second rtp-start-port rtp-end-port loglevel
    recover-on-start recovery-attempt-limit`),
  ignored: names(`colorize-console dialplan-timestamps 1ms-timer cpu-idle-smoothing-depth max-db-handles db-handle-timeout ares-dns-timeout
    event-heartbeat-interval debug-level sql-buffer-len max-sql-buffer-len min-dtmf-duration max-dtmf-duration default-dtmf-duration
    mailer-app mailer-app-args dump-cores verbose-channel-events enable-clock-nanosleep enable-monotonic-timing enable-softtimer-timerfd
    enable-cond-yield enable-timer-matrix threaded-system-exec tipping-point timer-affinity rtp-port-usage-robustness odbc-skip-autocommit-flip
    auto-create-schemas auto-clear-sql enable-early-hangup core-dbtype multiple-registrations max-audio-channels initial-event-threads
    core-recovery-db-dsn core-non-sqlite-db-required uuid-version variables-max-size rtp-enable-zrtp event-channel-enable-hub-dispatch
    crash-protection max-sessions-per-second events-use-dispatch message-queue-size pre-initialize-mutexes timer-affinity
    switchname-in-loglines log-session-memory`),
  missing: names('min-idle-cpu rtp-retain-crypto-keys core-recovery-db-dsn'),
};

const LOG_LEVELS: Readonly<Record<string, string>> = {
  console: 'alert',
  alert: 'alert',
  crit: 'critical',
  critical: 'critical',
  err: 'error',
  error: 'error',
  warning: 'warning',
  warn: 'warning',
  notice: 'notice',
  info: 'info',
  debug: 'debug',
};
const LOG_LEVEL_NUMBERS = ['alert', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug', 'debug', 'debug', 'debug'];

/** switch.conf. `databaseDirectory` is where a bare `core-db-name` lies. */
export function readSwitchConf(
  element: XmlElement | undefined,
  fallback: SourcePosition,
  report: ConfigReport,
  defaults: { hostname: string; databaseDirectory: string },
): SwitchConf {
  const settings = element === undefined ? undefined : childrenNamed(element, 'settings')[0];
  const parameters = new Parameters(settings, element?.position ?? fallback, report, TABLE);
  const rtpStartPort = parameters.port('rtp-start-port', 16384);
  const rtpEndPort = parameters.port('rtp-end-port', 32768);
  if (rtpStartPort >= rtpEndPort) {
    const name = parameters.text('rtp-end-port') === null ? 'rtp-start-port' : 'rtp-end-port';
    report.error(
      parameters.position(name),
      `found rtp-start-port ${rtpStartPort} and rtp-end-port ${rtpEndPort}, expected the start below the end`,
    );
  }
  return {
    switchname: parameters.filled('switchname') ?? defaults.hostname,
    coreDatabase: readDatabase(parameters, report, defaults.databaseDirectory),
    maxSessions: parameters.integer('max-sessions', 1000, 0, 1_000_000),
    sessionsPerSecond: parameters.integer('sessions-per-second', 30, 0, 1_000_000),
    rtpStartPort,
    rtpEndPort,
    logLevel: readLogLevel(parameters, report),
    recoverOnStart: parameters.boolean('recover-on-start', true),
    recoveryAttemptLimit: parameters.integer('recovery-attempt-limit', 3, 1, 1000),
  };
}

function readLogLevel(parameters: Parameters, report: ConfigReport): string {
  const value = parameters.filled('loglevel');
  if (value === null) return 'info';
  const level = LOG_LEVELS[value.toLowerCase()] ?? LOG_LEVEL_NUMBERS[/^\d+$/.test(value) ? Number(value) : -1];
  if (level === undefined) {
    report.error(parameters.position('loglevel'), `loglevel: found "${value}", expected alert, crit, err, warning, notice, info or debug`);
  }
  return level ?? 'info';
}

/** The DSN holds a password: only its kind is ever printed. */
function readDatabase(parameters: Parameters, report: ConfigReport, directory: string): CoreDatabase {
  const dsn = parameters.filled('core-db-dsn');
  if (dsn !== null) {
    const sqlite = /^sqlite:\/\/(.+)$/i.exec(dsn);
    if (sqlite !== null) return { kind: 'sqlite', path: databasePath(sqlite[1] ?? '', directory) };
    const scheme = /^([a-z]+):\/\//i.exec(dsn)?.[1]?.toLowerCase();
    const kind =
      scheme === undefined || scheme === 'odbc'
        ? 'ODBC'
        : scheme === 'mariadb'
          ? 'MariaDB'
          : /^(pgsql|postgres|postgresql)$/.test(scheme)
            ? 'PostgreSQL'
            : scheme;
    report.error(
      parameters.position('core-db-dsn'),
      `core-db-dsn names a database over ${kind}, which is not supported yet; expected sqlite://PATH or no core-db-dsn`,
      {
        code: 'CONFIG_DSN_UNSUPPORTED',
        fix: 'remove this line, or write value="sqlite://PATH" in it; the table recovery in that SQLite file can be read with any SQLite client while calls are up',
      },
    );
  }
  const name = parameters.filled('core-db-name');
  if (name === null) return { kind: 'sqlite', path: null };
  return { kind: 'sqlite', path: name.includes('/') ? name : join(directory, name.endsWith('.db') ? name : `${name}.db`) };
}

function databasePath(path: string, directory: string): string {
  return isAbsolute(path) ? path : join(directory, path);
}
