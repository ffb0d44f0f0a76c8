import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type Address, UndropError } from '../../src/base/index.ts';
import {
  closeDescriptor,
  createLogger,
  DescriptorReceiver,
  openSocket,
  processAlive,
  processStartTime,
  replaceFile,
  sendDescriptor,
  socketAddress,
  systemClock,
  systemRandom,
  UdpSocket,
} from '../../src/io/index.ts';

const limits = { timeout: 20_000 };
const anyPort: Address = { ip: '127.0.0.1', port: 0 };

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'undrop-io-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function closeAll(...sockets: UdpSocket[]): void {
  for (const socket of sockets) socket.close();
}

function next(socket: UdpSocket): Promise<{ text: string; source: Address }> {
  return new Promise((resolve) => socket.onMessage((bytes, source) => resolve({ text: Buffer.from(bytes).toString(), source })));
}

describe('time and randomness', limits, () => {
  test('wall time is the time of day in whole microseconds', () => {
    const wall = systemClock.wallMicroseconds();
    assert.ok(Number.isSafeInteger(wall));
    assert.ok(Math.abs(wall / 1000 - Date.now()) < 1_000);
  });

  test('a timer fires once, never synchronously, and not when it was cancelled', async () => {
    const fired: string[] = [];
    systemClock.setTimer(0, () => fired.push('cancelled')).cancel();
    assert.equal(fired.length, 0);
    await new Promise<void>((resolve) => {
      const timer = systemClock.setTimer(1, () => {
        fired.push('once');
        timer.cancel();
        resolve();
      });
    });
    assert.deepEqual(fired, ['once']);
  });

  test('a delay beyond what the runtime can count does not fire at once', async () => {
    let fired = false;
    const timer = systemClock.setTimer(60 * 24 * 3600 * 1000, () => {
      fired = true;
    });
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
    timer.cancel();
    assert.equal(fired, false);
  });

  test('tokens have the length asked for, only letters and digits, and use them all', () => {
    const token = systemRandom.token(10_000);
    assert.match(token, /^[0-9a-zA-Z]{10000}$/);
    assert.equal(new Set(token).size, 62);
    assert.match(systemRandom.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notEqual(systemRandom.uint32(), systemRandom.uint32());
  });
});

describe('processes and files', limits, () => {
  test('a process is known by its pid and start time until it ends', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)']);
    const pid = child.pid ?? 0;
    const startTime = processStartTime(pid);
    assert.ok(startTime !== null);
    assert.ok(processAlive(pid, startTime));
    assert.ok(!processAlive(pid, startTime + 1), 'another process with that pid is not it');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    assert.ok(!processAlive(pid, startTime));
    assert.equal(processStartTime(0), null);
    assert.equal(processStartTime(-1), null);
  });

  test('a file is replaced whole, and nothing else is left', (context) => {
    const path = directory(context);
    replaceFile(join(path, 'file'), 'a longer text');
    replaceFile(join(path, 'file'), 'short', { durable: true });
    assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'short');
    assert.deepEqual(readdirSync(path), ['file']);
  });

  test('the log has one JSON object a line with the level by name, from the level on that is set', (context) => {
    const file = join(directory(context), 'folder', 'switch.log');
    const logger = createLogger({ target: { file }, level: 'notice', name: 'switch' });
    logger.log('info', 'not written');
    logger.log('notice', 'written', { uuid: 'u', count: 1 });
    logger.setLevel('debug');
    logger.log('debug', 'now written');
    return new Promise<void>((resolve, reject) => {
      const look = (): void => {
        logger.flush();
        let lines: Record<string, unknown>[];
        try {
          lines = readFileSync(file, 'utf8')
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as Record<string, unknown>);
        } catch {
          setTimeout(look, 10);
          return;
        }
        try {
          assert.deepEqual(
            lines.map(({ level, msg, uuid }) => [level, msg, uuid]),
            [
              ['notice', 'written', 'u'],
              ['debug', 'now written', undefined],
            ],
          );
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      look();
    });
  });
});

describe('a UDP socket', limits, () => {
  test('sends and receives, with the address of the sender', async (context) => {
    const [left, right] = [await UdpSocket.open(anyPort), await UdpSocket.open(anyPort)];
    context.after(() => closeAll(left, right));
    const message = next(right);
    right.start();
    left.send(Buffer.from('hello'), right.localAddress);
    assert.deepEqual(await message, { text: 'hello', source: left.localAddress });
  });

  for (const speaksFirst of [false, true]) {
    test(`by descriptor: delivers what waited before start, in order${speaksFirst ? ', also when it has sent before' : ''}`, async (context) => {
      const socket = UdpSocket.fromDescriptor(openSocket('udp', anyPort));
      const peer = await UdpSocket.open(anyPort);
      context.after(() => closeAll(socket, peer));
      const received: string[] = [];
      const all = new Promise<void>((resolve) =>
        socket.onMessage((bytes) => {
          if (received.push(Buffer.from(bytes).toString()) === 3) resolve();
        }),
      );
      const heard = next(peer);
      peer.start();
      if (speaksFirst) {
        socket.send(Buffer.from('first'), peer.localAddress);
        await heard;
      }
      for (const text of ['1', '2', '3']) peer.send(Buffer.from(text), socket.localAddress);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.deepEqual(received, []);
      socket.start();
      await all;
      assert.deepEqual(received, ['1', '2', '3']);
    });
  }

  test('a failing send is counted and reported, and throws nothing', async (context) => {
    const socket = await UdpSocket.open(anyPort);
    context.after(() => socket.close());
    const failed = new Promise<Error>((resolve) => socket.onSendError(resolve));
    socket.send(Buffer.alloc(70_000), socket.localAddress);
    assert.match((await failed).message, /EMSGSIZE/);
    socket.send(Buffer.from('x'), { ip: '127.0.0.1', port: 0 });
    socket.close();
    socket.send(Buffer.from('x'), anyPort);
    assert.ok(socket.counters.sendErrors >= 1);
  });

  test('a port in use is an UndropError with the code of the system', async (context) => {
    const first = await UdpSocket.open(anyPort);
    context.after(() => first.close());
    await assert.rejects(UdpSocket.open(first.localAddress), (error) => error instanceof UndropError && error.code === 'EADDRINUSE');
  });
});

describe('sockets opened by hand', { ...limits, skip: process.platform !== 'linux' }, () => {
  for (const ip of ['127.0.0.1', '::1']) {
    test(`${ip}: bound where asked, and a second one is refused`, () => {
      for (const transport of ['udp', 'tcp'] as const) {
        const fd = openSocket(transport, { ip, port: 0 });
        const address = socketAddress(fd);
        assert.equal(address.ip, ip);
        assert.ok(address.port > 0);
        assert.throws(
          () => openSocket(transport, address),
          (error) => error instanceof UndropError && error.code === 'EADDRINUSE' && error.fix !== undefined,
        );
        closeDescriptor(fd);
        closeDescriptor(openSocket(transport, address));
      }
    });
  }

  test('an address of another host, or none at all, is refused with its code', () => {
    assert.throws(() => openSocket('udp', { ip: '192.0.2.1', port: 0 }), { code: 'EADDRNOTAVAIL' });
    assert.throws(() => openSocket('udp', { ip: 'example', port: 0 }), { code: 'EINVAL' });
  });

  test('a descriptor is passed on with its key, and stays with the sender', (context) => {
    const path = join(directory(context), 'fds.sock');
    const receiver = new DescriptorReceiver(path);
    assert.deepEqual(receiver.take(), []);
    const fd = openSocket('udp', anyPort);
    sendDescriptor(path, 'udp:a', fd);
    sendDescriptor(path, 'udp:b', fd);
    const received = receiver.take();
    assert.deepEqual(
      received.map(({ key }) => key),
      ['udp:a', 'udp:b'],
    );
    for (const each of received) {
      assert.deepEqual(socketAddress(each.fd), socketAddress(fd));
      closeDescriptor(each.fd);
    }
    assert.ok(socketAddress(fd).port > 0);
    closeDescriptor(fd);
    receiver.close();
    assert.throws(() => sendDescriptor(path, 'udp:a', 0), { code: 'DESCRIPTOR_SEND' });
  });
});
