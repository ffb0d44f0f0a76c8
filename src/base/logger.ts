/** FreeSWITCH's log levels, by its numbers: console 0, alert 1, critical 2, error 3, warning 4, notice 5, info 6, debug 7. */
export type LogLevel = 'alert' | 'critical' | 'error' | 'warning' | 'notice' | 'info' | 'debug';

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Structured log sink. `fields.uuid` names the leg, `fields.callId` the SIP Call-ID. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
}

/** Drops everything; for tests that do not look at logs. */
export const silentLogger: Logger = { log: () => undefined };
