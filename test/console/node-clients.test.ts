import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { FreeSwitchClient } from 'esl';
import { FreeSwitchClient as LiteClient } from 'esl-lite';
import modesl, { type Connection } from 'modesl';
import { pino } from 'pino';
import { silentLogger } from '../../src/base/index.ts';
import { createCommandRegistry, EventSocketServer } from '../../src/console/index.ts';
import { CONFERENCE_LEG, FakeSwitch, fixedClock, fixture, random } from './fake-switch.ts';

const options = { timeout: 15_000 };

async function start(context: TestContext) {
  const view = new FakeSwitch();
  const registry = createCommandRegistry(view, { clock: fixedClock, random, version: '0.1.0' });
  const config = { listenIp: '127.0.0.1', listenPort: 0, password: 'ClueCon', acl: 'loopback.auto' };
  const server = new EventSocketServer({ registry, view, config, logger: silentLogger, clock: fixedClock, random });
  await server.listen();
  context.after(() => server.close());
  const answer = () =>
    view.emit({ name: 'CHANNEL_ANSWER', subclass: null, channel: view.channel(CONFERENCE_LEG), headers: [], body: null });
  return { view, port: server.port ?? 0, answer };
}

test('modesl connects, runs api and bgapi, and receives events', options, async (context) => {
  const { port, answer } = await start(context);
  const connection = await new Promise<Connection>((resolve) => {
    const made: Connection = new modesl.Connection('127.0.0.1', port, 'ClueCon', () => resolve(made));
  });
  const status = await new Promise<string>((resolve) => connection.api('status', (event) => resolve(event.getBody())));
  assert.match(status, /^UP 0 years/);
  const job = await new Promise<string>((resolve) => connection.bgapi('switchname', (event) => resolve(event.getBody())));
  assert.equal(job, 'fs1');
  await new Promise<void>((resolve) => connection.subscribe(['CHANNEL_ANSWER'], resolve));
  const received = new Promise<string | null>((resolve) =>
    connection.on('esl::event::CHANNEL_ANSWER::**', (event) => resolve(event.getHeader('Unique-ID'))),
  );
  answer();
  assert.equal(await received, CONFERENCE_LEG);
  const ended = new Promise<void>((resolve) => connection.on('esl::end', () => resolve()));
  connection.disconnect();
  await ended;
});

test('esl connects, runs api and bgapi, and receives events', options, async (context) => {
  const { port, answer } = await start(context);
  const quiet = { debug: () => undefined, info: () => undefined, error: () => undefined };
  const client = new FreeSwitchClient({ host: '127.0.0.1', port, password: 'ClueCon', logger: quiet });
  const connected = new Promise<Parameters<Parameters<typeof client.once<'connect'>>[1]>[0]>((resolve) => client.once('connect', resolve));
  await client.connect();
  const call = await connected;
  const status = await call.api('status');
  assert.match(String(status.body), /^UP 0 years/);
  const job = await call.bgapi('switchname');
  assert.equal(job.body._body, 'fs1');
  await call.event_json('CHANNEL_ANSWER');
  const received = new Promise<unknown>((resolve) => call.once('CHANNEL_ANSWER', (event) => resolve(event.body['Unique-ID'])));
  answer();
  assert.equal(await received, CONFERENCE_LEG);
  await client.end();
});

test('esl-lite connects, runs bgapi, and receives events', options, async (context) => {
  const { port, answer } = await start(context);
  const client = new LiteClient({ host: '127.0.0.1', port, password: 'ClueCon', logger: pino({ level: 'silent' }) });
  const received = new Promise<unknown>((resolve) => client.once('CHANNEL_ANSWER', (event) => resolve(event.body.uniqueID)));
  const job = await client.bgapi('switchname', 5000);
  assert.ok('body' in job);
  assert.equal(String(job.body.response), 'fs1');
  answer();
  assert.equal(await received, CONFERENCE_LEG);
  client.end();
});

test('the console client prints the reply and tells success, failure and no connection apart', options, async (context) => {
  const { port } = await start(context);
  const clientUrl = new URL('../../src/console/index.ts', import.meta.url).href;
  const run = (command: string, toPort = port, password = 'ClueCon') =>
    new Promise<{ code: number | string | null | undefined; stdout: string; stderr: string }>((resolve) => {
      const call = JSON.stringify({ host: '127.0.0.1', port: toPort, password, command });
      const script = `import { runConsoleClient } from ${JSON.stringify(clientUrl)}; process.exitCode = await runConsoleClient(${call});`;
      execFile(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
      );
    });
  assert.deepEqual(await run('show channels'), { code: 0, stdout: fixture('show_channels'), stderr: '' });
  assert.deepEqual(await run('uuid_kill abc'), { code: 1, stdout: '-ERR No such channel!\n', stderr: '' });
  assert.equal((await run('uuid_kill')).code, 1);
  assert.equal((await run('status', port, 'wrong')).code, 1);
  const refused = await run('status', 1);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /Is undrop running there\?/);
});
