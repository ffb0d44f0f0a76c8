import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandRegistry, type GatewayView } from '../../src/console/index.ts';
import { CALLEE, CALLER, CONFERENCE_LEG, FakeSwitch, fixedClock, fixture, random } from './fake-switch.ts';

function setup() {
  const view = new FakeSwitch();
  const registry = createCommandRegistry(view, { clock: fixedClock, random, version: '0.1.0' });
  return { view, run: (line: string) => registry.execute(line), registry };
}

for (const [command, file] of [
  ['show channels', 'show_channels'],
  ['show channels as json', 'show_channels_as_json'],
  ['show channels as xml', 'show_channels_as_xml'],
  ['show channels count', 'show_channels_count'],
  ['show calls', 'show_calls'],
  ['show calls as json', 'show_calls_as_json'],
  ['show calls count', 'show_calls_count'],
  ['show bridged_calls', 'show_bridged_calls'],
  ['show registrations', 'show_registrations'],
  ['show nosuch', 'show_nosuch'],
  ['sofia', 'sofia'],
  ['sofia status', 'sofia_status'],
  ['sofia status gateway', 'sofia_status_gateway'],
  ['sofia status profile internal', 'sofia_status_profile_internal'],
  ['sofia status profile nosuch', 'sofia_status_profile_nosuch'],
  ['conference list', 'conference_list'],
  ['conference 3001 list', 'conference_3001_list'],
  ['fsctl', 'fsctl'],
  ['fsctl sps', 'fsctl_sps'],
  ['global_getvar switchname', 'global_getvar_switchname'],
  ['hostname', 'hostname'],
  ['switchname', 'switchname'],
  ['uptime', 'uptime'],
  ['reloadxml', 'reloadxml'],
  ['nosuchcommand x', 'nosuchcommand_x'],
  ['uuid_dump abc', 'uuid_dump_abc'],
  ['uuid_exists abc', 'uuid_exists_abc'],
  [`uuid_exists ${CALLER}`, 'uuid_exists_UUID'],
  [`uuid_getvar ${CONFERENCE_LEG} sip_call_id`, 'uuid_getvar_UUID_sip_call_id'],
  [`uuid_kill ${CALLER}`, 'uuid_kill_UUID'],
  ['uuid_kill abc', 'uuid_kill_abc'],
] as const) {
  test(`${command} prints byte by byte what FreeSWITCH prints`, async () => {
    assert.equal(await setup().run(command), fixture(file));
  });
}

const trunk: GatewayView = {
  name: 'trunk',
  profileName: 'internal',
  realm: 'carrier.example',
  username: 'alice',
  hasPassword: true,
  from: '<sip:alice@carrier.example>',
  contact: '<sip:gw+trunk@127.0.0.1:5060;transport=udp;gw=trunk>',
  extension: '4711',
  to: 'sip:alice@carrier.example',
  proxy: 'sip:carrier.example',
  context: 'public',
  expires: 3600,
  frequency: 1800,
  nextPingEpochSeconds: 0,
  pingFrequency: 0,
  pingTime: 0,
  pingMinimum: 1,
  pingCount: 1,
  pingMaximum: 1,
  state: 'REGED',
  up: true,
  uptime: 5,
  retry: null,
  callsIn: 4,
  failedCallsIn: 1,
  callsOut: 9,
  failedCallsOut: 2,
};

test('gateways are listed in the columns of FreeSWITCH', async () => {
  const { view, run } = setup();
  view.trunks = [trunk, { ...trunk, name: 'other', state: 'FAIL_WAIT', up: false, retry: 12 }];
  const rule = '='.repeat(97);
  assert.equal(
    await run('sofia status gateway'),
    [
      '    Profile::Gateway-Name\t                        Data    \tState\tPing Time\tIB Calls(F/T)\tOB Calls(F/T)',
      rule,
      '          internal::trunk\t       sip:alice@carrier.example\tREGED\t  0.00\t1/4\t2/9',
      '          internal::other\t       sip:alice@carrier.example\tFAIL_WAIT\t  0.00\t1/4\t2/9 (retry: 12s)',
      rule,
      '2 gateways: Inbound(Failed/Total): 2/8,Outbound(Failed/Total):4/18',
      '',
    ].join('\n'),
  );
  assert.match(
    await run('sofia status'),
    /\n {10}internal::trunk\tgateway\t {17}sip:alice@carrier\.example\tREGED\n {10}internal::other\tgateway\t.*\tFAIL_WAIT \(retry: 12s\)\n/,
  );
});

test('one gateway is shown by its name or with its profile, without its password', async () => {
  const { view, run } = setup();
  view.trunks = [trunk];
  const detail = await run('sofia status gateway trunk');
  assert.equal(await run('sofia status gateway internal::trunk'), detail);
  assert.match(detail, /^Password\tyes$/m);
  assert.match(detail, /^Freq {4}\t1800$/m);
  assert.match(detail, /^PingState\t1\/1\/1$/m);
  assert.match(detail, /^Status {2}\tUP$/m);
  assert.equal(await run('sofia status gateway nosuch'), 'Invalid Gateway!\n');
  assert.match(
    await run('sofia xmlstatus gateway'),
    /<gateways>\n {2}<gateway>\n {4}<name>trunk<\/name>[\s\S]*<contact>&lt;sip:gw\+trunk@/,
  );
});

test('register, unregister and killgw reach the gateways of that profile only', async () => {
  const { view, run } = setup();
  view.trunks = [trunk, { ...trunk, name: 'other' }, { ...trunk, name: 'foreign', profileName: 'external' }];
  assert.equal(await run('sofia profile internal register trunk'), '+OK\n');
  assert.equal(await run('sofia profile internal unregister all'), '+OK\n');
  assert.equal(await run('sofia profile internal killgw other'), '+OK\n');
  assert.equal(await run('sofia profile internal register foreign'), 'Invalid gateway!\n');
  assert.equal(await run('sofia profile internal register'), 'No gateway name provided!\n');
  assert.equal(await run('sofia profile internal rescan'), '+OK scan complete\n');
  assert.deepEqual(view.calls, [
    ['gateway', 'register', 'internal::trunk'],
    ['gateway', 'unregister', 'internal::trunk'],
    ['gateway', 'unregister', 'internal::other'],
    ['gateway', 'kill', 'internal::other'],
    ['rescan', 'internal'],
  ]);
});

test('status prints the eight lines of FreeSWITCH, and names undrop', async () => {
  const { view, run } = setup();
  const comparable = (text: string) => text.replace(/\/\d+\.\d\d\n/, '/95.00\n').replace(/Max \d+K\/\d+K/, 'Max 240K/8192K');
  const expected = fixture('status').replace(/^FreeSWITCH \(Version [^)]*\)/m, 'undrop (Version 0.1.0 64bit)');
  assert.equal(comparable(await run('status')), expected);
  view.untracked = 2;
  assert.match(await run('status'), /\n2 session\(s\) not tracked\n$/);
});

test('uuid_dump prints the headers of FreeSWITCH in its order and encoding', async () => {
  const { run } = setup();
  const comparable = (text: string) => text.replace(/^(Event-Calling-\S+|Event-Sequence): .*$/gm, '$1: *');
  assert.equal(comparable(await run(`uuid_dump ${CONFERENCE_LEG}`)), comparable(fixture('uuid_dump_UUID')));
});

test('lists without rows print what FreeSWITCH prints', async () => {
  const { view, run } = setup();
  view.live = [];
  view.rooms = [];
  assert.equal(await run('show channels'), '\n0 total.\n');
  assert.equal(await run('show channels as json'), '{"row_count": 0}');
  assert.equal(await run('conference list'), '+OK No active conferences.\n');
});

test('show channels like takes what matches only', async () => {
  const { run } = setup();
  const reply = await run('show channels like 2001@127');
  assert.match(reply, /\n1 total\.\n$/);
  assert.ok(reply.includes(CALLEE) && !reply.includes(`\n${CALLER}`));
});

test('the recover commands say the words of FreeSWITCH', async () => {
  const { view, run } = setup();
  assert.equal(await run('sofia recover'), 'No calls to recover.\n');
  assert.equal(await run('sofia profile internal recover'), 'No sessions to recover.\n');
  assert.equal(await run('fsctl recover'), '+OK 0 session(s) recovered in total\n');
  view.toRecover = 3;
  assert.equal(await run('sofia recover'), 'Recovered 3 call(s)\n');
  assert.equal(await run('sofia profile internal recover'), 'Recovered 3 session(s)\n');
  assert.equal(await run('fsctl recover sofia:internal'), '+OK 3 session(s) recovered in total\n');
  assert.deepEqual(view.calls.at(-1), ['recover', 'internal', 'fsctl recover']);
  assert.equal(await run('sofia recover flush'), 'Flushing recovery database.\n');
  assert.equal(await run('fsctl recover flush'), '+OK flushed\n');
  assert.equal(await run('fsctl recover flush sofia:internal'), '+OK flushed\n');
  assert.deepEqual(view.calls.at(-1), ['flush', 'internal']);
});

test('recovery show prints each call of a run with its reason', async () => {
  const { view, run } = setup();
  assert.equal(await run('recovery show last'), '-ERR No recovery runs.\n');
  const call = {
    uuid: CALLER,
    outcome: 'failed',
    reason: 'port taken',
    rowReadAt: 3000,
    portOpenAt: 0,
    firstPacketOutAt: 0,
    firstPacketInAt: 0,
    verifiedAt: 0,
    gapMilliseconds: null,
  } as const;
  view.runs = [
    {
      id: 'r1',
      trigger: 'start',
      startedAt: 2000,
      processStartedAt: 1000,
      finishedAt: 9000,
      calls: [call, { ...call, uuid: CALLEE, outcome: 'verified' }],
    },
  ];
  const table = await run('recovery show last');
  assert.match(table, new RegExp(`${CALLER}  failed +- +2 ms .*port taken`));
  assert.equal(JSON.parse(await run('recovery show r1 as json')).calls.length, 2);
  assert.equal(JSON.parse(await run('recovery show r1 failed as json')).calls.length, 1);
});

test('originate understands variables with blanks, applications with arguments and all positional arguments', async () => {
  const { view, run } = setup();
  assert.equal(await run("originate {a='b c',d=e}user/1000@x &playback(/tmp/a b.wav)"), `+OK ${CALLEE}\n`);
  assert.deepEqual(view.calls.at(-1)?.[1], {
    dialString: "{a='b c',d=e}user/1000@x",
    application: 'playback',
    data: '/tmp/a b.wav',
    extension: null,
    context: null,
    callerIdName: null,
    callerIdNumber: null,
    timeoutSeconds: 60,
  });
  await run("originate sofia/gateway/a/1 9664 XML default 'Jo Doe' 100 15");
  assert.deepEqual(view.calls.at(-1)?.[1], {
    dialString: 'sofia/gateway/a/1',
    application: '',
    data: '',
    extension: '9664',
    context: 'default',
    callerIdName: 'Jo Doe',
    callerIdNumber: '100',
    timeoutSeconds: 15,
  });
  assert.equal(await run('originate error/USER_BUSY &echo'), '-ERR USER_BUSY\n');
  assert.match(await run('originate user/1000'), /^-USAGE: <call url>/);
  assert.match(await run('originate {a=b user/1 &echo'), /^-ERR .*not closed/);
});

test('what the switch cannot do yet is refused, not acknowledged', async () => {
  const { run } = setup();
  assert.match(await run('sofia profile internal restart'), /^-ERR .*not supported yet\n$/);
});

test('commands on a channel name what they want of the switch, and answer as FreeSWITCH does', async () => {
  const { view, run } = setup();
  assert.equal(await run(`uuid_transfer ${CALLER} 1000`), '+OK\n');
  assert.equal(await run(`uuid_transfer ${CALLER} -bleg 1000 XML default`), '+OK\n');
  assert.equal(await run(`uuid_transfer ${CALLER} -both 1000`), '+OK\n');
  assert.deepEqual(view.calls, [
    ['transfer', [CALLER], '1000', null, null],
    ['transfer', [CALLEE], '1000', 'XML', 'default'],
    ['transfer', [CALLEE, CALLER], '1000', null, null],
  ]);
  assert.match(await run(`uuid_transfer ${CALLER} -aleg 1000`), /^-USAGE: <uuid> \[-bleg\|-both\] <dest-exten>/);
  assert.equal(await run(`uuid_transfer ${CONFERENCE_LEG} -bleg 1000`), '-ERR No such channel bridged to this one!\n');
  assert.equal(await run(`uuid_bridge ${CALLER} ${CONFERENCE_LEG}`), `+OK ${CONFERENCE_LEG}\n`);
  assert.equal(await run(`uuid_bridge ${CALLER} nobody`), '-ERR Invalid uuid\n');
  assert.equal(await run(`uuid_hold ${CALLER}`), '+OK Success\n');
  assert.equal(await run(`uuid_hold off ${CALLER}`), '+OK Success\n');
  assert.equal(await run('uuid_hold nobody'), '-ERR Operation failed\n');
  assert.equal(await run(`uuid_park ${CALLER}`), '+OK\n');
  assert.equal(await run('uuid_park nobody'), '-ERR No such channel!\n');
  assert.equal(await run('uuid_park'), '-USAGE: <uuid>\n');
  assert.equal(await run(`uuid_broadcast ${CALLER} tone_stream://%(100,0,440) both`), '+OK Message sent\n');
  assert.deepEqual(view.calls.slice(-2), [
    ['broadcast', CALLER, 'tone_stream://%(100,0,440)'],
    ['broadcast', CALLEE, 'tone_stream://%(100,0,440)'],
  ]);
  assert.equal(await run(`sched_hangup +5 ${CALLER} normal_clearing`), '+OK\n');
  assert.deepEqual(view.calls.at(-1)?.[3], 'NORMAL_CLEARING');
  assert.match(await run('sched_hangup soon x'), /^-USAGE: \[\+\]<time> <uuid>/);
  assert.equal(await run(`uuid_recovery_refresh ${CALLER}`), '+OK\n');
  assert.equal(await run(`uuid_send_dtmf ${CALLER} 12`), '+OK\n');
});

test('hupall with a variable hangs up the channels that have it', async () => {
  const { view, run } = setup();
  assert.equal(
    await run('hupall normal_clearing conference_name 3001'),
    '+OK hangup all channels matching [conference_name]=[3001] with cause: NORMAL_CLEARING\n',
  );
  assert.deepEqual(view.calls, [['hangup', CONFERENCE_LEG, 'NORMAL_CLEARING']]);
});

test('conference commands act on the members they name', async () => {
  const { view, run } = setup();
  assert.equal(await run('conference 3001 mute all'), '+OK mute 3\n');
  assert.deepEqual(view.calls, [['conference', '3001', 'mute', '3']]);
  assert.equal(await run('conference 3001 kick 9'), '-ERR Non-Existant ID 9\n');
  assert.equal(await run('conference 4000 list'), '-ERR Conference 4000 not found\n');
});

test('completion offers the next word and says how much to replace', async () => {
  const { run, registry } = setup();
  assert.deepEqual(registry.complete('sofia st'), ['status']);
  assert.equal(await run('console_complete c=8;sofia st'), '[              status]\t\n\nwrite=2:status ');
  assert.match(await run('console_complete c=6;sofia '), /\n\nwrite=0:$/);
});
