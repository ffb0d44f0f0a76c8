import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bytesOf,
  formatNameAddress,
  formatUri,
  MAXIMUM_HEADERS,
  messageText,
  parseChallenge,
  parseCredentials,
  parseMessage,
  parseNameAddress,
  parseParameters,
  parseUri,
  parseVia,
  type SipUri,
  tagOf,
} from '../../src/sip/index.ts';
import { INVITE_TEXT } from './samples.ts';

function check(bytes: Uint8Array): void {
  const result = parseMessage(bytes);
  if (result.kind === 'message') {
    assert.ok(result.message.headers.length <= MAXIMUM_HEADERS);
    assert.ok(result.message.body.length <= bytes.length);
    assert.deepEqual(parseMessage(bytesOf(messageText(result.message))).kind, 'message', 'what was accepted stays acceptable');
  } else if (result.kind === 'malformed') assert.notEqual(result.reason, '');
}

test('random bytes never throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 500 });
});

test('a valid message with bytes changed, inserted or cut never throws', () => {
  const original = [...bytesOf(INVITE_TEXT)];
  const interesting = fc.oneof(fc.constantFrom(...bytesOf('\r\n \t:;,<>"\\@?=%[]\0')), fc.integer({ min: 0, max: 255 }));
  const edit = fc.record({ at: fc.nat(original.length - 1), cut: fc.nat(6), insert: fc.array(interesting, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      const bytes = [...original];
      for (const { at, cut, insert } of edits) bytes.splice(at, cut, ...insert);
      check(Uint8Array.from(bytes));
    }),
    { numRuns: 1500 },
  );
});

test('field parsers never throw on any text', () => {
  const alphabet = fc.constantFrom(...'<>"\\;:=@?,% []*ab1sip/2.0tag\t'.split(''));
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 60 }), (text) => {
      for (const value of [text, `sip:${text}`, `<sip:${text}`, `SIP/2.0/UDP ${text}`, `Digest ${text}`]) {
        parseUri(value);
        parseNameAddress(value);
        parseVia(value);
        parseParameters(value);
        parseChallenge(value);
        parseCredentials(value);
        tagOf(value);
      }
    }),
    { numRuns: 1000 },
  );
});

test('URI and name-addr: format then parse gives the same value', () => {
  const latin1 = fc.string({
    unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 12,
  });
  const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
  const uri: fc.Arbitrary<SipUri> = fc.record(
    {
      scheme: fc.constantFrom('sip' as const, 'sips' as const),
      user: fc.option(latin1),
      host: fc.constantFrom('example.com', '192.0.2.1', '2001:db8::1', 'a-b.c'),
      port: fc.option(fc.integer({ min: 1, max: 65_535 })),
      parameters: fc.dictionary(token, token, { maxKeys: 3, noNullPrototype: true }).map((entries) => new Map(Object.entries(entries))),
      headers: fc.option(fc.constantFrom('Subject=x', 'Replaces=a%40b%3Bto-tag%3D1')),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(uri, fc.option(latin1), (value, name) => {
      assert.deepEqual(parseUri(formatUri(value)), value);
      const address = {
        displayName: name,
        uri: value,
        parameters: new Map([
          ['tag', 'x'],
          ['other', 'a;b "c"'],
        ]),
      };
      assert.deepEqual(parseNameAddress(formatNameAddress(address)), address);
    }),
    { numRuns: 500 },
  );
});
