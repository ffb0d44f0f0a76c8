import { spawn } from 'node:child_process';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UndropError } from '../src/base/index.ts';
import { type Config, type DialplanCondition, loadConfig, type SipProfile } from '../src/config/index.ts';

/** `npm start`: a switch on conf/ with its state in state/, in the foreground, and what one can do with it. */
const root = fileURLToPath(new URL('../', import.meta.url));
const conf = process.env['UNDROP_CONF'] ?? join(root, 'conf');
const state = process.env['UNDROP_STATE'] ?? join(root, 'state');

function firstAddress(family: 'IPv4' | 'IPv6'): string {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find((address) => address.family === family && !address.internal);
  return found?.address ?? (family === 'IPv4' ? '127.0.0.1' : '::1');
}

/** What must be dialled, as the condition says it. */
function dialled(conditions: readonly DialplanCondition[]): string {
  const condition = conditions.find((candidate) => candidate.field === 'destination_number');
  return condition?.expression?.replace(/^\^\(?|\)?\$$/g, '') ?? 'any number';
}

function printExtensions(config: Config, profile: SipProfile): void {
  for (const extension of config.dialplan.get(profile.context)?.extensions ?? []) {
    const applications = extension.conditions.flatMap((condition) => condition.actions).map((action) => action.application);
    const what = applications.filter((name) => name !== 'answer' && name !== 'set').join(', ');
    console.log(`    ${dialled(extension.conditions).padEnd(24)} ${extension.name} (${what || 'nothing'})`);
  }
}

function printGuide(config: Config): void {
  for (const profile of config.profiles.values()) {
    console.log(
      `  SIP profile ${profile.name}: udp ${profile.sipIp}:${profile.sipPort}; media ${profile.rtpIp}, ports ${config.rtpStartPort} to ${config.rtpEndPort}`,
    );
    console.log(`  Extensions of its context ${profile.context}:`);
    printExtensions(config, profile);
    console.log(`  To register a phone: server ${profile.sipIp}:${profile.sipPort}, transport UDP, and one of these users:`);
    for (const domain of config.directory.values()) {
      const users = [...domain.users.values()].map((user) => user.id);
      console.log(`    ${users.slice(0, 10).join(', ') || '(none)'} at ${domain.name}; passwords: ${join(conf, 'directory')}`);
    }
    const who = profile.authCalls ? 'From a phone with such a user' : 'Without registration';
    console.log(`  ${who}: dial sip:9196@${profile.sipIp}:${profile.sipPort} to hear yourself.`);
  }
  const { listenIp, listenPort } = config.eventSocket;
  console.log(`  Console: bin/undrop -H ${listenIp} -P ${listenPort} -x 'show channels'`);
  console.log(`  Try it: call, then kill -9 $(cat ${join(state, 'run', 'switch.pid')}) $(cat ${join(state, 'run', 'media.pid')})`);
  console.log('  Ctrl-C ends the switch; calls stay saved.\n');
}

try {
  printGuide(
    loadConfig({
      directory: conf,
      stateDirectory: state,
      hostname: hostname(),
      localIpv4: firstAddress('IPv4'),
      localIpv6: firstAddress('IPv6'),
      environment: process.env,
    }),
  );
} catch (error) {
  console.error(error instanceof UndropError ? error.describe() : String(error));
  process.exit(1);
}

const undrop = spawn(join(root, 'bin', 'undrop'), ['start', '--conf', conf, '--state', state], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undrop.kill(signal));
undrop.on('error', (error) => {
  console.error(`bin/undrop cannot be started: ${error.message}`);
  process.exitCode = 1;
});
undrop.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128);
});
