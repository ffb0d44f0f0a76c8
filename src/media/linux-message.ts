import { type IpNumber, type IpTable, isIpv6Number } from './ip-table.ts';
import * as linux from './linux-libc.ts';

/** An array of `struct mmsghdr` with their iovecs and socket addresses, in memory that the kernel reads and writes. */
export class MessageHeaders {
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #address: number;
  readonly #vectors: number;
  readonly #names: number;
  readonly #ipv6Words = new Uint32Array(4);

  constructor(libc: linux.Libc, count: number) {
    this.#vectors = count * linux.MMSGHDR_BYTES;
    this.#names = this.#vectors + count * 16;
    this.#bytes = Buffer.allocUnsafeSlow(this.#names + count * 32).fill(0);
    this.#words = new Uint32Array(this.#bytes.buffer);
    this.#address = libc.addressOf(this.#bytes);
    for (let slot = 0; slot < count; slot++) {
      const header = slot * linux.MMSGHDR_BYTES;
      this.#writePointer(header, this.#address + this.#names + slot * 32);
      this.#words[(header + 8) / 4] = linux.SOCKADDR_BYTES;
      this.#writePointer(header + 16, this.#address + this.#vectors + slot * 16);
      this.#words[(header + 24) / 4] = 1;
    }
  }

  addressOf(slot: number): number {
    return this.#address + slot * linux.MMSGHDR_BYTES;
  }

  setData(slot: number, address: number, length: number): void {
    const vector = this.#vectors + slot * 16;
    this.#writePointer(vector, address);
    this.#words[(vector + 8) / 4] = length;
  }

  setAddress(slot: number, ips: IpTable, ip: IpNumber, port: number): void {
    const name = this.#names + slot * 32;
    if (isIpv6Number(ip)) {
      this.#words[(slot * linux.MMSGHDR_BYTES + 8) / 4] = writeSocketAddress(this.#bytes, name, ips, ip, port);
      return;
    }
    this.#words[name / 4] = linux.AF_INET | ((((port & 255) << 8) | (port >>> 8)) << 16);
    this.#words[name / 4 + 1] = swap32(ip);
    this.#words[(slot * linux.MMSGHDR_BYTES + 8) / 4] = 16;
  }

  length(slot: number): number {
    return this.#words[(slot * linux.MMSGHDR_BYTES + linux.MMSGHDR_LENGTH_OFFSET) / 4] as number;
  }

  truncated(slot: number): boolean {
    return ((this.#words[(slot * linux.MMSGHDR_BYTES + linux.MSGHDR_FLAGS_OFFSET) / 4] as number) & linux.MSG_TRUNC) !== 0;
  }

  resetAddress(slot: number): void {
    this.#words[(slot * linux.MMSGHDR_BYTES + 8) / 4] = linux.SOCKADDR_BYTES;
  }

  port(slot: number): number {
    const at = this.#names + slot * 32 + 2;
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }

  ipv6(slot: number): boolean {
    return ((this.#words[(this.#names + slot * 32) / 4] as number) & 0xffff) === linux.AF_INET6;
  }

  ipv4(slot: number): IpNumber {
    return swap32(this.#words[(this.#names + slot * 32) / 4 + 1] as number);
  }

  ipv6Words(slot: number): Uint32Array {
    const at = (this.#names + slot * 32 + 8) / 4;
    for (let word = 0; word < 4; word++) this.#ipv6Words[word] = this.#words[at + word] as number;
    return this.#ipv6Words;
  }

  #writePointer(at: number, address: number): void {
    this.#words[at / 4] = address >>> 0;
    this.#words[at / 4 + 1] = Math.floor(address / 2 ** 32);
  }
}

function swap32(value: number): number {
  return (((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** Writes a `sockaddr_in` or `sockaddr_in6`; returns its length. */
export function writeSocketAddress(bytes: Buffer, at: number, ips: IpTable, ip: IpNumber, port: number): number {
  bytes.fill(0, at, at + linux.SOCKADDR_BYTES);
  bytes.writeUInt16BE(port, at + 2);
  if (!isIpv6Number(ip)) {
    bytes.writeUInt16LE(linux.AF_INET, at);
    bytes.writeUInt32BE(ip, at + 4);
    return 16;
  }
  bytes.writeUInt16LE(linux.AF_INET6, at);
  const address = ips.ipv6Bytes(ip);
  if (address !== undefined) bytes.set(address, at + 8);
  return linux.SOCKADDR_BYTES;
}
