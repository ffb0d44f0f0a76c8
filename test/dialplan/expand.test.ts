import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { expandVariables } from '../../src/dialplan/index.ts';

const values: Record<string, string> = {
  number: '18005551212',
  name: 'number',
  evil: '${system(rm)}',
  indirect: '${number}',
  loop: '${loop}',
  list: 'ARRAY::a|:b',
};
const lookup = (name: string): string | null => values[name] ?? null;

test('variables, substrings and nested names expand as in FreeSWITCH', () => {
  const cases: [string, string][] = [
    ['a ${number} b', 'a 18005551212 b'],
    ['${number:1}', '8005551212'],
    ['${number:1:3}', '800'],
    ['${number:-4}', '1212'],
    ['${number:-4:2}', '12'],
    ['${${name}}', '18005551212'],
    ['${indirect}', '18005551212'],
    ['${none}', ''],
    ['${list[1]}', 'b'],
    ['\\${number} ${name}', '${number} number'],
    ['no variables: \\n $1', 'no variables: \\n $1'],
    ['${unclosed', '${unclosed'],
  ];
  for (const [text, expected] of cases) assert.equal(expandVariables(text, lookup), expected, text);
});

test('functions get their arguments expanded', () => {
  assert.equal(
    expandVariables('${f(${name},1)} ${g x}', lookup, (name, argumentText) => `<${name}:${argumentText}>`),
    '<f:number,1> <g:x>',
  );
});

test('a value never runs a function', () => {
  assert.equal(
    expandVariables('${evil}', lookup, () => assert.fail('the function ran')),
    '',
  );
});

test('a variable that holds itself ends', () => {
  assert.equal(expandVariables('${loop}', lookup), '');
});

test('any text expands without an exception', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('$', '{', '}', '\\', ':', '(', ')', 'a', '1', '[', ']', ' ') }),
      (text) => typeof expandVariables(text, lookup) === 'string',
    ),
  );
});
