import { networkInterfaces, hostname as systemHostname } from 'node:os';
import { resolve } from 'node:path';
import { formatAddress, UndropError } from '../base/index.ts';
import type { Config } from './config.ts';
import { expandConfig, type LoadOptions, readConfig } from './load.ts';
import { ConfigReport, formatPosition } from './report.ts';

const USAGE = 'usage: undrop config check --conf DIR [--state DIR] [--expanded]';
/** Names whose value is a secret. */
const SECRET = /passw|secret|a1-hash|\bpin\b|-pin\b|dsn|token|private|passphrase/i;

/** `undrop config check`: prints errors, warnings and a summary; `--expanded` prints the preprocessed document without its secrets. Exit code 0, or 1 on an error. */
export async function checkConfig(commandArguments: readonly string[]): Promise<number> {
  const options = readArguments(commandArguments);
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 1;
  }
  const report = new ConfigReport();
  try {
    const expanded = expandConfig(options.load, report);
    if (options.expanded) process.stdout.write(`${hideSecrets(expanded.lines).join('\n')}\n`);
    const config = readConfig(expanded, options.load, report);
    writeWarnings(report);
    if (!options.expanded) process.stdout.write(summary(config));
    return 0;
  } catch (error) {
    if (!(error instanceof UndropError)) throw error;
    writeWarnings(report);
    process.stderr.write(`${error.describe()}\n`);
    return 1;
  }
}

function writeWarnings(report: ConfigReport): void {
  for (const warning of report.warnings) process.stderr.write(`${formatPosition(warning.position)}: warning: ${warning.message}\n`);
}

function readArguments(words: readonly string[]): { load: LoadOptions; expanded: boolean } | null {
  let directory: string | null = null;
  let state: string | null = null;
  let expanded = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as string;
    const [name = '', inline] = word.split(/=(.*)/s);
    if (name === '--expanded') expanded = true;
    else if (name === '--conf' || name === '--state') {
      const value = inline ?? words[++index];
      if (value === undefined) return null;
      if (name === '--conf') directory = value;
      else state = value;
    } else return null;
  }
  if (directory === null) return null;
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const localIpv4 = localAddress('IPv4') ?? '127.0.0.1';
  const localNetwork = addresses.find(({ address }) => address === localIpv4)?.cidr ?? null;
  const load: LoadOptions = {
    directory: resolve(directory),
    stateDirectory: resolve(state ?? '.'),
    hostname: systemHostname(),
    localIpv4,
    localIpv6: localAddress('IPv6') ?? '::1',
    localAddresses: addresses.map(({ address }) => address),
    ...(localNetwork === null ? {} : { localNetwork }),
    environment: process.env,
  };
  return { load, expanded };
}

function localAddress(family: 'IPv4' | 'IPv6'): string | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find((address) => address.family === family && !address.internal && !address.address.startsWith('fe80'))?.address ?? null;
}

function hideSecrets(lines: readonly string[]): readonly string[] {
  return lines.map((line) => (SECRET.test(line) ? line.replace(/<[^>]*>/g, hideTagSecret) : line));
}

/** The value of a tag with a secret name, and `sip_auth_password=…` within any value. */
function hideTagSecret(tag: string): string {
  const name = /\bname\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(tag);
  if (SECRET.test(name?.[1] ?? name?.[2] ?? '')) return tag.replace(/\b(value|data)\s*=\s*("[^"]*"|'[^']*')/gi, '$1="********"');
  return tag.replace(/((?:password|secret|token)=)[^\s"'<>,;|}\]]+/gi, '$1********');
}

function summary(config: Config): string {
  const lines = [`switchname  ${config.switchname}`, `database    sqlite ${config.coreDatabase.path ?? '<state>/db/core.db'}`];
  for (const profile of config.profiles.values()) {
    const address = formatAddress({ ip: profile.sipIp, port: profile.sipPort });
    lines.push(`profile     ${profile.name} ${address} context ${profile.context}, track-calls ${profile.trackCalls}`);
  }
  for (const context of config.dialplan.values()) lines.push(`context     ${context.name}: ${context.extensions.length} extension(s)`);
  for (const domain of config.directory.values()) lines.push(`domain      ${domain.name}: ${new Set(domain.users.values()).size} user(s)`);
  lines.push(`event socket ${formatAddress({ ip: config.eventSocket.listenIp, port: config.eventSocket.listenPort })}`);
  for (const command of config.apiOnStartup) lines.push(`at start    ${command}`);
  lines.push(`${config.warnings.length} warning(s), no error`);
  return `${lines.join('\n')}\n`;
}
