import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const MODULE = resolve(import.meta.dirname, '../../src/config/check.ts');

function check(text: string, ...more: string[]): { code: number | null; out: string; error: string } {
  const directory = mkdtempSync(join(tmpdir(), 'undrop-check-'));
  try {
    writeFileSync(join(directory, 'freeswitch.xml'), text);
    const program = `process.exitCode = await (await import(${JSON.stringify(MODULE)})).checkConfig(${JSON.stringify(['--conf', directory, ...more])});`;
    const result = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 20_000 });
    return { code: result.status, out: result.stdout, error: result.stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const document = (switchParameter: string): string => `<document type="freeswitch/xml">
<X-PRE-PROCESS cmd="set" data="default_password=s3cr3t"/>
<section name="configuration"><configuration name="switch.conf"><settings>
${switchParameter}
</settings></configuration></section>
<section name="dialplan"><context name="c"><extension name="e"><condition>
<action application="bridge" data="[sip_auth_username=a,sip_auth_password=s3cr3t]sofia/internal/1@127.0.0.1"/></condition></extension></context></section>
<section name="directory"><domain name="d"><users><user id="1"><params>
<param name="password" value="$\${default_password}"/></params></user></users></domain></section>
</document>
`;

test('a good configuration gives a summary and exit code 0', () => {
  const { code, out } = check(document('<param name="switchname" value="node-a"/>'));
  assert.equal(code, 0);
  assert.match(out, /switchname {2}node-a/);
  assert.match(out, /context {5}c: 1 extension/);
  assert.match(out, /domain {6}d: 1 user/);
});

test('an error gives file:line: message and exit code 1', () => {
  const { code, error } = check(document('<param name="max-sessions" value="x"/>'));
  assert.equal(code, 1);
  assert.match(error, /freeswitch\.xml:4: max-sessions: found "x"/);
});

test('--expanded prints the document without any password', () => {
  const { code, out } = check(document(''), '--expanded');
  assert.equal(code, 0);
  assert.match(out, /<user id="1">/);
  assert.ok(!out.includes('s3cr3t'), out);
});

test('a wrong argument gives the usage and exit code 1', () => {
  assert.match(check('', '--nonsense').error, /usage: undrop config check/);
});
