import type { PlaySource } from '../media/protocol.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { setApplicationMode } from './media-control.ts';

/** Silence without an end is said in pieces of this many milliseconds. */
const SILENCE_PIECE = 60_000;
/** Sources of FreeSWITCH that do not exist here. */
const MISSING = /^(local_stream|shout|https?|http_cache|phrase|say|tts|file_string|vlc|rtmp):/i;

/** `tone_stream://…` with its `loops=`, `silence_stream://MILLISECONDS`, or a WAV file; null for a source that does not exist here. */
export function playSource(context: CallContext, text: string): { readonly source: PlaySource; readonly loops: number } | null {
  const parameters = /^\s*\{([^}]*)\}/.exec(text);
  const data = parameters === null ? text.trim() : text.slice(parameters[0].length).trim();
  const loopsBefore = /(?:^|,)\s*loops=(-?\d+)/.exec(parameters?.[1] ?? '');
  const silence = /^silence_stream:\/\/(-?\d+)/.exec(data);
  if (silence !== null) {
    const milliseconds = Number(silence[1]);
    const endless = milliseconds <= 0;
    return { source: { kind: 'tone', script: `%(0,${endless ? SILENCE_PIECE : milliseconds},0)` }, loops: endless ? -1 : 1 };
  }
  const tone = /^tone_stream:\/\/(.*)$/s.exec(data);
  if (tone !== null) {
    const script = tone[1] ?? '';
    const loops = /(?:^|;)loops=(-?\d+)/.exec(script) ?? loopsBefore;
    return { source: { kind: 'tone', script: script.replace(/;?loops=-?\d+/, '') }, loops: loops === null ? 1 : Number(loops[1]) };
  }
  if (data === '' || MISSING.test(data)) return null;
  const path = data.replace(/^file:\/\//, '');
  const absolute = path.startsWith('/') ? path : `${context.config().variables.get('sounds_dir') ?? ''}/${path}`;
  return { source: { kind: 'file', path: absolute }, loops: loopsBefore === null ? 1 : Number(loopsBefore[1]) };
}

/**
 * Starts a playback `position` milliseconds into it: 0, or where a crash found it. False when its source does not exist
 * here; then nothing plays. `part` tells several playbacks of one application apart.
 */
export function startPlayback(context: CallContext, leg: Leg, data: string, position: number, part = ''): boolean {
  const found = playSource(context, data);
  if (found === null) {
    context.logger.log('error', `"${data.slice(0, 200)}" cannot be played: use a WAV file, tone_stream:// or silence_stream://`, {
      uuid: leg.uuid,
    });
    return false;
  }
  const playId = `${leg.uuid.slice(0, 8)}-${leg.record.applicationLog.length}${part}`;
  setApplicationMode(context, leg, { kind: 'play', playId, source: found.source, loops: found.loops, position });
  return true;
}
