import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Bench, timeout } from './bench.ts';

const launcher = fileURLToPath(new URL('../../bin/undrop', import.meta.url));

interface Outcome {
  readonly exitCode: number;
  readonly output: string;
}

function run(...words: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(launcher, words, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, output: stdout + stderr });
    });
  });
}

/** Processes whose command line names that folder. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(directory);
    } catch {
      return false;
    }
  });
}

function start(bench: Bench): Promise<Outcome> {
  return run('start', '--conf', bench.undrop.confDirectory, '--state', bench.undrop.stateDirectory);
}

function check(bench: Bench): Promise<Outcome> {
  return run('config', 'check', '--conf', bench.undrop.confDirectory, '--state', bench.undrop.stateDirectory);
}

function assertNothingLeft(bench: Bench): void {
  assert.deepEqual(processesOf(bench.undrop.directory), [], 'processes left behind');
  const left = readdirSync(join(bench.undrop.stateDirectory, 'run')).filter((name) => /\.pid$|^ready$|\.sock$/.test(name));
  assert.deepEqual(left, [], 'files left in run/');
}

async function assertRefused(bench: Bench, patterns: readonly RegExp[], checked = true): Promise<void> {
  const outcome = await start(bench);
  assert.equal(outcome.exitCode, 78, outcome.output);
  for (const pattern of patterns) assert.match(outcome.output, pattern);
  assert.doesNotMatch(outcome.output, /^\s+at .*\.ts:\d+/m, 'no stack trace');
  assertNothingLeft(bench);
  if (!checked) return;
  const verdict = await check(bench);
  assert.equal(verdict.exitCode, 1, `config check: ${verdict.output}`);
  for (const pattern of patterns) assert.match(verdict.output, pattern, 'config check says the same');
}

test('a truncated freeswitch.xml is refused with file and line', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const path = join(bench.undrop.confDirectory, 'freeswitch.xml');
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 200));
  await assertRefused(bench, [/freeswitch\.xml:\d+/]);
});

test('a missing freeswitch.xml is refused and named', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  writeFileSync(join(bench.undrop.directory, 'empty'), '');
  mkdirSync(join(bench.undrop.directory, 'none'));
  const outcome = await run('start', '--conf', join(bench.undrop.directory, 'none'), '--state', bench.undrop.stateDirectory);
  assert.equal(outcome.exitCode, 78, outcome.output);
  assert.match(outcome.output, /freeswitch\.xml/);
  assertNothingLeft(bench);
});

test('a configuration folder that does not exist is refused and named', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const outcome = await run('start', '--conf', join(bench.undrop.directory, 'nosuch'), '--state', bench.undrop.stateDirectory);
  assert.notEqual(outcome.exitCode, 0);
  assert.match(outcome.output, /nosuch/);
});

test('an unknown parameter is warned of with file and line, and the start goes on', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  bench.edit('autoload_configs/switch.conf.xml', '</settings>', '<param name="no-such-parameter" value="1"/></settings>');
  const verdict = await check(bench);
  assert.equal(verdict.exitCode, 0, verdict.output);
  assert.match(verdict.output, /switch\.conf\.xml:\d+: warning: .*no-such-parameter/);
  await bench.undrop.start();
  assert.match(bench.systemLog(), /switch\.conf\.xml:\d+: .*no-such-parameter/);
});

test('a wrong value is refused with file, line, what was found and what is expected', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  bench.edit('autoload_configs/sofia.conf.xml', 'name="sip-port" value="', 'name="sip-port" value="x');
  await assertRefused(bench, [/sofia\.conf\.xml:\d+/, /sip-port/, /found/i, /expected/i]);
});

test('an ODBC database is refused with file, line and what to do', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false, switchParameters: { 'core-db-dsn': 'odbc://freeswitch:me:hushhush' } });
  await assertRefused(bench, [/switch\.conf\.xml:\d+/, /ODBC/, /sqlite:\/\//]);
  const { output } = await check(bench);
  assert.doesNotMatch(output, /hushhush/, 'the password is never printed');
});

test('a SIP port in use is refused, naming profile, address and line', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const { sip } = bench.undrop.ports;
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(sip, '127.0.0.1', resolve));
  context.after(() => socket.close());
  await assertRefused(bench, [/internal/, new RegExp(`127\\.0\\.0\\.1:${sip}`), /sofia\.conf\.xml:\d+/, /sip-port/], false);
});

test('an event socket port in use is refused, naming the address and what to change', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const { eventSocket } = bench.undrop.ports;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(eventSocket, '127.0.0.1', resolve));
  context.after(() => server.close());
  await assertRefused(bench, [new RegExp(`127\\.0\\.0\\.1:${eventSocket}`), /listen-port|event_socket\.conf/], false);
});

test('a database that cannot be written is refused, naming its path', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false, switchParameters: { 'core-db-name': '/dev/null/core.db' } });
  await assertRefused(bench, [/\/dev\/null/], false);
});

test('a database path that is a folder is refused, naming its path', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  mkdirSync(bench.databasePath, { recursive: true });
  await assertRefused(bench, [/core\.db/], false);
});

test('a state folder that cannot be made is refused, naming its path', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  const outcome = await run('start', '--conf', bench.undrop.confDirectory, '--state', '/dev/null/state');
  assert.notEqual(outcome.exitCode, 0);
  assert.match(outcome.output, /\/dev\/null/);
  assert.deepEqual(processesOf(bench.undrop.confDirectory), []);
});

test('after a refused start a right configuration starts on the same state folder', { timeout }, async (context) => {
  const bench = await Bench.create(context, { start: false });
  bench.edit('autoload_configs/sofia.conf.xml', 'name="sip-port" value="', 'name="sip-port" value="x');
  assert.equal((await start(bench)).exitCode, 78);
  bench.edit('autoload_configs/sofia.conf.xml', 'name="sip-port" value="x', 'name="sip-port" value="');
  await bench.undrop.start();
  assert.equal(await bench.undrop.channelCount(), 0);
});

test('a start with a wrong configuration after a kill leaves the calls saved for the next right one', { timeout }, async (context) => {
  const bench = await Bench.create(context);
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await bench.undrop.killAll();
  bench.edit('autoload_configs/sofia.conf.xml', 'name="sip-port" value="', 'name="sip-port" value="x');
  assert.equal((await start(bench)).exitCode, 78);
  assertNothingLeft(bench);
  bench.edit('autoload_configs/sofia.conf.xml', 'name="sip-port" value="x', 'name="sip-port" value="');
  await bench.undrop.start();
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
});
