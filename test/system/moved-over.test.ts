import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, eventually, sleep, timeout } from './bench.ts';

/** The constructs that FreeSWITCH's own sample configuration is made of. */
const EXTENSIONS = `
    <extension name="global" continue="true">
      <condition field="\${call_debug}" expression="^true$" break="never"><action application="info"/></condition>
      <condition field="\${rtp_has_crypto}" expression="^(A|B)$" break="never"><action application="set" data="secure=true"/></condition>
      <condition>
        <action application="hash" data="insert/\${domain_name}-last/\${caller_id_number}/\${destination_number}"/>
        <action application="export" data="called_at=\${strftime(%a, %d %b %Y %T %z)}"/>
      </condition>
    </extension>
    <extension name="outside">
      <condition field="\${user_name}" expression="^$" break="on-true"/>
      <condition field="\${destination_number}" expression="^(.*)$"><action application="transfer" data="$1 XML inside"/></condition>
    </extension>`;
const INSIDE = `
  <context name="inside">
    <extension name="extensions">
      <condition field="destination_number" expression="^(10[01][0-9])$">
        <action application="export" data="dialed_extension=$1"/>
        <action application="bind_meta_app" data="1 b s execute_extension::dx XML features"/>
        <action application="set" data="hangup_after_bridge=true"/>
        <action application="set" data="continue_on_fail=true"/>
        <action application="bridge" data="user/\${dialed_extension}@\${domain_name}"/>
        <action application="respond" data="486 Nobody There"/>
      </condition>
    </extension>
    <extension name="sales"><condition field="destination_number" expression="^2000$"><action application="bridge" data="\${group_call(sales@\${domain_name})}"/></condition></extension>
    <extension name="conferences">
      <condition field="destination_number" expression="^(30\\d{2})$">
        <action application="answer"/>
        <action application="conference" data="$1-\${domain_name}@default"/>
      </condition>
    </extension>
    <extension name="echo"><condition field="destination_number" expression="^9196$"><action application="answer"/><action application="echo"/></condition></extension>
    <extension name="music">
      <condition field="destination_number" expression="^9664$"/>
      <condition field="\${rtp_has_crypto}" expression="^A$">
        <action application="answer"/>
        <anti-action application="answer"/>
        <anti-action application="execute_extension" data="is_secure XML inside"/>
        <anti-action application="playback" data="{loops=-1}tone_stream://%(251,0,1004)"/>
      </condition>
    </extension>
    <extension name="is_secure" continue="true"><condition field="\${sip_via_protocol}" expression="tls"><action application="log" data="INFO yes"/><anti-action application="eval" data="not_secure"/></condition></extension>
  </context>`;
const DIRECTORY = `<domain name="127.0.0.1">
<params><param name="dial-string" value="{^^:sip_invite_domain=\${dialed_domain}:presence_id=\${dialed_user}@\${dialed_domain}}\${sofia_contact(*/\${dialed_user}@\${dialed_domain})},\${verto_contact(\${dialed_user}@\${dialed_domain})}"/></params>
<groups><group name="default"><users>
<user id="1000" cidr="127.0.0.0/8"><params><param name="password" value="a"/></params><variables><variable name="user_context" value="public"/></variables></user>
<user id="1001"><params><param name="password" value="b"/></params></user></users></group>
<group name="sales"><users><user id="1000" type="pointer"/><user id="1001" type="pointer"/></users></group></groups></domain>`;
const ACL = `<configuration name="acl.conf"><network-lists><list name="domains" default="deny"><node type="allow" domain="127.0.0.1"/></list></network-lists></configuration>`;

async function bench(context: Parameters<typeof Bench.create>[0]): Promise<Bench> {
  const made = await Bench.create(context, {
    extensions: EXTENSIONS,
    profileParameters: { 'auth-calls': 'true', 'accept-blind-reg': 'false', 'apply-inbound-acl': 'domains', context: 'public' },
    start: false,
  });
  made.edit('freeswitch.xml', '<domain name="127.0.0.1"/>', DIRECTORY);
  made.edit('freeswitch.xml', '<section name="configuration">', `<section name="configuration">${ACL}`);
  made.edit('dialplan/public.xml', '</context>', `</context>${INSIDE}`);
  await made.undrop.start();
  return made;
}

test('1000 calls 1001 by its directory entry; the call is known by its address, the callee by its registration', {
  timeout,
}, async (context) => {
  const world = await bench(context);
  const [caller, callee] = [await world.phone({ user: '1000' }), await world.phone({ user: '1001' })];
  assert.equal((await caller.finalOf(caller.dial('1001'))).status, 486, 'nobody is registered yet');
  assert.equal(await callee.register('1001', 'b'), 200);
  const dialog = await caller.call('1001');
  const taken = await callee.called();
  assert.equal(dialog.ended, false);
  assert.equal(await dialog.hangUp(), 200);
  assert.ok(
    await eventually(
      () => taken.ended,
      (ended) => ended,
    ),
  );
});

test('9196 echoes, 3000 is a conference, 9664 plays, 2000 rings the group', { timeout }, async (context) => {
  const world = await bench(context);
  const [caller, callee] = [await world.phone({ user: '1000' }), await world.phone({ user: '1001' })];
  assert.equal(await callee.register('1001', 'b'), 200);
  for (const number of ['9196', '9664', '2000']) {
    const dialog = await caller.call(number);
    const heard = await eventually(
      () => caller.audio?.heard.length ?? 0,
      (count) => count > 10,
    );
    assert.ok(heard > 10, `${number} is heard`);
    assert.equal(await dialog.hangUp(), 200);
    if (caller.audio !== null) caller.audio.heard.length = 0;
  }
  const member = await caller.call('3000');
  await sleep(100);
  assert.match(await world.cli('show channels'), /conference/);
  assert.equal(await member.hangUp(), 200);
});
