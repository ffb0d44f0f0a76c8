/**
 * Small stand-ins for the two roles, started by the real guardian. What they shall do is read from `fake.json` in the state directory:
 * `{"keys": ["udp:…"], "exit": code, "ignoreStop": bool, "hang": bool}`. Each datagram that arrives is answered with `<pid>:<text>`.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/base/index.ts';
import { GuardianClient } from '../../src/guardian/index.ts';
import { systemRandom, UdpSocket } from '../../src/io/index.ts';

const role = process.argv[2] ?? '';
const state = process.argv[process.argv.indexOf('--state') + 1] ?? '';

interface Fake {
  keys?: string[];
  exit?: number;
  ignoreStop?: boolean;
  hang?: boolean;
  startError?: string;
  mediaExit?: number;
}

function fake(): Fake {
  try {
    return JSON.parse(readFileSync(join(state, 'fake.json'), 'utf8')) as Fake;
  } catch {
    return {};
  }
}

appendFileSync(join(state, `${role}.lives`), `${process.pid}\n`);
// A test that failed must leave no process behind.
setTimeout(() => process.exit(9), 60_000);

if (role === '__media') {
  const { mediaExit } = fake();
  if (mediaExit !== undefined) process.exit(mediaExit);
  writeFileSync(join(state, 'run', 'media.journal'), 'journal');
  process.on('SIGTERM', () => process.exit(0));
} else if (role === '__switch') {
  await runSwitch();
} else {
  process.exit(64);
}

async function runSwitch(): Promise<void> {
  const { keys = [], exit, ignoreStop, hang, startError } = fake();
  if (startError !== undefined) writeFileSync(join(state, 'run', 'start-error'), startError);
  if (exit !== undefined) process.exit(exit);
  if (hang === true) return;
  const client = new GuardianClient({ stateDirectory: state, runtime: systemRandom.uuid(), logger: silentLogger });
  client.onDeaths((deaths) => writeFileSync(join(state, 'reported.json'), JSON.stringify(deaths)));
  client.onStop((how) => {
    appendFileSync(join(state, 'stops'), `${how}\n`);
    if (ignoreStop === true) return;
    if (how !== 'drain') return end(client);
    client.draining(1);
    setTimeout(() => end(client), 200);
  });
  await client.connect();
  const errors: Record<string, string> = {};
  for (const [key, grant] of await client.requestSockets(keys)) {
    if ('error' in grant) errors[key] = grant.error.code;
    if (!('fd' in grant)) continue;
    const socket = UdpSocket.fromDescriptor(grant.fd);
    socket.onMessage((bytes, source) => socket.send(Buffer.from(`${process.pid}:${Buffer.from(bytes).toString()}`), source));
    socket.start();
  }
  writeFileSync(join(state, 'errors.json'), JSON.stringify(errors));
  client.ready();
}

function end(client: GuardianClient): void {
  client.stopped();
  setTimeout(() => process.exit(0), 20);
}
