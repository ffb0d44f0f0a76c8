import type { ConferenceView } from '../switch-view.ts';
import { type Command, type CommandContext, notSupportedYet, splitWords } from './command.ts';

type Member = ConferenceView['members'][number];
const MEMBER_COMMANDS = ['kick', 'mute', 'unmute', 'deaf', 'undeaf', 'hup'] as const;
type MemberCommand = (typeof MEMBER_COMMANDS)[number];

const USAGE = 'list | <confname> list|kick|mute|unmute|deaf|undeaf|hup [<member id>|all|last|non_moderator]';
const ROOM_FLAGS = 'running|answered|enforce_min|dynamic|exit_sound|enter_sound|json_status';

function memberLine(member: Member): string {
  const flags: string[] = [];
  if (!member.deaf) flags.push('hear');
  if (!member.muted) flags.push('speak');
  if (member.talking) flags.push('talking');
  if (member.floor) flags.push('floor');
  if (member.moderator) flags.push('moderator');
  const names = [member.channelName, member.channelUuid, member.callerIdName, member.callerIdNumber];
  return `${member.id};${names.map((text) => text.replace(/[\r\n;]+/g, ' ')).join(';')};${flags.join('|')};0;0;0\n`;
}

/** Newest member first, as FreeSWITCH keeps its list. */
function memberLines(conference: ConferenceView): string {
  return conference.members
    .toSorted((left, right) => right.id - left.id)
    .map(memberLine)
    .join('');
}

function listAll(context: CommandContext): string {
  const conferences = context.view.conferences();
  if (conferences.length === 0) return '+OK No active conferences.\n';
  return conferences
    .map((conference) => {
      const count = conference.members.length;
      const members = `${count} member${count === 1 ? '' : 's'}`;
      return `+OK Conference ${conference.name} (${members} rate: ${conference.rate} flags: ${ROOM_FLAGS})\n${memberLines(conference)}`;
    })
    .join('');
}

function select(conference: ConferenceView, who: string): readonly Member[] | null {
  if (who === 'all') return conference.members;
  if (who === 'non_moderator') return conference.members.filter((member) => !member.moderator);
  const newest = conference.members.toSorted((left, right) => right.id - left.id)[0];
  if (who === 'last') return newest === undefined ? [] : [newest];
  const found = conference.members.find((member) => String(member.id) === who);
  return found === undefined ? null : [found];
}

function runMemberCommand(conference: ConferenceView, command: MemberCommand, who: string | undefined, context: CommandContext): string {
  if (who === undefined) return `-ERR missing arguments: conference ${conference.name} ${command} <member id>|all|last|non_moderator\n`;
  const members = select(conference, who);
  if (members === null) return `-ERR Non-Existant ID ${who}\n`;
  let reply = '';
  for (const member of members) {
    const outcome = context.view.conferenceCommand(conference.name, command, String(member.id));
    const word = command === 'kick' ? 'kicked' : command;
    reply += outcome.found && outcome.affected > 0 ? `+OK ${word} ${member.id}\n` : `-ERR Non-Existant ID ${member.id}\n`;
  }
  return reply === '' ? `-ERR no member of conference ${conference.name} matches ${who}\n` : reply;
}

export const conferenceCommands: readonly Command[] = [
  {
    name: 'conference',
    usage: USAGE,
    description: 'Conferences and their members',
    run(argument, context) {
      const [room, action, who] = splitWords(argument);
      if (room === undefined) return `-USAGE: ${USAGE}\n`;
      if (room === 'list' && action === undefined) return listAll(context);
      if (room === 'list' && action === 'count') return String(context.view.conferences().length);
      const conference = context.view.conferences().find((candidate) => candidate.name === room);
      if (conference === undefined) return `-ERR Conference ${room} not found\n`;
      if (action === 'list') return who === 'count' ? String(conference.members.length) : memberLines(conference);
      const command = MEMBER_COMMANDS.find((candidate) => candidate === action);
      if (command !== undefined) return runMemberCommand(conference, command, who, context);
      return action === undefined ? `-USAGE: ${USAGE}\n` : notSupportedYet(`conference command '${action}'`);
    },
    complete(words, context) {
      if (words.length === 0) return ['list', ...context.view.conferences().map((conference) => conference.name)];
      if (words.length === 1) return words[0] === 'list' ? ['count'] : ['list', ...MEMBER_COMMANDS];
      const members = context.view.conferences().find((conference) => conference.name === words[0])?.members ?? [];
      return ['all', 'last', 'non_moderator', ...members.map((member) => String(member.id))];
    },
  },
];
