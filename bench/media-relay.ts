/**
 * Measures the media process: CPU per relayed packet, and the time from its start to the first forwarded packet.
 *
 *   node bench/media-relay.ts [sockets] [packets per second] [seconds]
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endpoint, rtp } from '../test/media/harness.ts';
import { kill, MediaClient, spawnMedia } from '../test/media/media-client.ts';

const sockets = Number(process.argv[2] ?? 200);
const rate = Number(process.argv[3] ?? 10_000);
const seconds = Number(process.argv[4] ?? 4);
const variant = process.argv[5] ?? 'linux';
const BASE_PORT = 25_000;
const TICKS_PER_SECOND = 100;

const directory = mkdtempSync(join(tmpdir(), 'media-bench-'));
const phone = createSocket('udp4');
let heard = 0;
let firstHeard = 0;
phone.on('message', () => {
  if (heard++ === 0) firstHeard = performance.now();
});
phone.bind(0, '127.0.0.1');
await once(phone, 'listening');
phone.setRecvBufferSize(4 * 1024 * 1024);
const remote = { ip: '127.0.0.1', port: phone.address().port };
const port = (index: number): number => BASE_PORT + index * 2;
const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};

let media = spawnMedia(directory, variant);
try {
  const client = await MediaClient.connect(directory);
  const endpoints = Array.from({ length: sockets }, (_, index) =>
    endpoint(`e${index}`, port(index), { kind: 'relay', partner: `e${index ^ 1}` }, { localIp: '127.0.0.1', remote }),
  );
  const reply = await client.command({ kind: 'set', endpoints });
  if (reply.kind === 'done' && reply.failed.length > 0) throw new Error(JSON.stringify(reply.failed[0]));

  const started = performance.now();
  const cpuBefore = cpuSeconds(media.pid ?? 0);
  let sent = 0;
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) / 1000) * rate;
    for (; sent < due; sent++) phone.send(rtp(sent, sent * 160), port(sent % sockets), '127.0.0.1');
    await delay(2);
  }
  await delay(200);
  const cpu = cpuSeconds(media.pid ?? 0) - cpuBefore;
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${media.pid}/status`, 'latin1'))?.[1];
  console.log(`relay: ${sent} sent, ${heard} heard, ${((cpu / heard) * 1e6).toFixed(1)} µs CPU a packet, ${resident} kB resident`);

  const times: number[] = [];
  for (let run = 0; run < 5; run++) {
    await kill(media);
    heard = 0;
    const spawned = performance.now();
    media = spawnMedia(directory, variant);
    while (heard === 0) {
      phone.send(rtp(1, 1), port(run), '127.0.0.1');
      await delay(1);
    }
    times.push(firstHeard - spawned);
    await delay(100);
  }
  console.log(`start to first forwarded packet, ${sockets} endpoints: ${times.map((time) => time.toFixed(0)).join(' ')} ms`);
  client.close();
} finally {
  await kill(media);
  phone.close();
  rmSync(directory, { recursive: true, force: true });
}
