import { callTable, channelTable } from './channel-rows.ts';
import { type Command, type CommandContext, splitFirst } from './command.ts';
import { formatCount, formatTable, type Table, type TableFormat } from './table.ts';

const USAGE =
  'codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status';

/** Lists of FreeSWITCH that we have nothing to put into: they answer as an empty list does. */
const EMPTY_LISTS = [
  'aliases',
  'chat',
  'complete',
  'file',
  'interface_types',
  'interfaces',
  'limits',
  'management',
  'nat_map',
  'say',
  'tasks',
  'timer',
];

const CODECS = ['PCMA', 'PCMU'];
const MODULES: readonly (readonly [string, string])[] = [
  ['api', 'commands'],
  ['application', 'dptools'],
  ['dialplan', 'XML'],
  ['endpoint', 'sofia'],
  ['application', 'conference'],
  ['generic', 'event_socket'],
];

function registrationTable(context: CommandContext): Table {
  return {
    columns: ['reg_user', 'realm', 'token', 'url', 'expires', 'network_ip', 'network_port', 'network_proto', 'hostname', 'metadata'],
    rows: context.view
      .registrations()
      .map((registration) => [
        registration.user,
        registration.realm,
        registration.callId,
        registration.contact,
        String(registration.expiresEpochSeconds),
        registration.networkIp,
        String(registration.networkPort),
        /;transport=([a-z]+)/i.exec(registration.contact)?.[1]?.toLowerCase() ?? 'udp',
        registration.hostname,
        '',
      ]),
  };
}

function interfaceTable(type: string, names: readonly string[]): Table {
  return { columns: ['type', 'name', 'ikey'], rows: names.map((name) => [type, name, 'undrop']) };
}

function tableOf(what: string, like: string | null, context: CommandContext): Table | null {
  switch (what) {
    case 'channels':
      return channelTable(context.view, like);
    case 'calls':
    case 'detailed_calls':
      return callTable(context.view, false);
    case 'bridged_calls':
    case 'detailed_bridged_calls':
      return callTable(context.view, true);
    case 'registrations':
      return registrationTable(context);
    case 'modules':
      return { columns: ['type', 'name', 'ikey', 'filename'], rows: MODULES.map(([type, name]) => [type, name, `mod_${name}`, 'undrop']) };
    case 'codec':
    case 'codecs':
      return interfaceTable('codec', CODECS);
    case 'endpoint':
      return interfaceTable('endpoint', ['sofia']);
    case 'dialplan':
      return interfaceTable('dialplan', ['XML']);
    case 'api': {
      const commands = [...context.commands.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
      return {
        columns: ['name', 'description', 'syntax', 'ikey'],
        rows: commands.map((command) => [command.name, command.description, command.usage, 'undrop']),
      };
    }
    default:
      return EMPTY_LISTS.includes(what) ? { columns: [], rows: [] } : null;
  }
}

/** Takes `as json`, `as xml`, `as delim X` or `as csv` off the end. */
function splitFormat(argument: string): { readonly rest: string; readonly format: TableFormat } {
  const match = /^(.*?)\s*\bas\s+(json|xml|csv|delim\s+(\S+))$/is.exec(argument);
  if (match === null) return { rest: argument, format: { kind: 'delim', delimiter: ',' } };
  const rest = match[1] ?? '';
  const kind = (match[2] ?? '').toLowerCase();
  if (kind === 'json') return { rest, format: { kind: 'json' } };
  if (kind === 'xml') return { rest, format: { kind: 'xml' } };
  return { rest, format: { kind: 'delim', delimiter: match[3] ?? ',' } };
}

export const showCommands: readonly Command[] = [
  {
    name: 'show',
    usage: USAGE,
    description: 'Show various reports',
    run(argument, context) {
      const split = splitFormat(argument);
      const [what = '', option = '', text = ''] = splitFirst(split.rest, 2);
      if (what === 'status') return context.commands.get('status')?.run('', context) ?? '';
      const like = option.toLowerCase() === 'like' && text !== '' ? text : null;
      const table = tableOf(what.toLowerCase(), like, context);
      if (table === null) return `-USAGE: ${USAGE}\n`;
      return option.toLowerCase() === 'count' ? formatCount(table.rows.length, split.format) : formatTable(table, split.format);
    },
    complete(words) {
      if (words.length === 0) return ['channels', 'calls', 'bridged_calls', 'registrations', 'modules', 'codec', 'api', 'status'];
      if (words.length === 1) return ['count', 'like', 'as'];
      return words.at(-1) === 'as' ? ['json', 'xml', 'delim'] : ['as'];
    },
  },
];
