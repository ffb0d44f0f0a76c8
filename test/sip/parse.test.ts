import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesOf,
  headerValue,
  headerValues,
  MAXIMUM_HEADERS,
  MAXIMUM_MESSAGE_BYTES,
  messageText,
  parseCSeq,
  parseMessage,
  parseNameAddress,
  parseVia,
  serializeMessage,
  tagOf,
  textOf,
} from '../../src/sip/index.ts';
import { crlf, INVITE_TEXT, parsed, parsedRequest, parsedResponse } from './samples.ts';

function malformed(text: string): { reason: string; status: number; answerable: boolean } {
  const result = parseMessage(bytesOf(text));
  assert.equal(result.kind, 'malformed');
  if (result.kind !== 'malformed') throw new Error();
  return { reason: result.reason, status: result.status, answerable: result.request !== null };
}

const OPTIONS = crlf(`OPTIONS sip:192.0.2.10 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK1
From: <sip:a@192.0.2.20>;tag=1
To: <sip:192.0.2.10>
Call-ID: x
CSeq: 1 OPTIONS
Content-Length: 0

`);

test('a request is parsed into start line, headers in order, and body', () => {
  const request = parsedRequest(INVITE_TEXT);
  assert.equal(request.method, 'INVITE');
  assert.equal(request.uri, 'sip:9196@192.0.2.10;transport=udp');
  assert.equal(request.headers[0]?.name, 'Via');
  assert.equal(request.headers.length, 15);
  assert.ok(request.body.startsWith('v=0\r\n'));
  assert.equal(request.body.length, 221);
});

test('compact and oddly spelled header names become canonical; unknown names keep their spelling', () => {
  const request = parsedRequest(
    OPTIONS.replace('Via:', 'v:')
      .replace('From:', 'F :')
      .replace('Call-ID', 'call-id')
      .replace('To:', 'T:')
      .replace('CSeq', 'CSEQ')
      .replace('Content-Length', 'l')
      .replace('\r\n\r\n', '\r\nx-Account-ID: 7\r\n\r\n'),
  );
  assert.deepEqual(
    request.headers.map((header) => header.name),
    ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Content-Length', 'x-Account-ID'],
  );
  assert.equal(headerValue(request, 'X-ACCOUNT-ID'), '7');
  assert.equal(headerValue(request, 'i'), 'x');
});

test('folded lines are joined, bare LF ends a line, and leading line ends are skipped', () => {
  const text = `\r\n\r\n${OPTIONS.replace('From: <sip', 'From:\r\n <sip').replace('Content-Length', 'Subject: a\r\n\t b\r\n  c\r\nContent-Length')}`;
  assert.equal(headerValue(parsed(text), 'Subject'), 'a b c');
  assert.equal(headerValue(parsed(text.replaceAll('\r\n', '\n')), 'From'), '<sip:a@192.0.2.20>;tag=1');
});

test('comma lists of Via, Route, Record-Route and Contact become entries, commas in quotes and brackets do not split', () => {
  const request = parsedRequest(
    OPTIONS.replace(
      'From:',
      'Via: SIP/2.0/UDP a.example, SIP/2.0/TCP b.example\r\nRoute: <sip:a;lr>,<sip:b,c;lr>\r\nm: "Doe, \\"J" <sip:j@x>, sip:k@y\r\nAllow: INVITE, ACK\r\nFrom:',
    ),
  );
  assert.equal(headerValues(request, 'Via').length, 3);
  assert.deepEqual(headerValues(request, 'Route'), ['<sip:a;lr>', '<sip:b,c;lr>']);
  assert.deepEqual(headerValues(request, 'Contact'), ['"Doe, \\"J" <sip:j@x>', 'sip:k@y']);
  assert.deepEqual(headerValues(request, 'Allow'), ['INVITE, ACK']);
});

test('Content-Length: excess bytes are discarded, a shorter body is malformed, none means to the end of the datagram', () => {
  const withBody = OPTIONS.replace('Content-Length: 0', 'Content-Length: 3');
  assert.equal(parsed(`${withBody}abcdef`).body, 'abc');
  assert.deepEqual(malformed(`${withBody}ab`), { reason: 'Content-Length does not fit the datagram', status: 400, answerable: true });
  assert.equal(parsed(`${OPTIONS.replace('Content-Length: 0\r\n', '')}abcdef`).body, 'abcdef');
  assert.equal(malformed(OPTIONS.replace('Content-Length: 0', 'Content-Length: -999')).answerable, true);
});

test('a keep-alive is neither a message nor malformed', () => {
  for (const text of ['', '\r\n\r\n', '\r\n', '\0\0\0\0', '\n']) assert.equal(parseMessage(bytesOf(text)).kind, 'keepAlive');
});

test('mandatory headers are demanded, and only a request that can be answered is handed back', () => {
  for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq']) {
    const result = malformed(OPTIONS.replace(new RegExp(`^${name}:.*\r\n`, 'm'), ''));
    assert.deepEqual(result, { reason: `no ${name}`, status: 400, answerable: false });
  }
  parsed(OPTIONS);
});

test('CSeq: the method must match, the number is below 2^31', () => {
  assert.deepEqual(malformed(OPTIONS.replace('1 OPTIONS', '1 INVITE')).answerable, true);
  assert.equal(malformed(OPTIONS.replace('1 OPTIONS', '36893488147419103232 OPTIONS')).reason, 'CSeq is malformed');
  assert.equal(parseCSeq('2147483648 INVITE'), null);
  assert.deepEqual(parseCSeq('0009   INVITE'), { number: 9, method: 'INVITE' });
});

test('a malformed ACK is never answered', () => {
  assert.equal(malformed(OPTIONS.replace('OPTIONS sip:', 'ACK sip:')).answerable, false);
  assert.equal(malformed(OPTIONS.replaceAll('OPTIONS', 'ACK').replace('Content-Length: 0', 'Content-Length: 5')).answerable, false);
});

test('limits: message size, number of headers', () => {
  assert.equal(malformed(OPTIONS + 'x'.repeat(MAXIMUM_MESSAGE_BYTES)).status, 513);
  assert.match(malformed(OPTIONS.replace('Content-Length', `${'A: b\r\n'.repeat(MAXIMUM_HEADERS)}Content-Length`)).reason, /more than/);
  assert.match(
    malformed(OPTIONS.replace('Content-Length', `Route: ${'<sip:a>,'.repeat(MAXIMUM_HEADERS + 1)}\r\nContent-Length`)).reason,
    /more than/,
  );
});

test('RFC 4475 wsinv: a short tortuous INVITE is valid', () => {
  const request = parsedRequest(
    crlf(`INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\"" <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 5
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

v=0
`),
  );
  assert.equal(tagOf(headerValue(request, 'To') ?? ''), '1918181833n');
  assert.equal(tagOf(headerValue(request, 'From') ?? ''), '98asjd8');
  assert.equal(parseNameAddress(headerValue(request, 'From') ?? '')?.displayName, 'J Rosenberg \\"');
  assert.deepEqual(
    headerValues(request, 'Via').map((via) => parseVia(via)?.parameters.get('branch')),
    ['390skdjuw', 'z9hG4bK9ikj8', 'z9hG4bK30239'],
  );
  const contact = parseNameAddress(headerValue(request, 'Contact') ?? '');
  assert.deepEqual(
    [...(contact?.parameters ?? [])],
    [
      ['newparam', 'newvalue'],
      ['secondparam', ''],
      ['q', '0.33'],
    ],
  );
  assert.equal(headerValue(request, 'NewFangledHeader'), 'newfangled value continued newfangled value');
});

test('RFC 4475 intmeth: every character that a method token may have is accepted', () => {
  const method = "!interesting-Method0123456789_*+`.%indeed'~";
  assert.equal(parsedRequest(OPTIONS.replaceAll('OPTIONS', method)).method, method);
});

test('RFC 4475 noreason, unreason, bigcode: a response with an empty or UTF-8 reason phrase keeps its bytes', () => {
  const response = (line: string): string => OPTIONS.replace('OPTIONS sip:192.0.2.10 SIP/2.0', line);
  assert.equal(parsedResponse(response('SIP/2.0 100 ')).reason, '');
  const phrase = textOf(Buffer.from('= 2**3 * 5**2 но сто девяносто девять'));
  const message = parsedResponse(response(`SIP/2.0 200 ${phrase}`));
  assert.equal(message.reason, phrase);
  assert.ok(Buffer.from(serializeMessage(message)).includes(Buffer.from('девять')));
  assert.equal(malformed(response('SIP/2.0 4294967301 better')).answerable, false);
});

test('RFC 4475 quotbal, ltgtruri, lwsruri, badvers, multi01: invalid messages are refused with an answer where one can be given', () => {
  assert.equal(malformed(OPTIONS.replace('To: <sip:192.0.2.10>', 'To: "Mr. J. User <sip:j.user@example.com>')).reason, 'To is malformed');
  assert.equal(malformed(OPTIONS.replace('OPTIONS sip:192.0.2.10 ', 'OPTIONS <sip:192.0.2.10> ')).answerable, true);
  assert.equal(malformed(OPTIONS.replace('OPTIONS sip:192.0.2.10 ', 'OPTIONS sip:192.0.2.10; lr ')).answerable, true);
  assert.equal(malformed(OPTIONS.replace('SIP/2.0\r\nVia', 'SIP/2.0\r\n Via')).answerable, false);
  assert.equal(malformed(OPTIONS.replace('SIP/2.0\r\n', 'SIP/7.0\r\n')).status, 505);
  assert.equal(malformed(OPTIONS.replace('CSeq', 'Call-ID: y\r\nCSeq')).reason, 'more than one Call-ID');
});

test('RFC 4475 mcl01, ncl: several different or negative Content-Length are refused', () => {
  assert.equal(
    malformed(OPTIONS.replace('Content-Length: 0', 'Content-Length: 0\r\nContent-Length: 5')).reason,
    'more than one Content-Length',
  );
});

test('RFC 4475 unkscm: an unknown URI scheme in Request-URI or To is no syntax error', () => {
  const request = parsedRequest(
    OPTIONS.replace('OPTIONS sip:192.0.2.10', 'OPTIONS nobodyKnowsThisScheme:totallyopaque').replace(
      'To: <sip:192.0.2.10>',
      'To: isbn:2983792873;tag=z',
    ),
  );
  assert.equal(tagOf(headerValue(request, 'To') ?? ''), 'z');
});

test('parse and serialize are a round trip, and Content-Length is computed', () => {
  const message = parsed(INVITE_TEXT);
  assert.deepEqual(parsed(messageText(message)), message);
  const changed = { ...message, body: 'é' };
  assert.match(messageText(changed), /Content-Length: 1\r\n\r\né$/);
  assert.equal(parsed(textOf(serializeMessage(changed))).body, 'é');
});

test('a UTF-8 value that ends with byte A0 keeps it', () => {
  const value = textOf(Buffer.from('voilà'));
  assert.equal(headerValue(parsed(OPTIONS.replace('Content-Length', `Subject: ${value}\r\nContent-Length`)), 'Subject'), value);
  assert.equal(parseNameAddress(`${value} <sip:a@b>`)?.displayName, value);
});

test('no value can begin a header of its own, whatever characters it has', () => {
  const message = parsed(OPTIONS);
  for (const evil of ['a\r\nEvil: 1', 'a\nEvil: 1', 'a\u010aEvil: 1']) {
    const bytes = serializeMessage({ ...message, headers: [...message.headers, { name: 'Subject', value: evil }] });
    const again = parsed(textOf(bytes));
    assert.equal(headerValue(again, 'Evil'), null);
    assert.notEqual(headerValue(again, 'Subject'), null);
  }
});
