import { cpus } from 'node:os';
import { duration } from '../time-text.ts';
import type { Command, CommandContext } from './command.ts';

/** Percent of the time that the host's processors were idle since it started. */
function idlePercent(): number {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return all === 0 ? 0 : (idle / all) * 100;
}

function upMicroseconds(context: CommandContext): number {
  return Math.max(0, context.clock.wallMicroseconds() - context.view.startedAtMicroseconds);
}

function bits(): string {
  return process.arch.includes('64') ? '64bit' : '32bit';
}

/** FreeSWITCH's eight lines; what only we know follows when there is something to say. */
function statusReply(context: CommandContext): string {
  const status = context.view.status();
  const lines = [
    `UP ${duration(upMicroseconds(context))}`,
    `undrop (Version ${context.version} ${bits()}) is ready`,
    `${status.sessionsSinceStart} session(s) since startup`,
    `${status.sessions} session(s) - peak ${status.peakSessions}, last 5min ${status.peakSessionsFiveMinutes} `,
    `${status.sessionsPerSecond} session(s) per Sec out of max ${status.sessionsPerSecondMaximum}, peak ${status.sessionsPerSecondPeak}, last 5min ${status.sessionsPerSecondPeakFiveMinutes} `,
    `${status.maxSessions} session(s) max`,
    `min idle cpu 0.00/${idlePercent().toFixed(2)}`,
    // V8's default stack and the thread's.
    'Current Stack Size/Max 984K/8192K',
  ];
  if (!status.recoveryComplete) lines.push('recovery in progress');
  if (!status.storeAnswers) lines.push('store does not answer: calls go on, but are not tracked');
  if (status.untracked > 0) lines.push(`${status.untracked} session(s) not tracked`);
  return `${lines.join('\n')}\n`;
}

const UPTIME_UNITS: Readonly<Record<string, number>> = {
  us: 1,
  microseconds: 1,
  ms: 1000,
  milliseconds: 1000,
  s: 1_000_000,
  seconds: 1_000_000,
  m: 60_000_000,
  minutes: 60_000_000,
  h: 3_600_000_000,
  hours: 3_600_000_000,
  d: 86_400_000_000,
  days: 86_400_000_000,
};

export const statusCommands: readonly Command[] = [
  { name: 'status', usage: '', description: 'Show current status', run: (_argument, context) => statusReply(context) },
  {
    name: 'version',
    usage: '[short]',
    description: 'Version',
    run: (argument, context) =>
      argument === 'short' ? `${context.version}\n` : `undrop Version ${context.version} (${bits()}, Node.js ${process.version})\n`,
    complete: () => ['short'],
  },
  {
    name: 'uptime',
    usage: '[us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]',
    description: 'Show uptime',
    run(argument, context) {
      const unit = UPTIME_UNITS[argument === '' ? 's' : argument.toLowerCase()];
      return unit === undefined ? `-USAGE: ${this.usage}\n` : `${Math.floor(upMicroseconds(context) / unit)}\n`;
    },
    complete: () => Object.keys(UPTIME_UNITS),
  },
  { name: 'hostname', usage: '', description: 'Return the system hostname', run: (_argument, context) => context.view.hostname },
  { name: 'switchname', usage: '', description: 'Return the switch name', run: (_argument, context) => context.view.switchname },
  {
    name: 'reloadxml',
    usage: '',
    description: 'Read the configuration again',
    async run(_argument, context) {
      const outcome = await context.view.reloadXml();
      return outcome.ok ? '+OK [Success]\n' : `-ERR [${outcome.message}]\n`;
    },
  },
  {
    name: 'create_uuid',
    usage: '<uuid>',
    description: 'Create a uuid',
    run: (_argument, context) => context.random.uuid(),
  },
  { name: 'echo', usage: '<data>', description: 'Echo', run: (argument) => argument },
];
