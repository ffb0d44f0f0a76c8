import { assert } from '../base/index.ts';
import type { CallContext, Room } from './context.ts';
import type { Leg } from './leg.ts';
import { setEndpoint, setMode } from './media-control.ts';

/** Splits `room@profile+pin+flags{…}` of the conference application. */
export function parseConferenceData(data: string): { readonly room: string; readonly profile: string; readonly flags: readonly string[] } {
  const flags = /\+flags\{([^}]*)\}/.exec(data)?.[1] ?? '';
  const plain = data.replace(/\+flags\{[^}]*\}/, '').split('+')[0] ?? '';
  const [room = '', profile = 'default'] = plain.trim().split('@');
  return { room, profile, flags: flags.split(/[|,\s]+/).filter((flag) => flag !== '') };
}

/** The conference application: joins the room, which begins with its first member. */
export function joinConference(context: CallContext, leg: Leg, data: string): void {
  const { room: name, profile, flags } = parseConferenceData(data);
  const limit = context.config().conferenceProfiles.get(profile)?.maxMembers ?? null;
  const existing = context.rooms.get(name);
  if (name === '' || (limit !== null && existing !== undefined && existing.members.size >= limit)) {
    context.hangup(leg, name === '' ? 'INVALID_NUMBER_FORMAT' : 'USER_BUSY');
    return;
  }
  const room = existing ?? createRoom(context, name, profile, context.uuid());
  const memberId = room.nextMemberId;
  room.nextMemberId += 1;
  leg.record.conference = {
    room: name,
    profile,
    memberId,
    roomUuid: room.uuid,
    muted: flags.includes('mute'),
    deaf: flags.includes('deaf'),
    moderator: flags.includes('moderator'),
  };
  const { variables } = leg.record;
  variables['conference_name'] = name;
  variables['conference_member_id'] = String(memberId);
  variables['conference_moderator'] = String(flags.includes('moderator'));
  variables['conference_uuid'] = room.uuid;
  variables['app_session_uuid'] = room.uuid;
  enterRoom(context, leg);
}

function createRoom(context: CallContext, name: string, profile: string, uuid: string): Room {
  const room: Room = { name, uuid, profile, members: new Set(), nextMemberId: 1, floor: null };
  context.rooms.set(name, room);
  return room;
}

/** Puts a leg into the room that its record names; also after a crash, where the room comes back with its old uuid. */
export function enterRoom(context: CallContext, leg: Leg): void {
  const conference = leg.record.conference;
  assert(conference !== null, `leg ${leg.uuid} is in a conference`);
  const room = context.rooms.get(conference.room) ?? createRoom(context, conference.room, conference.profile, conference.roomUuid);
  room.members.add(leg.uuid);
  room.nextMemberId = Math.max(room.nextMemberId, conference.memberId + 1);
  applyConference(context, leg);
  maintenance(context, leg, 'add-member');
}

/** Tells `media` the member's present rights. */
export function applyConference(context: CallContext, leg: Leg): void {
  const conference = leg.record.conference;
  if (conference === null) return;
  const { room, memberId, muted, deaf } = conference;
  setMode(context, leg, { kind: 'conference', room, memberId, muted, deaf });
}

/** Takes a leg out of its room, which ends with its last member. */
export function leaveConference(context: CallContext, leg: Leg): void {
  const conference = leg.record.conference;
  if (conference === null) return;
  maintenance(context, leg, 'del-member');
  leg.record.conference = null;
  const room = context.rooms.get(conference.room);
  room?.members.delete(leg.uuid);
  if (room?.members.size === 0) context.rooms.delete(conference.room);
  setEndpoint(context, leg, { mode: { kind: 'idle' } });
}

function maintenance(context: CallContext, leg: Leg, action: string): void {
  const conference = leg.record.conference;
  if (conference === null) return;
  const room = context.rooms.get(conference.room);
  context.event(
    'CUSTOM',
    leg,
    [
      ['Conference-Name', conference.room],
      ['Conference-Size', String(room?.members.size ?? 0)],
      ['Conference-Profile-Name', conference.profile],
      ['Conference-Unique-ID', conference.roomUuid],
      ['Member-ID', String(conference.memberId)],
      ['Action', action],
    ],
    'conference::maintenance',
  );
}
