import { bumpVersion, withPort } from '../sdp/index.ts';
import type { CallContext } from './context.ts';
import type { Leg } from './leg.ts';
import { announcePort } from './verify.ts';

/** A recovered leg's port is taken by somebody else: another one, and a re-INVITE that says so. */
export function moveToOtherPort(context: CallContext, leg: Leg): void {
  const media = leg.record.media;
  if (media?.endpoint == null) return;
  const port = context.allocatePort(media.endpoint.localIp);
  if (port === null) {
    context.hangup(leg, 'SWITCH_CONGESTION');
    return;
  }
  leg.portAttempts += 1;
  media.endpoint = { ...media.endpoint, localPort: port };
  leg.dirty = true;
  context.emit({ kind: 'media', leg: leg.uuid, endpoint: media.endpoint, opening: true });
  if (leg.answered && media.localSdp !== null) {
    media.sessionVersion += 1;
    announcePort(context, leg, bumpVersion(withPort(media.localSdp, port)));
  }
}
