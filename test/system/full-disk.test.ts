import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Bench, eventually, sleep, timeout } from './bench.ts';

/** A file system of its own at `directory`, unmounted with the test. False (and the test skipped) where that is not allowed. */
function mountSmall(context: TestContext, directory: string, megabytes: number): boolean {
  mkdirSync(directory, { recursive: true });
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    context.skip('mounting a file system needs root on Linux');
    return false;
  }
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], { stdio: 'pipe' });
  } catch (error) {
    context.skip(`mount is not allowed here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    return false;
  }
  return true;
}

/** Fills the file system to the last byte; call the result to free it. */
function fill(directory: string): () => void {
  const path = join(directory, 'ballast');
  const file = openSync(path, 'w');
  for (const size of [1 << 20, 1 << 12, 1]) {
    const bytes = Buffer.alloc(size, 1);
    try {
      for (;;) if (writeSync(file, bytes) < size) break;
    } catch {
      // Full for this size.
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

/** A bench whose `place` lies on a small file system of its own. */
async function smallBench(context: TestContext, place: 'database' | 'state'): Promise<{ bench: Bench; directory: string } | null> {
  const bench = await Bench.create(context, { start: false });
  const directory = place === 'database' ? join(bench.undrop.directory, 'database') : bench.undrop.stateDirectory;
  if (!mountSmall(context, directory, place === 'database' ? 2 : 24)) return null;
  // Before the bench removes its folder.
  bench.beforeRemoval(() => execFileSync('umount', ['-l', directory], { stdio: 'pipe' }));
  if (place === 'database') {
    bench.databasePath = join(directory, 'core.db');
    bench.edit('autoload_configs/switch.conf.xml', '</settings>', `<param name="core-db-name" value="${bench.databasePath}"/></settings>`);
  }
  await bench.undrop.start();
  return { bench, directory };
}

function rows(bench: Bench): number {
  return Number(bench.sql('select count(*) as rows from recovery')[0]?.['rows']);
}

for (const place of ['database', 'state'] as const) {
  test(`the ${place} folder is full: calls go on untracked, and are saved when there is space again`, { timeout }, async (context) => {
    const made = await smallBench(context, place);
    if (made === null) return;
    const { bench, directory } = made;
    const first = await bench.phone();
    const before = await first.call('9196');
    const free = fill(directory);
    // A call that begins, one that ends and one that changes while nothing can be written.
    const second = await bench.phone();
    const during = await second.call('9196');
    await second.audio?.waitVoice(second.audio.voice);
    await first.audio?.waitVoice(first.audio.voice);
    const third = await bench.phone();
    const short = await third.call('9196');
    assert.equal(await short.hangUp(), 200);
    const status = await bench.cli('status');
    assert.match(status, /store does not answer: calls go on, but are not tracked/);
    assert.match(status, /[1-9] session\(s\) not tracked/);
    assert.equal(await bench.undrop.channelCount(), 2);
    free();
    await eventually(
      () => bench.cli('status'),
      (text) => !/not tracked/.test(text),
      10_000,
    );
    assert.doesNotMatch(await bench.cli('status'), /not tracked/);
    assert.equal(
      await eventually(
        () => rows(bench),
        (count) => count === 2,
      ),
      2,
      'rows of the two calls',
    );
    assert.equal(
      await eventually(
        () => bench.undrop.cdrFiles().length,
        (count) => count === 1,
      ),
      1,
      'the CDR of the short call',
    );
    await bench.undrop.killAll();
    await bench.undrop.start();
    await first.audio?.waitVoice(first.audio.voice);
    await second.audio?.waitVoice(second.audio.voice);
    assert.equal(await before.hangUp(), 200);
    assert.equal(await during.hangUp(), 200);
    assert.equal(
      await eventually(
        () => rows(bench),
        (count) => count === 0,
      ),
      0,
    );
    assert.equal(
      await eventually(
        () => bench.undrop.cdrFiles().length,
        (count) => count === 3,
      ),
      3,
      'CDR files',
    );
  });
}

test('the switch killed while the state folder is full: audio goes on, and the switch is back when there is space', {
  timeout,
}, async (context) => {
  const made = await smallBench(context, 'state');
  if (made === null) return;
  const { bench, directory } = made;
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  await sleep(300);
  const free = fill(directory);
  const died = bench.undrop.killSwitch();
  await sleep(1000);
  await phone.audio?.waitVoice(phone.audio.voice);
  free();
  await bench.undrop.waitReady({ switch: died });
  assert.equal(await dialog.hangUp(10_000), 200);
  assert.equal(
    await eventually(
      () => rows(bench),
      (count) => count === 0,
    ),
    0,
  );
  assert.equal(
    await eventually(
      () => bench.undrop.cdrFiles().length,
      (count) => count === 1,
    ),
    1,
    'CDR files',
  );
});

test('media killed while the state folder is full: the stream comes back', { timeout }, async (context) => {
  const made = await smallBench(context, 'state');
  if (made === null) return;
  const { bench, directory } = made;
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  const free = fill(directory);
  bench.undrop.killMedia();
  await phone.audio?.waitVoice(phone.audio.voice, 25);
  assert.equal(new Set(phone.audio?.heard.map((packet) => packet.ssrc)).size, 1, 'one SSRC');
  free();
  assert.equal(await dialog.hangUp(), 200);
  await eventually(
    () => bench.undrop.pid('media'),
    (pid) => pid !== null,
  );
  assert.notEqual(bench.undrop.pid('media'), null, 'who runs is written down when there is space');
});

test('everything killed while the state folder is full: the start brings the audio back, and signalling when there is space', {
  timeout,
}, async (context) => {
  const made = await smallBench(context, 'state');
  if (made === null) return;
  const { bench, directory } = made;
  const phone = await bench.phone();
  const dialog = await phone.call('9196');
  await phone.audio?.waitVoice(phone.audio.voice);
  await sleep(300);
  const free = fill(directory);
  await bench.undrop.killAll();
  bench.undrop.spawn();
  await phone.audio?.waitVoice(phone.audio.voice);
  free();
  await bench.undrop.waitReady();
  await phone.audio?.waitVoice(phone.audio.voice);
  assert.equal(await dialog.hangUp(), 200);
  assert.equal(
    await eventually(
      () => rows(bench),
      (count) => count === 0,
    ),
    0,
  );
});
