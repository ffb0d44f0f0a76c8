import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { IpTable } from '../../src/media/index.ts';

describe('addresses as integers', () => {
  it('come back as the same text, IPv6 in its canonical form', () => {
    const table = new IpTable();
    assert.equal(table.toNumber('10.1.2.3'), 0x0a010203);
    for (const [given, canonical] of [
      ['255.254.0.1', '255.254.0.1'],
      ['::1', '::1'],
      ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['::ffff:10.0.0.1', '::ffff:a00:1'],
      ['fe80::', 'fe80::'],
    ] as const) {
      assert.equal(table.toText(table.toNumber(given)), canonical);
    }
    assert.equal(table.toNumber('2001:db8::1:0:0:1'), table.toNumber('2001:DB8:0:0:1:0:0:1'));
  });

  it('are 0 for what is no address', () => {
    const table = new IpTable();
    for (const text of ['', '0.0.0.0', '::', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1:2', ':::', 'example.org', '1::2::3', 'fe80::1%eth0']) {
      assert.equal(table.toNumber(text), 0, text);
    }
  });

  it('agree with node:net on what is one', () => {
    const table = new IpTable();
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
        if (text === '0.0.0.0' || table.toNumber(text) !== 0) assert.ok(isIPv4(text) || isIPv6(text));
        else if (isIPv4(text)) assert.fail(text);
      }),
    );
  });
});
