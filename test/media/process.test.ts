import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EndpointMode, EndpointState } from '../../src/media/index.ts';
import { endpoint, parse, rtp } from './harness.ts';
import { kill, MediaClient, spawnMedia } from './media-client.ts';

/** A phone: sends a packet each 20 ms and keeps what it hears. */
class Phone {
  readonly heard: ReturnType<typeof parse>[] = [];
  readonly #socket: Socket;
  readonly #ssrc: number;
  #timer: NodeJS.Timeout | null = null;
  #sequence = 1;

  constructor(socket: Socket, ssrc: number) {
    this.#socket = socket;
    this.#ssrc = ssrc;
    socket.on('message', (bytes) => this.heard.push(parse(bytes)));
  }

  static async open(ip: string, ssrc: number): Promise<Phone> {
    const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, ip);
    await once(socket, 'listening');
    return new Phone(socket, ssrc);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  talkTo(ip: string, port: number): void {
    this.#timer = setInterval(() => {
      this.#socket.send(rtp(this.#sequence, this.#sequence * 160, { ssrc: this.#ssrc }), port, ip);
      this.#sequence++;
    }, 20);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#socket.close();
  }
}

/** Four neighbouring ports per endpoint that nobody holds, on an address of this test's own. */
function ports(variant: string): number {
  return (variant === 'linux' ? 21_000 : 23_000) + (process.pid % 900) * 2;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (condition()) return;
    await delay(10);
  }
  assert.fail(`waited in vain for ${what}`);
}

for (const variant of ['linux', 'portable']) {
  describe(`media process (${variant})`, { timeout: 30_000 }, () => {
    it('killed and started again from its journal alone, goes on with relay, echo and conference', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'media-'));
      const base = ports(variant);
      const ip = '127.0.0.1';
      const phones = await Promise.all([1, 2, 3, 4, 5].map((ssrc) => Phone.open(ssrc === 3 ? '::1' : ip, ssrc)));
      const localIp = (index: number) => (index === 2 ? '::1' : ip);
      const at = (index: number, mode: EndpointMode): EndpointState =>
        endpoint(`e${index}`, base + index * 2, mode, {
          localIp: localIp(index),
          remote: { ip: localIp(index), port: phones[index]?.port ?? 0 },
        });
      const conference = (memberId: number): EndpointMode => ({ kind: 'conference', room: 'r', memberId, muted: false, deaf: false });
      let media = spawnMedia(directory, variant);
      try {
        const client = await MediaClient.connect(directory);
        const hello = await client.command({ kind: 'hello', version: 1 });
        assert.equal(hello.kind === 'hello' && hello.pid, media.pid);
        const endpoints = [
          at(0, { kind: 'relay', partner: 'e1' }),
          at(1, { kind: 'relay', partner: 'e0' }),
          at(2, { kind: 'echo' }),
          at(3, conference(1)),
          at(4, conference(2)),
        ];
        assert.deepEqual(await client.command({ kind: 'set', endpoints }), { kind: 'done', request: 2, failed: [] });
        for (const [index, phone] of phones.entries()) phone.talkTo(localIp(index), base + index * 2);
        await until(() => phones.every((phone) => phone.heard.length > 20), 'sound before the crash');
        client.close();

        await kill(media);
        const before = phones.map((phone) => phone.heard.length);
        media = spawnMedia(directory, variant);
        await until(() => phones.every((phone, index) => phone.heard.length > (before[index] ?? 0) + 20), 'sound after the crash');

        const ssrcs = [2, 1, 0x1000_0000 + base + 4, 0x1000_0000 + base + 6, 0x1000_0000 + base + 8];
        for (const [index, phone] of phones.entries()) {
          for (const [place, packet] of phone.heard.entries()) {
            assert.equal(packet.ssrc, ssrcs[index]);
            const earlier = phone.heard[place - 1];
            if (earlier === undefined) continue;
            const jump = (packet.sequence - earlier.sequence) & 0xffff;
            assert.ok(jump > 0 && jump < 500, `endpoint ${index}: sequence ${earlier.sequence} -> ${packet.sequence}`);
            assert.ok(((packet.timestamp - earlier.timestamp) | 0) >= 0, `endpoint ${index}: timestamp went back`);
          }
        }
        const again = await MediaClient.connect(directory);
        const report = await again.command({ kind: 'list', ids: null });
        assert.ok(report.kind === 'report' && report.endpoints.length === 5);
        assert.ok(report.endpoints.every((found) => found.restoredAt > 0 && found.lastInBeforeCrash > 0));
        again.close();
      } finally {
        for (const phone of phones) phone.close();
        await kill(media);
        rmSync(directory, { recursive: true, force: true });
      }
    });

    it('serves several switches, answers nonsense, replaces a stale socket, and keeps events for the next switch', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'media-'));
      const base = ports(variant) + 20;
      const media = spawnMedia(directory, variant);
      try {
        const first = await MediaClient.connect(directory);
        const second = await MediaClient.connect(directory);
        await first.command({ kind: 'hello', version: 1 });
        const odd = await second.command({ kind: 'dance' } as never);
        assert.equal(odd.kind === 'done' && odd.failed[0]?.code, 'BAD_COMMAND');
        const play = { kind: 'play', playId: 'p', source: { kind: 'tone', script: '%(100,0,440)' }, loops: 1, position: 0 } as const;
        await second.command({ kind: 'set', endpoints: [endpoint('a', base, play, { localIp: '127.0.0.1', remote: null })] });
        await until(() => first.events.length > 0, 'the event at the greeted switch');
        assert.deepEqual(second.events, []);
        first.close();
        second.close();
        const raw = connect(join(directory, 'run', 'media.sock'));
        raw.on('error', () => undefined);
        raw.write('not json\n');
        await once(raw, 'close');
        const third = await MediaClient.connect(directory);
        await third.command({
          kind: 'set',
          endpoints: [endpoint('a', base, { ...play, playId: 'q' }, { localIp: '127.0.0.1', remote: null })],
        });
        await delay(300);
        await third.command({ kind: 'hello', version: 1 });
        await until(() => third.events.some((event) => event.kind === 'played' && event.playId === 'q'), 'the kept event');
        const taken = createSocket('udp4').bind(base + 10, '127.0.0.1');
        await once(taken, 'listening');
        const reply = await third.command({
          kind: 'set',
          endpoints: [endpoint('t', base + 10, { kind: 'idle' }, { localIp: '127.0.0.1' })],
        });
        assert.equal(reply.kind === 'done' && reply.failed[0]?.code, 'EADDRINUSE');
        const many = Array.from({ length: 2000 }, (_, index) => endpoint(`none${index}`, 0, { kind: 'idle' }));
        const large = await third.command({ kind: 'set', endpoints: many });
        assert.equal(large.kind === 'done' && large.failed.length, 2000);
        taken.close();
        third.close();
        await kill(media);

        const next = spawnMedia(directory, variant);
        const fourth = await MediaClient.connect(directory);
        assert.equal((await fourth.command({ kind: 'hello', version: 1 })).kind, 'hello');
        fourth.close();
        await kill(next);
      } finally {
        await kill(media);
        rmSync(directory, { recursive: true, force: true });
      }
    });
  });
}
