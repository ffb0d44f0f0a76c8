import type { Random } from '../base/index.ts';

/** Loaded on first use: it costs 5 ms that a process which only restores audio should not pay. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}

const poolBytes = 4096;
const pool = Buffer.alloc(poolBytes);
let used = poolBytes;

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function take(bytes: number): number {
  if (used + bytes > poolBytes) {
    crypto().randomFillSync(pool);
    used = 0;
  }
  const offset = used;
  used += bytes;
  return offset;
}

/** Cryptographic randomness of the machine, drawn in blocks. */
export const systemRandom: Random = {
  uint32: () => pool.readUInt32LE(take(4)),
  uuid: () => crypto().randomUUID(),
  token: (length) => {
    let text = '';
    while (text.length < length) {
      const value = (pool[take(1)] ?? 255) & 63;
      // 62 and 63 are drawn again: a plain remainder would favour the first characters.
      const character = alphabet[value];
      if (character !== undefined) text += character;
    }
    return text;
  },
};
