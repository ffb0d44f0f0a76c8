import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UndropError } from '../../src/base/index.ts';
import { parseDialString } from '../../src/dialplan/index.ts';

test('"," rings at once and "|" one after another', () => {
  const plan = parseDialString('user/1000@d,user/1001|user/1002');
  assert.deepEqual(
    plan.attempts.map((legs) => legs.map((leg) => leg.text)),
    [['user/1000@d', 'user/1001'], ['user/1002']],
  );
  assert.deepEqual(plan.attempts[0]?.[0]?.endpoint, { kind: 'user', user: '1000', domain: 'd' });
});

test('{} variables are for all legs, [] for one', () => {
  const plan = parseDialString("{a=1,b='x,y',c=1\\,2}{d=|}[leg_timeout=10,e=f]user/1,user/2");
  assert.deepEqual(
    [...plan.globalVariables],
    [
      ['a', '1'],
      ['b', 'x,y'],
      ['c', '1,2'],
      ['d', '|'],
    ],
  );
  assert.deepEqual(
    [...(plan.attempts[0]?.[0]?.variables ?? [])],
    [
      ['leg_timeout', '10'],
      ['e', 'f'],
    ],
  );
  assert.equal(plan.attempts[0]?.[1]?.variables.size, 0);
});

test('^^: chooses another separator', () => {
  assert.deepEqual(
    [...parseDialString('{^^:codecs=PCMU,PCMA:x=1}user/1').globalVariables],
    [
      ['codecs', 'PCMU,PCMA'],
      ['x', '1'],
    ],
  );
});

test('sofia destinations', () => {
  const endpoint = (text: string) => parseDialString(text).attempts[0]?.[0]?.endpoint;
  assert.deepEqual(endpoint('sofia/internal/sip:1000@192.0.2.1:5070;transport=tcp'), {
    kind: 'sofia',
    profile: 'internal',
    scheme: 'sip',
    user: '1000',
    host: '192.0.2.1',
    port: 5070,
    parameters: 'transport=tcp',
  });
  assert.deepEqual(endpoint('sofia/internal/1000@[::1]:5060'), {
    kind: 'sofia',
    profile: 'internal',
    scheme: 'sip',
    user: '1000',
    host: '::1',
    port: 5060,
    parameters: '',
  });
  assert.deepEqual(endpoint('sofia/gateway/trunk/0049301234'), { kind: 'gateway', gateway: 'trunk', number: '0049301234' });
  assert.deepEqual(endpoint('sofia/internal/1000%example.com'), {
    kind: 'registered',
    profile: 'internal',
    user: '1000',
    domain: 'example.com',
  });
});

test('loopback, group and error', () => {
  const endpoint = (text: string) => parseDialString(text).attempts[0]?.[0]?.endpoint;
  assert.deepEqual(endpoint('loopback/9196/default/XML'), { kind: 'loopback', destination: '9196', context: 'default', dialplan: 'XML' });
  assert.deepEqual(endpoint('group/sales@d+F'), { kind: 'group', group: 'sales', domain: 'd', order: 'first' });
  assert.deepEqual(endpoint('error/user_busy'), { kind: 'error', cause: 'USER_BUSY' });
});

for (const bad of [
  '',
  ' , | ',
  'user/',
  '1000',
  'sofia/internal',
  'sofia/internal/1@h:70000',
  'sofia/gateway/x',
  '{a=1user/1',
  '[a]user/1',
  'a/b:_:c/d',
  'carrier/1',
]) {
  test(`"${bad}" is refused with a reason`, () => {
    assert.throws(
      () => parseDialString(bad),
      (error: unknown) => error instanceof UndropError && error.code === 'DIAL_STRING_INVALID',
    );
  });
}

test('any text gives a plan or an UndropError', () => {
  const text = fc.string({
    unit: fc.constantFrom('user/', 'sofia/', 'a', '1', '@', ',', '|', '{', '}', '[', ']', '=', '\\', "'", '^^:', ':', ';', '/'),
  });
  fc.assert(
    fc.property(text, (value) => {
      try {
        return parseDialString(value).attempts.length > 0;
      } catch (error) {
        return error instanceof UndropError;
      }
    }),
  );
});
