import { CAUSE_NAMES, causeName } from '../../base/index.ts';
import { serializeEvent } from '../esl/render.ts';
import { type Command, type CommandContext, channelUuids, NO_SUCH_CHANNEL, splitFirst, splitWords } from './command.ts';

function completeUuid(words: readonly string[], context: CommandContext): readonly string[] {
  return words.length === 0 ? channelUuids(context) : [];
}

/** A command on one channel that needs nothing but its uuid. */
function onChannel(name: string, description: string, act: (context: CommandContext, uuid: string) => boolean, usage = '<uuid>'): Command {
  return {
    name,
    usage,
    description,
    run(argument, context) {
      const [uuid] = splitFirst(argument, 1);
      if (uuid === undefined) return `-USAGE: ${usage}\n`;
      if (context.view.channel(uuid) === null) return NO_SUCH_CHANNEL;
      return act(context, uuid) ? '+OK\n' : FAILED;
    },
    complete: completeUuid,
  };
}

const FAILED = '-ERR Operation failed\n';
/** Longest time ahead of `sched_hangup`, seconds. */
const MAXIMUM_AHEAD = 10 * 365 * 86_400;

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
  {
    name: 'uuid_transfer',
    usage: '<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]',
    description: 'Transfer a session',
    run(argument, context) {
      const words = splitWords(argument);
      const flag = words[1]?.startsWith('-') === true ? words.splice(1, 1)[0] : undefined;
      const [uuid, destination, dialplan, dialContext, ...more] = words;
      if (uuid === undefined || destination === undefined || more.length > 0) return `-USAGE: ${this.usage}\n`;
      if (flag !== undefined && flag !== '-bleg' && flag !== '-both') return `-USAGE: ${this.usage}\n`;
      const channel = context.view.channel(uuid);
      if (channel === null) return NO_SUCH_CHANNEL;
      const partner = channel.partnerUuid;
      if (flag !== undefined && partner === null) return '-ERR No such channel bridged to this one!\n';
      const uuids = flag === undefined ? [uuid] : flag === '-bleg' ? [partner ?? ''] : [partner ?? '', uuid];
      return context.view.transfer(uuids, destination, dialplan ?? null, dialContext ?? null) ? '+OK\n' : FAILED;
    },
    complete: (words, context) => (words.length === 0 ? channelUuids(context) : words.length === 1 ? ['-bleg', '-both'] : []),
  },
  {
    name: 'uuid_bridge',
    usage: '<uuid> <other_uuid>',
    description: 'Bridge two channels',
    run(argument, context) {
      const [uuid, other] = splitWords(argument);
      if (uuid === undefined || other === undefined) return `-USAGE: ${this.usage}\n`;
      if (context.view.channel(uuid) === null || context.view.channel(other) === null) return '-ERR Invalid uuid\n';
      return context.view.bridge(uuid, other) ? `+OK ${other}\n` : FAILED;
    },
    complete: (words, context) => (words.length < 2 ? channelUuids(context) : []),
  },
  {
    name: 'uuid_hold',
    usage: '[off|toggle] <uuid> [<display>]',
    description: 'Place call on hold',
    run(argument, context) {
      const words = splitWords(argument);
      const how = words[0] === 'off' || words[0] === 'toggle' ? words[0] : 'on';
      const uuid = how === 'on' ? words[0] : words[1];
      if (uuid === undefined) return `-USAGE: ${this.usage}\n`;
      return context.view.hold(uuid, how) ? '+OK Success\n' : '-ERR Operation failed\n';
    },
    complete: (words, context) => (words.length < 2 ? ['off', 'toggle', ...channelUuids(context)] : []),
  },
  {
    name: 'uuid_send_dtmf',
    usage: '<uuid> <dtmf_data>',
    description: 'Send dtmf digits',
    run(argument, context) {
      const [uuid, digits] = splitWords(argument);
      if (uuid === undefined || digits === undefined) return `-USAGE: ${this.usage}\n`;
      if (context.view.channel(uuid) === null) return NO_SUCH_CHANNEL;
      return context.view.sendDtmf(uuid, digits) ? '+OK\n' : FAILED;
    },
    complete: completeUuid,
  },
  {
    name: 'uuid_broadcast',
    usage: '<uuid> <path> [aleg|bleg|both]',
    description: 'Execute dialplan application',
    run(argument, context) {
      const [uuid, path, legs = 'aleg', ...more] = splitWords(argument);
      if (uuid === undefined || path === undefined || more.length > 0) return `-USAGE: ${this.usage}\n`;
      if (!['aleg', 'bleg', 'both'].includes(legs)) return `-USAGE: ${this.usage}\n`;
      const channel = context.view.channel(uuid);
      if (channel === null) return NO_SUCH_CHANNEL;
      const uuids = [legs === 'bleg' ? null : uuid, legs === 'aleg' ? null : channel.partnerUuid].filter((each) => each !== null);
      const played = uuids.map((each) => context.view.broadcast(each, path));
      return played.some((done) => done) ? '+OK Message sent\n' : FAILED;
    },
    complete: (words, context) => (words.length === 0 ? channelUuids(context) : words.length === 2 ? ['aleg', 'bleg', 'both'] : []),
  },
  {
    name: 'sched_hangup',
    usage: '[+]<time> <uuid> [<cause>]',
    description: 'Schedule a running call to hangup',
    run(argument, context) {
      const [time, uuid, cause] = splitWords(argument);
      const match = /^(\+?)(\d{1,12})$/.exec(time ?? '');
      if (match === null || uuid === undefined) return `-USAGE: ${this.usage}\n`;
      if (context.view.channel(uuid) === null) return NO_SUCH_CHANNEL;
      const now = context.clock.wallMicroseconds();
      const at = Number(match[2]) * 1_000_000 + (match[1] === '+' ? now : 0);
      if (at > now + MAXIMUM_AHEAD * 1_000_000) return '-ERR sched_hangup: the time is more than ten years ahead\n';
      return context.view.scheduleHangup(uuid, at, causeName(cause ?? 'ALLOTTED_TIMEOUT')) ? '+OK\n' : FAILED;
    },
    complete: (words, context) => (words.length === 1 ? channelUuids(context) : words.length === 2 ? CAUSE_NAMES : []),
  },
  onChannel('uuid_park', 'Park channel', (context, uuid) => context.view.park(uuid)),
  onChannel('uuid_answer', 'Answer channel', (context, uuid) => context.view.answer(uuid)),
  onChannel('uuid_pre_answer', 'Pre-answer channel', (context, uuid) => context.view.preAnswer(uuid)),
  onChannel('uuid_recovery_refresh', 'Send a recovery refresh', (context, uuid) => context.view.verify(uuid), '<uuid> [<uri>]'),
];
