import { CAUSE_NAMES, causeName } from '../../base/index.ts';
import { type Command, type CommandContext, notSupportedYet, splitWords } from './command.ts';

const USAGE =
  '[api_expansion [on|off]|recover|send_sighup|hupall|pause [inbound|outbound]|resume [inbound|outbound]|shutdown [cancel|elegant|asap|now|restart]|uuid_version [4|7]|sps|sps_peak_reset|sync_clock|sync_clock_when_idle|reclaim_mem|max_sessions|min_dtmf_duration [num]|max_dtmf_duration [num]|default_dtmf_duration [num]|min_idle_cpu|loglevel [level]|debug_level [level]|mdns_resolve [enable|disable]]';

const USAGE_REPLY = `-USAGE: ${USAGE}\n`;

/** Words of FreeSWITCH's fsctl that do nothing here yet. */
const NOT_SUPPORTED = [
  'api_expansion',
  'send_sighup',
  'uuid_version',
  'sps_peak_reset',
  'sync_clock',
  'sync_clock_when_idle',
  'reclaim_mem',
  'min_dtmf_duration',
  'max_dtmf_duration',
  'default_dtmf_duration',
  'min_idle_cpu',
  'loglevel',
  'debug_level',
  'mdns_resolve',
];

/** `fsctl recover [tech[:profile]]`, `fsctl recover flush [tech[:profile]]`; the flush is taken at the end too. */
async function recover(words: readonly string[], context: CommandContext): Promise<string> {
  const flush = words.includes('flush');
  const target = words.find((word) => word !== 'flush') ?? '';
  const [technology = '', profileName = ''] = target.split(':', 2);
  const ours = technology === '' || technology === 'sofia';
  const profile = profileName === '' ? null : profileName;
  if (flush) {
    if (ours) await context.view.flushRecovery(profile);
    return '+OK flushed\n';
  }
  const count = ours ? await context.view.recover({ profileName: profile, trigger: 'fsctl recover' }) : 0;
  return `+OK ${count} session(s) recovered in total\n`;
}

function setPaused(paused: boolean, which: string | undefined, context: CommandContext): string {
  if (which === undefined) context.view.setPaused({ inbound: paused, outbound: paused });
  else if (which === 'inbound') context.view.setPaused({ inbound: paused });
  else if (which === 'outbound') context.view.setPaused({ outbound: paused });
  else return USAGE_REPLY;
  return '+OK\n';
}

/** Without a word it hangs up everything and stops at once, as in FreeSWITCH. */
function shutdown(words: readonly string[], context: CommandContext): string {
  const how = words[0] ?? 'now';
  switch (how) {
    case 'cancel':
      return notSupportedYet('fsctl shutdown cancel');
    case 'elegant':
    case 'asap':
      if (words.length > 1) return notSupportedYet(`fsctl shutdown ${words.join(' ')}`);
      context.view.shutdown(how);
      return '+OK\n';
    case 'now':
    case 'restart':
      context.view.shutdown(how);
      return '+OK\n';
    default:
      return USAGE_REPLY;
  }
}

export const fsctlCommands: readonly Command[] = [
  {
    name: 'fsctl',
    usage: USAGE,
    description: 'Control the switch',
    run(argument, context) {
      const [action = '', ...rest] = splitWords(argument);
      switch (action.toLowerCase()) {
        case 'recover':
          return recover(rest, context);
        case 'pause':
          return setPaused(true, rest[0], context);
        case 'resume':
          return setPaused(false, rest[0], context);
        case 'hupall': {
          const cause = causeName(rest[0] ?? 'MANAGER_REQUEST');
          context.view.hangupAll(cause);
          return `+OK hangup all channels with cause ${cause}\n`;
        }
        case 'shutdown':
          return shutdown(rest, context);
        case 'sps':
          if (rest.length > 0) return '-ERR fsctl sps <n> is not supported yet: set sessions-per-second in switch.conf.xml\n';
          return `+OK sessions per second: ${context.view.status().sessionsPerSecondMaximum}\n`;
        case 'last_sps':
          return `+OK last sessions per second: ${context.view.status().sessionsPerSecond}\n`;
        case 'max_sessions':
          if (rest.length > 0) return '-ERR fsctl max_sessions <n> is not supported yet: set max-sessions in switch.conf.xml\n';
          return `+OK max sessions: ${context.view.status().maxSessions}\n`;
        default:
          return NOT_SUPPORTED.includes(action.toLowerCase()) ? notSupportedYet(`fsctl ${action.toLowerCase()}`) : USAGE_REPLY;
      }
    },
    complete(words) {
      if (words.length === 0) return ['recover', 'hupall', 'pause', 'resume', 'shutdown', 'sps', 'last_sps', 'max_sessions'];
      switch (words[0]) {
        case 'recover':
          return ['flush', 'sofia'];
        case 'pause':
        case 'resume':
          return ['inbound', 'outbound'];
        case 'shutdown':
          return ['elegant', 'asap', 'now', 'restart'];
        case 'hupall':
          return CAUSE_NAMES;
        default:
          return [];
      }
    },
  },
];
