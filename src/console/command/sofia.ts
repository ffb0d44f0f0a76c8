import { xmlEscape } from '../esl/render.ts';
import type { ProfileView } from '../switch-view.ts';
import { localTime } from '../time-text.ts';
import { type Command, type CommandContext, notSupportedYet, splitWords } from './command.ts';
import { gatewayAction, gatewayDetail, gatewayList, gatewayXml, gatewayXmlList, RULE, retryNote } from './sofia-gateway.ts';

const USAGE = `USAGE:
--------------------------------------------------------------------------------
sofia global siptrace <on|off>
sofia        capture  <on|off>
             watchdog <on|off>

sofia profile <name> [start | stop | restart | rescan] [wait]
                     flush_inbound_reg [<call_id> | <[user]@domain>] [reboot]
                     check_sync [<call_id> | <[user]@domain>]
                     [register | unregister] [<gateway name> | all]
                     killgw <gateway name>
                     [stun-auto-disable | stun-enabled] [true | false]]
                     siptrace <on|off>
                     capture  <on|off>
                     watchdog <on|off>

sofia <status|xmlstatus> profile <name> [reg [<contact str>]] | [pres <pres str>] | [user <user@domain>]
sofia <status|xmlstatus> gateway <name>

sofia loglevel <all|default|tport|iptsec|nea|nta|nth_client|nth_server|nua|soa|sresolv|stun> [0-9]
sofia tracelevel <console|alert|crit|err|warning|notice|info|debug>

sofia help
--------------------------------------------------------------------------------
`;

function hostPort(profile: ProfileView): string {
  return `${profile.sipIp.includes(':') ? `[${profile.sipIp}]` : profile.sipIp}:${profile.sipPort}`;
}

function profileUrl(profile: ProfileView): string {
  return `sip:mod_sofia@${hostPort(profile)}`;
}

function findProfile(name: string, context: CommandContext): ProfileView | undefined {
  return context.view.profiles().find((profile) => profile.name === name || profile.aliases.includes(name));
}

function statusLine(name: string, type: string, data: string, state: string): string {
  return `${name.padStart(25)}\t${type}\t  ${data.padStart(40)}\t${state}\n`;
}

function statusOfAll(context: CommandContext): string {
  const profiles = context.view.profiles();
  let aliases = 0;
  let text = statusLine('Name', '   Type', 'Data', 'State') + RULE;
  for (const profile of profiles) {
    text += statusLine(profile.name, 'profile', profileUrl(profile), `RUNNING (${profile.runningCalls})`);
    for (const gateway of context.view.gateways()) {
      if (gateway.profileName !== profile.name) continue;
      text += statusLine(`${profile.name}::${gateway.name}`, 'gateway', gateway.to, `${gateway.state}${retryNote(gateway)}`);
    }
    for (const alias of profile.aliases) text += statusLine(alias, '  alias', profile.name, 'ALIASED');
    aliases += profile.aliases.length;
  }
  const plural = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;
  return `${text}${RULE}${plural(profiles.length, 'profile', 'profiles')} ${plural(aliases, 'alias', 'aliases')}\n`;
}

function profileFields(profile: ProfileView): readonly (readonly [string, string])[] {
  return [
    ['Name', profile.name],
    ['Domain Name', 'N/A'],
    ['Auto-NAT', 'false'],
    ['DBName', `sofia_reg_${profile.name}`],
    ['Pres Hosts', ''],
    ['Dialplan', profile.dialplan],
    ['Context', profile.context],
    ['Challenge Realm', profile.challengeRealm],
    ['RTP-IP', profile.rtpIp],
    ['SIP-IP', profile.sipIp],
    ['URL', profileUrl(profile)],
    ['BIND-URL', `${profileUrl(profile)};transport=udp,tcp`],
    ['HOLD-MUSIC', 'N/A'],
    ['OUTBOUND-PROXY', 'N/A'],
    ['CODECS IN', profile.codecsIn],
    ['CODECS OUT', profile.codecsOut],
    ['TEL-EVENT', String(profile.telephoneEvent)],
    ['DTMF-MODE', profile.dtmfMode],
    ['CNG', '13'],
    ['SESSION-TO', String(profile.sessionTimeout)],
    ['MAX-DIALOG', '0'],
    ['MAX-RECV-RPS', '1000'],
    ['NOMEDIA', 'false'],
    ['LATE-NEG', 'false'],
    ['PROXY-MEDIA', 'false'],
    ['AGGRESSIVENAT', 'false'],
    ['CALLS-IN', String(profile.callsIn)],
    ['FAILED-CALLS-IN', String(profile.failedCallsIn)],
    ['CALLS-OUT', String(profile.callsOut)],
    ['FAILED-CALLS-OUT', String(profile.failedCallsOut)],
    ['REGISTRATIONS', String(profile.registrations)],
  ];
}

function registrationsOf(profile: ProfileView, wanted: string, context: CommandContext): string {
  const now = context.clock.wallMicroseconds() / 1_000_000;
  const found = context.view
    .registrations()
    .filter(
      (entry) => entry.profileName === profile.name && (wanted === '' || `${entry.user}@${entry.realm} ${entry.contact}`.includes(wanted)),
    );
  const blocks = found.map((entry) => {
    const left = Math.round(entry.expiresEpochSeconds - now);
    const transport = /;transport=([a-z]+)/i.exec(entry.contact)?.[1]?.toUpperCase() ?? 'UDP';
    return [
      `Call-ID:    \t${entry.callId}`,
      `User:       \t${entry.user}@${entry.realm}`,
      `Contact:    \t"" <${entry.contact}>`,
      `Agent:      \t${entry.userAgent}`,
      `Status:     \tRegistered(${transport})(unknown) EXP(${localTime(entry.expiresEpochSeconds * 1_000_000)}) EXPSECS(${left})`,
      'Ping-Status:\tReachable',
      'Ping-Time:\t0.00',
      `Host:       \t${entry.hostname}`,
      `IP:         \t${entry.networkIp}`,
      `Port:       \t${entry.networkPort}`,
      `Auth-User:  \t${entry.user}`,
      `Auth-Realm: \t${entry.realm}`,
      `MWI-Account:\t${entry.user}@${entry.realm}`,
      '',
      '',
    ].join('\n');
  });
  return `\nRegistrations:\n${RULE}${blocks.join('')}Total items returned: ${found.length}\n${RULE}`;
}

function status(words: readonly string[], context: CommandContext): string {
  const [kind = '', name = '', detail = '', wanted = ''] = words;
  if (kind === '') return statusOfAll(context);
  if (kind === 'gateway') return name === '' ? gatewayList(context) : gatewayDetail(name, context);
  if (kind !== 'profile') return USAGE;
  const profile = findProfile(name, context);
  if (profile === undefined) return 'Invalid Profile!\n';
  if (detail === 'reg' || detail === 'user') return registrationsOf(profile, wanted, context);
  return (
    RULE +
    profileFields(profile)
      .map(([label, value]) => `${label.padEnd(17)}\t${value}\n`)
      .join('')
  );
}

function xmlStatus(words: readonly string[], context: CommandContext): string {
  const [kind = '', name = ''] = words;
  const head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n';
  if (kind === '') {
    const profiles = context.view.profiles().map((profile) => {
      const state = `RUNNING (${profile.runningCalls})`;
      const own = `<profile>\n<name>${xmlEscape(profile.name)}</name>\n<type>profile</type>\n<data>${xmlEscape(profileUrl(profile))}</data>\n<state>${state}</state>\n</profile>\n`;
      const aliases = profile.aliases.map(
        (alias) =>
          `<alias>\n<name>${xmlEscape(alias)}</name>\n<type>alias</type>\n<data>${xmlEscape(profile.name)}</data>\n<state>ALIASED</state>\n</alias>\n`,
      );
      return own + aliases.join('');
    });
    return `${head}<profiles>\n${profiles.join('')}</profiles>\n`;
  }
  if (kind === 'gateway') return name === '' ? gatewayXmlList(context) : gatewayXml(name, context);
  const profile = kind === 'profile' ? findProfile(name, context) : undefined;
  if (profile === undefined) return kind === 'profile' ? 'Invalid Profile!\n' : USAGE;
  const fields = profileFields(profile).map(([label, value]) => {
    const tag = label.toLowerCase().replaceAll(' ', '-');
    return `    <${tag}>${xmlEscape(value)}</${tag}>\n`;
  });
  return `${head}<profile>\n  <profile-info>\n${fields.join('')}  </profile-info>\n</profile>\n`;
}

function onOff(word: string | undefined): boolean | null {
  return word === 'on' ? true : word === 'off' ? false : null;
}

async function profileCommand(words: readonly string[], context: CommandContext): Promise<string> {
  const [name, action = '', ...rest] = words;
  if (name === undefined || action === '') return USAGE;
  const profile = findProfile(name, context);
  if (profile === undefined) return `Invalid Profile [${name}]\n`;
  if (action === 'siptrace') {
    const on = onOff(rest[0]);
    if (on === null) return 'Usage: sofia profile <name> siptrace <on|off>\n';
    context.view.setSipTrace(profile.name, on);
    return `${on ? 'Enabled' : 'Disabled'} sip debugging on ${profile.name}\n`;
  }
  if (action === 'recover') {
    if (rest[0] === 'flush') {
      await context.view.flushRecovery(profile.name);
      return 'Flushing recovery database.\n';
    }
    const count = await context.view.recover({ profileName: profile.name, trigger: `sofia profile ${profile.name} recover` });
    return count > 0 ? `Recovered ${count} session(s)\n` : 'No sessions to recover.\n';
  }
  return gatewayAction(profile.name, action, rest[0], context) ?? notSupportedYet(`sofia profile ${profile.name} ${action}`);
}

export const sofiaCommands: readonly Command[] = [
  {
    name: 'sofia',
    usage: '<cmd> <args>',
    description: 'SIP profiles, registrations and recovery',
    async run(argument, context) {
      const [action = '', ...rest] = splitWords(argument);
      switch (action.toLowerCase()) {
        case 'status':
          return status(rest, context);
        case 'xmlstatus':
          return xmlStatus(rest, context);
        case 'profile':
          return profileCommand(rest, context);
        case 'recover': {
          if (rest[0] === 'flush') {
            await context.view.flushRecovery(null);
            return 'Flushing recovery database.\n';
          }
          const count = await context.view.recover({ profileName: null, trigger: 'sofia recover' });
          return count > 0 ? `Recovered ${count} call(s)\n` : 'No calls to recover.\n';
        }
        case 'global': {
          const on = rest[0] === 'siptrace' ? onOff(rest[1]) : null;
          if (rest[0] === 'siptrace' && on === null) return '-ERR Usage: siptrace <on|off>\n';
          if (on === null) return rest[0] === undefined ? USAGE : notSupportedYet(`sofia global ${rest[0]}`);
          context.view.setSipTrace(null, on);
          return `+OK Global siptrace ${on ? 'on' : 'off'}`;
        }
        case 'loglevel':
        case 'tracelevel':
        case 'capture':
        case 'watchdog':
        case 'jsonstatus':
          return notSupportedYet(`sofia ${action.toLowerCase()}`);
        default:
          return USAGE;
      }
    },
    complete(words, context) {
      const names = () => context.view.profiles().map((profile) => profile.name);
      if (words.length === 0) return ['status', 'xmlstatus', 'profile', 'recover', 'global'];
      const [first, second] = words;
      if (first === 'recover' && words.length === 1) return ['flush'];
      if (first === 'global') return words.length === 1 ? ['siptrace'] : ['on', 'off'];
      if (first === 'profile')
        return words.length === 1
          ? names()
          : words.length === 2
            ? ['recover', 'siptrace', 'register', 'unregister', 'killgw', 'rescan']
            : words[2] === 'recover'
              ? ['flush']
              : words[2] === 'siptrace'
                ? ['on', 'off']
                : context.view.gateways().map((gateway) => gateway.name);
      if (first !== 'status' && first !== 'xmlstatus') return [];
      if (words.length === 1) return ['profile', 'gateway'];
      if (second === 'gateway' && words.length === 2) return context.view.gateways().map((gateway) => gateway.name);
      if (second !== 'profile') return [];
      return words.length === 2 ? names() : ['reg'];
    },
  },
];
