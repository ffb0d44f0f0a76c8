import { createServer, type Server } from 'node:net';

/** Ports of one switch under test, below the range that the kernel hands out by itself (32768 and up). */
export interface PortBlock {
  readonly sip: number;
  readonly eventSocket: number;
  readonly rtpFirst: number;
  readonly rtpLast: number;
  /** Gives the block back; ending the process does the same. */
  release(): Promise<void>;
}

const firstBlock = 10_000;
const blockSize = 1000;
const blockCount = 22;

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** A block that no other test has: holding its first TCP port is the lock, which the kernel frees with the process. */
export async function takePorts(): Promise<PortBlock> {
  for (let attempt = 0; attempt < blockCount; attempt += 1) {
    const base = firstBlock + ((process.pid + attempt) % blockCount) * blockSize;
    const server = await listen(base);
    if (server === null) continue;
    return {
      sip: base + 10,
      eventSocket: base + 12,
      rtpFirst: base + 100,
      rtpLast: base + 999,
      release: () => new Promise((resolve) => server.close(() => resolve())),
    };
  }
  throw new Error(`no block of ports is free between ${firstBlock} and ${firstBlock + blockCount * blockSize}`);
}
