import { type ApplicationTable, ensureMedia } from './application-type.ts';
import type { CallContext } from './context.ts';
import { answer } from './inbound.ts';
import type { Leg } from './leg.ts';
import { setMode } from './media-control.ts';
import { startPlayback } from './play-source.ts';

/** Goes on where the wall clock says that the playback is now. */
function resumePlayback(context: CallContext, leg: Leg, source: string): void {
  // A broadcast plays in its place, and gives the leg back to it.
  if (leg.record.broadcast != null) return;
  const startedAt = leg.record.execution?.startedAt ?? 0;
  if (!startPlayback(context, leg, source, Math.max(0, Math.floor((context.wallMicroseconds() - startedAt) / 1000))))
    context.applicationDone(leg);
}

/** An application that plays `source(data)` and then is over. */
function player(source: (data: string) => string): ApplicationTable[string] {
  return {
    run: (context, leg, data) => {
      if (!ensureMedia(context, leg)) return 'gone';
      return startPlayback(context, leg, source(data), 0) ? 'waiting' : 'done';
    },
    resume: (context, leg, data) => resumePlayback(context, leg, source(data)),
  };
}

/** `gentones` takes a tone script and, after `|`, how often. */
function toneSource(data: string): string {
  const [script = '', loops] = data.split('|');
  return `tone_stream://${script.trim()}${loops === undefined || !/^-?\d+$/.test(loops.trim()) ? '' : `;loops=${loops.trim()}`}`;
}

/** Applications that make a sound. */
export const PLAY_APPLICATIONS: ApplicationTable = {
  playback: player((data) => data),
  endless_playback: player((data) => (data.startsWith('{') ? data : `{loops=-1}${data}`)),
  gentones: player(toneSource),
  delay_echo: {
    run: (context, leg) => {
      if (!answer(context, leg)) return 'gone';
      context.logger.log('warning', 'delay_echo echoes without a delay here', { uuid: leg.uuid });
      setMode(context, leg, { kind: 'echo' });
      return 'waiting';
    },
  },
};
