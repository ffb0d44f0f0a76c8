import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcast } from '../../src/call/index.ts';
import { KNOWN_APPLICATIONS } from '../../src/config/index.ts';
import { extension, TestEngine } from './engine-harness.ts';

test('each application that the loader knows exists', () => {
  for (const name of KNOWN_APPLICATIONS) {
    const world = new TestEngine({ extensions: extension('1', name) });
    world.call('1');
    assert.ok(!world.log.some((line) => line.includes('Invalid Application')), name);
  }
});

test('execute_extension runs another extension and comes back; ${destination_number} stays', () => {
  const world = new TestEngine({
    extensions: extension('1', 'set a=1', 'execute_extension 2 XML features', 'set c=${destination_number}', 'park'),
    contexts: `<context name="features">${extension('2', 'set b=${destination_number}${a}')}</context>`,
  });
  const leg = world.call('1');
  assert.deepEqual(world.ran(leg), ['set(a=1)', 'execute_extension(2 XML features)', 'set(b=11)', 'set(c=1)', 'park()']);
});

test('an extension that executes itself ends instead of growing for ever', () => {
  const world = new TestEngine({ extensions: extension('1', 'execute_extension 1', 'set a=1') });
  const leg = world.call('1');
  assert.equal(leg.up, false);
  assert.equal(leg.record.hangupCause, 'EXCHANGE_ROUTING_ERROR');
});

test('a context that is missing falls back to the context global', () => {
  const world = new TestEngine({
    extensions: extension('1', 'transfer 7 XML nowhere'),
    contexts: `<context name="global">${extension('7', 'park')}</context>`,
  });
  assert.deepEqual(world.ran(world.call('1')), ['transfer(7 XML nowhere)', 'park()']);
});

test('redirect answers 302 with the contact', () => {
  const world = new TestEngine({ extensions: extension('1', 'redirect sip:5@192.0.2.7') });
  const leg = world.call('1');
  assert.deepEqual(world.statuses(leg), [100, 302]);
  const sent = world.effects.find((effect) => effect.kind === 'respond' && effect.status === 302);
  assert.ok(sent?.kind === 'respond');
  assert.match(Buffer.from(sent.bytes).toString('latin1'), /^Contact: <sip:5@192\.0\.2\.7>\r$/m);
});

test('hash gives one call what another has left', () => {
  const world = new TestEngine({
    extensions: `${extension('1', 'hash insert/r/${caller_id_number}/a/b', 'park')}${extension('2', 'set found=${hash(select/r/1000)}', 'park')}${extension('3', 'hash delete/r/1000', 'park')}`,
  });
  world.call('1');
  assert.equal(world.call('2').record.variables['found'], 'a/b');
  world.call('3');
  assert.equal(world.call('2').record.variables['found'], undefined);
});

test('limit refuses the call above its maximum, also after a crash, and frees the place with the call', () => {
  const world = new TestEngine({
    extensions: `${extension('1', 'limit hash trunk a 1 !USER_BUSY', 'park')}${extension('2', 'limit db trunk a 1 9', 'park')}${extension('9', 'set over=true', 'park')}`,
  });
  const first = world.crash(world.call('1'));
  assert.equal(world.call('1').record.hangupCause, 'USER_BUSY');
  assert.equal(world.call('2').record.variables['over'], 'true');
  world.step({ kind: 'hangup', leg: first.uuid, cause: 'NORMAL_CLEARING' });
  assert.equal(world.call('1').up, true);
});

test('sched_hangup hangs up at its time, also when a crash lies before it', () => {
  const world = new TestEngine({ extensions: extension('1', 'sched_hangup +30 CALL_REJECTED', 'answer', 'park') });
  let leg = world.call('1');
  assert.equal(world.timer(leg, 'hangup'), 30_000);
  world.now += 10_000_000;
  leg = world.crash(leg);
  assert.equal(world.timer(leg, 'hangup'), 20_000);
  world.fire(leg, 'hangup');
  assert.equal(leg.record.hangupCause, 'CALL_REJECTED');
});

test('sched_hangup 0 takes it back, wrong data changes nothing', () => {
  const world = new TestEngine({ extensions: extension('1', 'sched_hangup +30', 'sched_hangup 0', 'sched_hangup soon', 'park') });
  const leg = world.call('1');
  assert.equal(world.timer(leg, 'hangup'), null);
  world.fire(leg, 'hangup');
  assert.equal(leg.up, true);
  assert.ok(world.log.some((line) => line.startsWith('error: sched_hangup wants')));
});

test('read collects digits up to a terminator', () => {
  const world = new TestEngine({ extensions: extension('1', 'answer', "read 2 4 'tone_stream://%(100,0,440)' digits 5000 #", 'park') });
  const leg = world.call('1');
  assert.equal(world.sound(leg), '%(100,0,440)');
  world.digits(leg, '1');
  assert.equal(world.sound(leg), 'idle', 'the first digit ends the prompt');
  world.digits(leg, '23#');
  assert.equal(leg.record.variables['digits'], '123');
  assert.equal(leg.record.variables['read_result'], 'success');
  assert.equal(leg.record.variables['read_terminator_used'], '#');
  assert.equal(world.ran(leg).at(-1), 'park()');
});

test('read ends at the maximum, and with a timeout when too few come', () => {
  const world = new TestEngine({ extensions: extension('1', 'read 2 2 silence digits 5000 #', 'park') });
  const full = world.call('1');
  world.digits(full, '45');
  assert.equal(full.record.variables['digits'], '45');
  const short = world.call('1');
  assert.equal(world.timer(short, 'application'), 5000);
  world.digits(short, '4');
  world.fire(short, 'application');
  assert.equal(short.record.variables['digits'], undefined);
  assert.equal(short.record.variables['read_result'], 'timeout');
  assert.equal(world.ran(short).at(-1), 'park()');
});

const ASK = 'play_and_get_digits 3 3 2 4000 # /a.wav /wrong.wav pin ^\\d*5$ 1500';

test('play_and_get_digits asks again after wrong digits, then gives up', () => {
  const world = new TestEngine({ extensions: extension('1', ASK, 'park') });
  const leg = world.call('1');
  assert.equal(world.sound(leg), '/a.wav');
  world.played(leg);
  assert.equal(world.timer(leg, 'application'), 4000);
  world.digits(leg, '1');
  assert.equal(world.timer(leg, 'application'), 1500);
  world.digits(leg, '23');
  assert.equal(world.sound(leg), '/wrong.wav');
  world.played(leg);
  assert.equal(world.sound(leg), '/a.wav');
  world.digits(leg, '124');
  assert.equal(leg.record.variables['pin'], undefined);
  assert.equal(leg.record.variables['pin_invalid'], '124');
  assert.equal(world.ran(leg).at(-1), 'park()');
});

test('play_and_get_digits goes to its failure extension', () => {
  const world = new TestEngine({
    extensions: `${extension('1', "play_and_get_digits 1 1 1 100 # silence silence x \\d 100 '9 XML default'")}${extension('9', 'park')}`,
  });
  const leg = world.call('1');
  world.fire(leg, 'application');
  assert.equal(world.ran(leg).at(-1), 'park()');
});

test('a crash amid the digits loses none: collecting goes on, the rest of the timeout runs', () => {
  const world = new TestEngine({ extensions: extension('1', 'answer', ASK, 'park') });
  let leg = world.call('1');
  world.played(leg);
  world.digits(leg, '12');
  world.now += 1_000_000;
  leg = world.crash(leg);
  assert.equal(world.timer(leg, 'application'), 500);
  world.digits(leg, '5');
  assert.equal(leg.record.variables['pin'], '125');
});

test('a crash amid the prompt: its end is still heard of', () => {
  const world = new TestEngine({ extensions: extension('1', 'answer', ASK, 'park') });
  const leg = world.crash(world.call('1'));
  assert.equal(world.sound(leg), '/a.wav');
  world.played(leg);
  assert.equal(world.timer(leg, 'application'), 4000);
});

test('a broadcast while digits are collected is played to its end, also over a crash; no digit is lost', () => {
  const world = new TestEngine({ extensions: extension('1', 'answer', ASK, 'park') });
  let leg = world.call('1');
  world.engine.change((context) => assert.equal(broadcast(context, leg, '/news.wav'), true));
  assert.equal(world.sound(leg), '/news.wav');
  world.digits(leg, '1');
  assert.equal(world.sound(leg), '/news.wav');
  leg = world.crash(leg);
  assert.equal(world.sound(leg), '/news.wav');
  world.played(leg);
  assert.equal(world.sound(leg), 'idle', 'the digit has ended the prompt meanwhile');
  world.digits(leg, '25');
  assert.equal(leg.record.variables['pin'], '125');
});

test('a source that does not exist here is not broadcast', () => {
  const world = new TestEngine({ extensions: extension('1', 'answer', 'park') });
  const leg = world.call('1');
  world.engine.change((context) => assert.equal(broadcast(context, leg, 'local_stream://moh'), false));
  assert.equal(world.sound(leg), 'idle');
});

test('gentones, loops in front of a tone, silence: all play', () => {
  const world = new TestEngine({
    extensions: extension(
      '1',
      'answer',
      'gentones %(500,0,640)|2',
      'playback {loops=-1}tone_stream://%(251,0,1004)',
      'playback silence_stream://2000',
      'park',
    ),
  });
  const leg = world.call('1');
  const mode = (): unknown => {
    const { mode: present } = leg.record.media?.endpoint ?? {};
    return present?.kind === 'play' ? [world.sound(leg), present.loops] : present?.kind;
  };
  assert.deepEqual(mode(), ['%(500,0,640)', 2]);
  world.played(leg);
  assert.deepEqual(mode(), ['%(251,0,1004)', -1]);
  world.played(leg);
  assert.deepEqual(mode(), ['%(0,2000,0)', 1]);
});

test('a source that does not exist here is told, and the leg goes on', () => {
  const world = new TestEngine({ extensions: extension('1', 'answer', 'playback local_stream://moh', 'park') });
  assert.equal(world.ran(world.call('1')).at(-1), 'park()');
  assert.ok(world.log.some((line) => line.includes('"local_stream://moh" cannot be played')));
});

test('push makes an array, set_user and set_profile_var change the caller', () => {
  const world = new TestEngine({
    directory: '<domain name="d.example"><user id="7"><variables><variable name="room" value="blue"/></variables></user></domain>',
    extensions: extension(
      '1',
      'push list=a',
      'push list=b',
      'set second=${list[1]}',
      'set_user 7@d.example',
      'set_profile_var caller_id_name=Bob',
      'park',
    ),
  });
  const leg = world.call('1');
  assert.equal(leg.record.variables['second'], 'b');
  assert.equal(leg.record.variables['room'], 'blue');
  assert.equal(leg.record.variables['domain_name'], 'd.example');
  assert.equal(leg.record.caller.callerIdName, 'Bob');
});

test('an application that does not exist ends the call', () => {
  const world = new TestEngine({ extensions: extension('1', 'voicemail check', 'park') });
  assert.equal(world.call('1').record.hangupCause, 'DESTINATION_OUT_OF_ORDER');
  assert.equal(world.config.warnings.filter(({ message }) => message.includes('application voicemail does not exist')).length, 1);
});
