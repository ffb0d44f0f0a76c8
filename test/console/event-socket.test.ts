import assert from 'node:assert/strict';
import { createConnection, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { silentLogger, UndropError } from '../../src/base/index.ts';
import { createCommandRegistry, EventSocketServer } from '../../src/console/index.ts';
import { CONFERENCE_LEG, FakeSwitch, ManualClock, random } from './fake-switch.ts';

const GOODBYE =
  'Content-Type: text/disconnect-notice\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n';

async function start(context: TestContext, settings: { acl?: string; port?: number } = {}) {
  const view = new FakeSwitch();
  const clock = new ManualClock();
  const registry = createCommandRegistry(view, { clock, random, version: '0.1.0' });
  const config = { listenIp: '127.0.0.1', listenPort: settings.port ?? 0, password: 'ClueCon', acl: settings.acl ?? 'loopback.auto' };
  const server = new EventSocketServer({ registry, view, config, logger: silentLogger, clock, random });
  await server.listen();
  context.after(() => server.close());
  return { view, clock, server, port: server.port ?? 0 };
}

class RawClient {
  readonly socket: Socket;
  received = '';
  ended = false;
  #wake: () => void = () => undefined;
  constructor(port: number) {
    this.socket = createConnection({ host: '127.0.0.1', port });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (data) => {
      this.received += data.toString();
      this.#wake();
    });
    this.socket.on('close', () => {
      this.ended = true;
      this.#wake();
    });
  }
  async #until(done: () => boolean): Promise<void> {
    while (!done() && !this.ended) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
  /** The next bytes must be exactly these. */
  async expect(text: string): Promise<void> {
    await this.#until(() => this.received.length >= text.length);
    assert.equal(this.received.slice(0, text.length), text);
    this.received = this.received.slice(text.length);
  }
  /** Everything up to and with `mark`. */
  async readTo(mark: string): Promise<string> {
    await this.#until(() => this.received.includes(mark));
    const end = this.received.indexOf(mark);
    assert.ok(end >= 0, `connection ended before ${JSON.stringify(mark)}: ${this.received}`);
    const text = this.received.slice(0, end + mark.length);
    this.received = this.received.slice(text.length);
    return text;
  }
  async readFrame(): Promise<{ head: string; body: string }> {
    const head = await this.readTo('\n\n');
    const length = Number(/^Content-Length: (\d+)$/m.exec(head)?.[1] ?? 0);
    await this.#until(() => Buffer.byteLength(this.received) >= length);
    const body = Buffer.from(this.received).subarray(0, length).toString();
    this.received = this.received.slice(body.length);
    return { head, body };
  }
  async ended_(): Promise<void> {
    await this.#until(() => false);
  }
  send(text: string): void {
    this.socket.write(text);
  }
}

async function authenticated(context: TestContext, port: number): Promise<RawClient> {
  const client = new RawClient(port);
  context.after(() => client.socket.destroy());
  await client.expect('Content-Type: auth/request\n\n');
  client.send('auth ClueCon\n\n');
  await client.expect('Content-Type: command/reply\nReply-Text: +OK accepted\n\n');
  return client;
}

const reply = (text: string) => `Content-Type: command/reply\nReply-Text: ${text}\n\n`;
const options = { timeout: 10_000 };

test('before the password nothing but auth is understood; a wrong one ends the connection', options, async (context) => {
  const { port } = await start(context);
  const client = new RawClient(port);
  await client.expect('Content-Type: auth/request\n\n');
  client.send('api status\n\n');
  await client.expect(reply('-ERR command not found'));
  client.send('auth wrong\n\n');
  await client.expect(reply('-ERR invalid') + GOODBYE);
  await client.ended_();
});

test('a client that does not authenticate in time, or sends too much first, is dropped', options, async (context) => {
  const { port, clock } = await start(context);
  const slow = new RawClient(port);
  await slow.expect('Content-Type: auth/request\n\n');
  clock.advance(30_000);
  await slow.ended_();
  const loud = new RawClient(port);
  await loud.expect('Content-Type: auth/request\n\n');
  loud.send('x'.repeat(5000));
  await loud.ended_();
});

test('an address outside the acl gets a rude rejection', options, async (context) => {
  const { port } = await start(context, { acl: '192.0.2.0/24, 10.0.0.0/8' });
  const client = new RawClient(port);
  await client.expect('Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n');
  await client.ended_();
});

test('commands are parsed as a stream: several in one segment, one byte by byte', options, async (context) => {
  const { port } = await start(context);
  const client = await authenticated(context, port);
  client.socket.setNoDelay(true);
  client.send('api switchname\n\napi hostname\nconsole_execute: true\n\nlog \n\nexit');
  await client.expect('Content-Type: api/response\nContent-Length: 3\n\nfs1Content-Type: api/response\nContent-Length: 2\n\nvm');
  await client.expect(reply('+OK log level debug [7]'));
  client.send('\n');
  await new Promise((resolve) => setImmediate(resolve));
  client.send('\n');
  await client.expect(reply('+OK bye') + GOODBYE);
  await client.ended_();
});

test('api answers with Content-Length; unknown and empty commands as FreeSWITCH does', options, async (context) => {
  const { port } = await start(context);
  const client = await authenticated(context, port);
  client.send('api nosuchcommand x\n\napi echo é\n\napi\n\n');
  await client.expect('Content-Type: api/response\nContent-Length: 40\n\n-ERR nosuchcommand x Command not found!\n');
  await client.expect('Content-Type: api/response\nContent-Length: 2\n\né');
  await client.expect('Content-Type: api/response\nContent-Length: 14\n\n-ERR no reply\n');
});

test('Tab of fs_cli gets what to delete and what to write', options, async (context) => {
  const { port } = await start(context);
  const client = await authenticated(context, port);
  client.send('api console_complete c=8;sofia st\nconsole_execute: true\n\n');
  const { body } = await client.readFrame();
  assert.match(body, /\n\nwrite=2:status $/);
});

test('event, nixevent, noevents, filter, log, nolog, sendmsg and linger give the replies of FreeSWITCH', options, async (context) => {
  const { port } = await start(context);
  const client = await authenticated(context, port);
  for (const [command, answer] of [
    ['event plain', '-ERR no keywords supplied'],
    ['event json CHANNEL_ANSWER CUSTOM sofia::register', '+OK event listener enabled json'],
    ['nixevent CHANNEL_ANSWER', '+OK events nixed'],
    ['noevents', '+OK no longer listening for events'],
    ['filter Event-Name HEARTBEAT', '+OK filter added. [Event-Name]=[HEARTBEAT]'],
    ['filter delete Event-Name HEARTBEAT', '+OK filter deleted. [Event-Name][HEARTBEAT]'],
    ['filter X', '-ERR invalid syntax'],
    ['log info', '+OK log level info [6]'],
    ['nolog', '+OK no longer logging'],
    ['nolog', '-ERR not loging'],
    ['sendmsg x', '-ERR invalid session id [x]'],
    ['linger', '-ERR not controlling a session'],
    ['nonsense', '-ERR command not found'],
  ] as const) {
    client.send(`${command}\n\n`);
    await client.expect(reply(answer));
  }
});

test('events come in the format asked for: plain encoded, json with _body, xml', options, async (context) => {
  const { port, view } = await start(context);
  const channel = view.channel(CONFERENCE_LEG);
  const event = { name: 'CHANNEL_ANSWER', subclass: null, channel, headers: [['X', 'a b;c']] as const, body: 'hi\n' };
  for (const format of ['plain', 'json', 'xml'] as const) {
    const client = await authenticated(context, port);
    client.send(`event ${format} CHANNEL_ANSWER\n\n`);
    await client.expect(reply(`+OK event listener enabled ${format}`));
    view.emit({ ...event, name: 'CHANNEL_HOLD' });
    view.emit(event);
    const { head, body } = await client.readFrame();
    assert.match(head, new RegExp(`^Content-Length: \\d+\\nContent-Type: text/event-${format}\\n\\n$`));
    if (format === 'plain') assert.match(body, /^Event-Name: CHANNEL_ANSWER\n[\s\S]*\nX: a%20b%3Bc\n[\s\S]*\nContent-Length: 3\n\nhi\n$/);
    if (format === 'json') assert.deepEqual([JSON.parse(body).X, JSON.parse(body)._body], ['a b;c', 'hi\n']);
    if (format === 'xml')
      assert.match(body, /^<event>\n {2}<headers>\n {4}<Event-Name>CHANNEL_ANSWER<[\s\S]*<body>hi\n<\/body>\n<\/event>\n$/);
  }
});

test('CUSTOM events come for the subclasses named only; filters keep what matches', options, async (context) => {
  const { port, view } = await start(context);
  const client = await authenticated(context, port);
  client.send('event json CUSTOM sofia::register\n\nfilter From alice\n\n');
  await client.readTo('[alice]\n\n');
  const custom = (subclass: string, from: string) => ({
    name: 'CUSTOM',
    subclass,
    channel: null,
    headers: [['From', from]] as const,
    body: null,
  });
  view.emit(custom('conference::maintenance', 'alice'));
  view.emit(custom('sofia::register', 'bob'));
  view.emit(custom('sofia::register', 'alice'));
  const { body } = await client.readFrame();
  assert.deepEqual([JSON.parse(body)['Event-Subclass'], JSON.parse(body).From], ['sofia::register', 'alice']);
});

test('bgapi answers at once and honours the Job-UUID of the client; the result is an event', options, async (context) => {
  const { port } = await start(context);
  const client = await authenticated(context, port);
  client.send('event plain BACKGROUND_JOB\n\nbgapi echo x y\nJob-UUID: mine\n\n');
  await client.expect(reply('+OK event listener enabled plain'));
  await client.expect('Content-Type: command/reply\nReply-Text: +OK Job-UUID: mine\nJob-UUID: mine\n\n');
  const { body } = await client.readFrame();
  assert.match(body, /\nJob-UUID: mine\nJob-Command: echo\nJob-Command-Arg: x%20y\nContent-Length: 3\n\nx y$/);
});

test('log lines come as log/data up to the level asked for', options, async (context) => {
  const { port, view } = await start(context);
  const client = await authenticated(context, port);
  client.send('log warning\n\n');
  await client.expect(reply('+OK log level warning [4]'));
  view.emitLog(7, 'not wanted');
  view.emitLog(3, 'broken');
  const { head, body } = await client.readFrame();
  assert.match(
    head,
    /^Content-Type: log\/data\nContent-Length: 7\nLog-Level: 3\nText-Channel: 0\nLog-File: .*\nLog-Func: .*\nLog-Line: \d+\nUser-Data: /,
  );
  assert.equal(body, 'broken\n');
});

test('a HEARTBEAT comes every 20 seconds', options, async (context) => {
  const { port, clock } = await start(context);
  const client = await authenticated(context, port);
  client.send('event json HEARTBEAT\n\n');
  await client.expect(reply('+OK event listener enabled json'));
  for (let beat = 0; beat < 2; beat++) {
    clock.advance(20_000);
    assert.equal(JSON.parse((await client.readFrame()).body)['Session-Count'], '3');
  }
});

test('a port in use and an unknown acl are clear errors', options, async (context) => {
  const { port } = await start(context);
  await assert.rejects(start(context, { port }), (error) => error instanceof UndropError && error.code === 'ESL_PORT_IN_USE');
  await assert.rejects(start(context, { acl: 'nolist' }), (error) => error instanceof UndropError && error.code === 'ESL_ACL_UNKNOWN');
});
