import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';

const usage = `Usage:
  undrop start --conf DIR --state DIR [--wait]     serve in the foreground; a second start is refused, or waits
  undrop stop --state DIR [--drain | --now]        end; calls stay saved (default), run out (--drain), are hung up (--now)
  undrop config check --conf DIR                   check a configuration
  undrop [-H HOST] [-P PORT] [-p PASSWORD] [-x COMMAND]   console of a running switch
  undrop --help | --version
`;

const exitUsage = 64;
/** By then a role serves; killed processes write no compile cache at their end, so it is written here. */
const compileCacheMilliseconds = 3_000;

/** Each role loads its own files only: how fast a killed process is back is how long its callers hear nothing. */
async function dispatch(words: readonly string[]): Promise<number | null> {
  const [command, ...rest] = words;
  switch (command) {
    case 'start':
      return (await import('./guardian/main.ts')).runGuardian(rest);
    case '__media':
      await (await import('./media/main.ts')).runMedia({ stateDirectory: value(rest, '--state') });
      return null;
    case '__switch':
      await (await import('./switch/main.ts')).runSwitch({
        configDirectory: value(rest, '--conf'),
        stateDirectory: value(rest, '--state'),
      });
      return null;
    case 'stop':
      return (await import('./guardian/stop.ts')).runStop(rest);
    case 'config':
      if (rest[0] !== 'check') return refuse(`"config ${rest[0] ?? ''}" is not a command`);
      return (await import('./config/check.ts')).checkConfig(rest.slice(1));
    case '--help':
      process.stdout.write(usage);
      return 0;
    case '--version':
      process.stdout.write(`undrop ${version()}\n`);
      return 0;
    default:
      return command === undefined || command.startsWith('-') ? runConsole(words) : refuse(`"${command}" is not a command`);
  }
}

/** The console's options are those of `fs_cli`. */
async function runConsole(words: readonly string[]): Promise<number> {
  const { Command, CommanderError } = await import('commander');
  const program = new Command('undrop')
    .option('-H, --host <host>', 'where the event socket listens', '127.0.0.1')
    .option('-P, --port <port>', 'its port', '8021')
    .option('-p, --password <password>', 'its password', 'ClueCon')
    .option('-x, --execute <command>', 'run one command and end')
    .allowExcessArguments(false)
    .helpOption(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  try {
    program.parse([...words], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return refuse(error.message.replace(/^error: /, ''));
    throw error;
  }
  const options = program.opts<{ host: string; port: string; password: string; execute?: string }>();
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return refuse(`"${options.port}" is not a port`);
  const { runConsoleClient } = await import('./console/client.ts');
  return runConsoleClient({ host: options.host, port, password: options.password, command: options.execute ?? null });
}

function value(words: readonly string[], name: string): string {
  const found = words[words.indexOf(name) + 1];
  if (!words.includes(name) || found === undefined) throw new Error(`${name} is missing`);
  return found;
}

function refuse(what: string): number {
  process.stderr.write(`undrop: ${what}\n${usage}`);
  return exitUsage;
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}

function fail(error: unknown): number {
  if (error instanceof Error && error.name === 'UndropError' && 'describe' in error && typeof error.describe === 'function') {
    process.stderr.write(`undrop: ${String(error.describe())}\n`);
    return 'code' in error && error.code === 'USAGE' ? exitUsage : 1;
  }
  process.stderr.write(`undrop: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

setTimeout(flushCompileCache, compileCacheMilliseconds).unref();
const exitCode = await dispatch(process.argv.slice(2)).catch(fail);
if (exitCode !== null) process.exit(exitCode);
