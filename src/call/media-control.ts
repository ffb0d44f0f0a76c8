import { assert } from '../base/index.ts';
import type { EndpointMode, EndpointState } from '../media/protocol.ts';
import { canRelay } from '../sdp/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';

/** Silence of a peer after which `media` reports a timeout, in milliseconds; 0 = never. */
function rtpTimeout(context: CallContext, leg: Leg): number {
  const profile = context.profile(leg.record.profileName);
  if (profile === null) return 0;
  const held = leg.record.media !== null && leg.record.media.held !== 'none';
  return (held ? profile.rtpHoldTimeoutSeconds : profile.rtpTimeoutSeconds) * 1000;
}

/**
 * Chooses a port and asks `media` to bind it; the leg goes on with `then` when `media` answers. False when the RTP
 * range is full.
 */
export function openMedia(context: CallContext, leg: Leg, then: 'route' | 'invite'): boolean {
  const profile = context.profile(leg.record.profileName);
  assert(profile !== null, `profile ${leg.record.profileName} of leg ${leg.uuid} exists`);
  const port = context.allocatePort(profile.rtpIp);
  if (port === null) return false;
  const now = context.wallMicroseconds();
  const sessionId = leg.record.media?.sessionId ?? String(Math.floor(now / 1_000_000));
  leg.record.media = {
    localSdp: null,
    remoteSdp: leg.record.media?.remoteSdp ?? null,
    sessionId,
    sessionVersion: Number(sessionId),
    offer: 'none',
    endpoint: {
      id: leg.uuid,
      localIp: profile.rtpIp,
      localPort: port,
      remote: null,
      remoteRtcp: null,
      learned: null,
      format: null,
      ssrc: context.uint32(),
      send: true,
      receive: true,
      rtpTimeout: 0,
      mode: { kind: 'idle' },
    },
    held: 'none',
  };
  leg.opening = then;
  leg.portAttempts += 1;
  leg.dirty = true;
  context.emit({ kind: 'media', leg: leg.uuid, endpoint: leg.record.media.endpoint as EndpointState, opening: true });
  return true;
}

/** Changes what the leg's endpoint shall be and tells `media`. Nothing happens without an endpoint. */
export function setEndpoint(context: CallContext, leg: Leg, change: Partial<EndpointState>): void {
  const media = leg.record.media;
  if (media === null || media.endpoint === null) return;
  const endpoint = { ...media.endpoint, ...change, rtpTimeout: leg.answered ? rtpTimeout(context, leg) : 0 };
  media.endpoint = endpoint;
  leg.dirty = true;
  context.emit({ kind: 'media', leg: leg.uuid, endpoint, opening: false });
}

export function setMode(context: CallContext, leg: Leg, mode: EndpointMode): void {
  setEndpoint(context, leg, { mode });
}

/** What an application makes of a leg's audio; while a broadcast plays, it begins after that. */
export function setApplicationMode(context: CallContext, leg: Leg, mode: EndpointMode): void {
  const { broadcast } = leg.record;
  if (broadcast == null) {
    setMode(context, leg, mode);
    return;
  }
  broadcast.before = mode;
  leg.dirty = true;
}

function isHeld(leg: Leg, by: 'local' | 'remote'): boolean {
  const held = leg.record.media?.held ?? 'none';
  return held === by || held === 'both';
}

/** What the variable `hold_music` of `holder` names, as far as we can play it endlessly: `tone_stream://`. */
function holdMusic(context: CallContext, holder: Leg, listener: Leg): EndpointMode | null {
  const name = holder.record.variables['hold_music'] ?? context.config().variables.get('hold_music') ?? '';
  if (!name.startsWith('tone_stream://')) return null;
  const script = name.slice('tone_stream://'.length).replace(/;?loops=-?\d+/, '');
  return { kind: 'play', playId: `hold-${listener.uuid.slice(0, 8)}`, source: { kind: 'tone', script }, loops: -1, position: 0 };
}

/**
 * Connects the audio of two partners: relayed both ways, unless one of them is on hold (then silence or `hold_music`), or
 * their codecs do not fit (then silence until one of them has agreed to another).
 */
export function relay(context: CallContext, left: Leg, right: Leg): void {
  if (left.record.broadcast != null || right.record.broadcast != null) return;
  const formats = [left.record.media?.endpoint?.format ?? null, right.record.media?.endpoint?.format ?? null] as const;
  const fit = formats[0] === null || formats[1] === null || canRelay(formats[0], formats[1]);
  const ours = isHeld(left, 'local') ? left : isHeld(right, 'local') ? right : null;
  if (ours !== null || !fit) {
    for (const leg of [left, right]) setMode(context, leg, (ours === null ? null : holdMusic(context, ours, leg)) ?? { kind: 'idle' });
    return;
  }
  for (const [holder, listener] of [
    [left, right],
    [right, left],
  ] as const) {
    const music = isHeld(holder, 'remote') && !isHeld(listener, 'remote') ? holdMusic(context, holder, listener) : null;
    if (music === null) continue;
    setMode(context, listener, music);
    setMode(context, holder, { kind: 'idle' });
    return;
  }
  setMode(context, left, { kind: 'relay', partner: right.uuid });
  setMode(context, right, { kind: 'relay', partner: left.uuid });
}
