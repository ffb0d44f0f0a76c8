import { CAUSE_NAMES, causeName } from '../../base/index.ts';
import { serializeEvent } from '../esl/render.ts';
import { type Command, type CommandContext, channelUuids, NO_SUCH_CHANNEL, splitFirst } from './command.ts';

function completeUuid(words: readonly string[], context: CommandContext): readonly string[] {
  return words.length === 0 ? channelUuids(context) : [];
}

/** Commands of FreeSWITCH on one channel that the switch cannot do yet: they say so instead of pretending. */
function unsupported(name: string, usage: string, description: string): Command {
  return {
    name,
    usage,
    description,
    run(argument, context) {
      const words = splitFirst(argument, 3);
      const uuid = name === 'uuid_hold' && (words[0] === 'off' || words[0] === 'toggle') ? words[1] : words[0];
      if (uuid === undefined) return `-USAGE: ${usage}\n`;
      return context.view.channel(uuid) === null ? NO_SUCH_CHANNEL : '-ERR Operation failed: not supported yet\n';
    },
    complete: completeUuid,
  };
}

export const channelCommands: readonly Command[] = [
  {
    name: 'uuid_kill',
    usage: '<uuid> [cause]',
    description: 'Kill channel',
    run(argument, context) {
      const [uuid, cause] = splitFirst(argument, 1);
      if (uuid === undefined) return `-USAGE: ${this.usage}\n`;
      return context.view.hangup(uuid, causeName(cause ?? 'NORMAL_CLEARING')) ? '+OK\n' : NO_SUCH_CHANNEL;
    },
    complete: (words, context) => (words.length === 0 ? channelUuids(context) : CAUSE_NAMES),
  },
  {
    name: 'uuid_dump',
    usage: '<uuid> [format]',
    description: 'Dump channel headers and variables',
    run(argument, context) {
      const [uuid, format = 'plain'] = splitFirst(argument, 2);
      if (uuid === undefined) return `-USAGE: ${this.usage}\n`;
      const channel = context.view.channel(uuid);
      if (channel === null) return NO_SUCH_CHANNEL;
      const event = context.renderer.render({ name: 'CHANNEL_DATA', subclass: null, channel, headers: [], body: null });
      return serializeEvent(event, format === 'json' || format === 'xml' ? format : 'plain');
    },
    complete: (words, context) => (words.length === 0 ? channelUuids(context) : ['json', 'xml', 'plain']),
  },
  {
    name: 'uuid_exists',
    usage: '<uuid>',
    description: 'Check if a uuid exists',
    run: (argument, context) => (argument !== '' && context.view.channel(argument) !== null ? 'true' : 'false'),
    complete: completeUuid,
  },
  {
    name: 'uuid_getvar',
    usage: '<uuid> <var>',
    description: 'Get a variable from a channel',
    run(argument, context) {
      const [uuid, name] = splitFirst(argument, 2);
      if (uuid === undefined || name === undefined) return `-USAGE: ${this.usage}\n`;
      const channel = context.view.channel(uuid);
      return channel === null ? NO_SUCH_CHANNEL : (channel.variables.get(name) ?? '_undef_');
    },
    complete: completeUuid,
  },
  {
    name: 'uuid_setvar',
    usage: '<uuid> <var> [value]',
    description: 'Set a variable on a channel',
    run(argument, context) {
      const [uuid, name, value] = splitFirst(argument, 2);
      if (uuid === undefined || name === undefined) return `-USAGE: ${this.usage}\n`;
      return context.view.setVariable(uuid, name, value ?? null) ? '+OK\n' : NO_SUCH_CHANNEL;
    },
    complete: completeUuid,
  },
  {
    name: 'uuid_setvar_multi',
    usage: '<uuid> <var>=<value>;<var>=<value>...',
    description: 'Set several variables on a channel',
    run(argument, context) {
      const [uuid, list] = splitFirst(argument, 1);
      if (uuid === undefined || list === undefined) return `-USAGE: ${this.usage}\n`;
      if (context.view.channel(uuid) === null) return NO_SUCH_CHANNEL;
      for (const pair of list.split(';')) {
        const equals = pair.indexOf('=');
        const name = (equals < 0 ? pair : pair.slice(0, equals)).trim();
        if (name !== '') context.view.setVariable(uuid, name, equals < 0 ? null : pair.slice(equals + 1));
      }
      return '+OK\n';
    },
    complete: completeUuid,
  },
  {
    name: 'hupall',
    usage: '<cause> [<var> <value>]',
    description: 'Hang up all channels',
    run(argument, context) {
      const [causeText = 'MANAGER_REQUEST', name, value] = splitFirst(argument, 2);
      const cause = causeName(causeText);
      if (name === undefined) {
        context.view.hangupAll(cause);
        return `+OK hangup all channels with cause ${cause}\n`;
      }
      if (value === undefined) return `-USAGE: ${this.usage}\n`;
      for (const channel of context.view.channels()) {
        if (channel.variables.get(name) === value) context.view.hangup(channel.uuid, cause);
      }
      return `+OK hangup all channels matching [${name}]=[${value}] with cause: ${cause}\n`;
    },
    complete: (words) => (words.length === 0 ? CAUSE_NAMES : []),
  },
  unsupported('uuid_bridge', '<uuid> <other_uuid>', 'Bridge two channels'),
  unsupported('uuid_transfer', '<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]', 'Transfer a channel'),
  unsupported('uuid_hold', '[off|toggle] <uuid> [<display>]', 'Put a channel on hold'),
  unsupported('uuid_recovery_refresh', '<uuid> <uri>', 'Send a recovery refresh'),
];
