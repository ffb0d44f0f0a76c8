import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callPureFunction, type LocalTime } from '../../src/dialplan/index.ts';

const TIME: LocalTime = {
  year: 2026,
  month: 11,
  dayOfMonth: 4,
  dayOfYear: 308,
  weekday: 4,
  hour: 15,
  minute: 7,
  second: 9,
  offsetMinutes: -330,
  daylightSaving: false,
};
const call = (name: string, argumentText: string): string | null =>
  callPureFunction(name, argumentText, () => ({ wallMicroseconds: 1_793_800_000_500_000, localTime: TIME }));

test('cond compares numbers as numbers and everything else as text', () => {
  assert.equal(call('cond', '5 > 10 ? yes : no'), 'no');
  assert.equal(call('cond', '10 >= 9.5 ? yes : no'), 'yes');
  assert.equal(call('cond', "'abc' == 'abc' ? 'a b' : no"), 'a b');
  assert.equal(call('cond', 'abc != abd ? yes : no'), 'yes');
  assert.equal(call('cond', 'b<c?x:y'), 'x');
  assert.equal(call('cond', ' == 1 ? set : unset'), 'unset', 'an unset variable is empty');
  assert.equal(call('cond', 'nonsense'), '-ERR');
});

test('regex says true or false, or substitutes', () => {
  assert.equal(call('regex', '1005|^10'), 'true');
  assert.equal(call('regex', '2005|^10'), 'false');
  assert.equal(call('regex', '12025551212|^1(\\d{3})|%1'), '202');
  assert.equal(call('regex', 'sip|^1(\\d+)|%1'), 'sip', 'the data itself without a match');
  assert.equal(call('regex', 'sip|^1(\\d+)|%1|n'), '');
  assert.equal(call('regex', 'sip|^1(\\d+)|%1|b'), 'false');
  assert.equal(call('regex', 'm:~a|b~^(a)\\|(b)$~%2'), 'b');
  assert.equal(call('regex', 'b|^(a|b)$|%1'), 'b', 'an alternative inside the pattern');
  assert.equal(call('regex', 'b|^(a|b)$'), 'true');
  assert.equal(call('regex', 'x|('), '-ERR');
});

test('expr calculates', () => {
  assert.equal(call('expr', '1+2*(3-1)'), '5');
  assert.equal(call('expr', '-2 ^ 2 + 7 % 4'), '7');
  assert.equal(call('expr', '10/4'), '2.5');
  assert.equal(call('expr', '(3 > 2) && !(1 == 2)'), '1');
  assert.equal(call('expr', '1/0'), '-ERR');
  assert.equal(call('expr', '1+'), '-ERR');
  assert.equal(call('expr', 'process.exit()'), '-ERR');
  assert.equal(call('expr', '('.repeat(400)), '-ERR');
});

test('strftime formats as the C locale', () => {
  assert.equal(call('strftime', '%a, %d %b %Y %T %z'), 'Wed, 04 Nov 2026 15:07:09 -0530');
  assert.equal(call('strftime', '%Y-%m-%d-%H-%M-%S'), '2026-11-04-15-07-09');
  assert.equal(call('strftime', '%I:%M %p, day %j, %e, 100%%'), '03:07 PM, day 308,  4, 100%');
  assert.equal(call('strftime', ''), '2026-11-04 15:07:09');
  assert.equal(call('strepoch', ''), '1793800000');
});

test('what is no function is null', () => {
  assert.equal(call('no_such', 'x'), null);
  assert.equal(call('md5', 'abc'), '900150983cd24fb0d6963f7d28e17f72');
  assert.equal(call('toupper', 'aB1'), 'AB1');
  assert.equal(call('url_decode', '%zz'), '%zz');
});
