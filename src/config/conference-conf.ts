import type { ConferenceProfile } from './config.ts';
import { names, Parameters, type ParameterTable } from './parameters.ts';
import type { ConfigReport } from './report.ts';
import { childrenNamed, type XmlElement } from './xml.ts';

const TABLE: ParameterTable = {
  area: 'conference.conf',
  used: names('domain rate interval energy-level max-members'),
  ignored:
    names(`muted-sound unmuted-sound alone-sound moh-sound enter-sound exit-sound kicked-sound locked-sound is-locked-sound is-unlocked-sound
    pin-sound bad-pin-sound caller-id-name caller-id-number comfort-noise caller-controls moderator-controls sound-prefix tts-engine tts-voice
    conference-flags member-flags auto-gain-level suppress-events verbose-events video-canvas-bgcolor video-canvas-size video-layout-name
    video-layout-conf video-layout-bgcolor video-canvas-count video-mode video-fps video-auto-floor-msec video-codec-bandwidth video-letterbox-bgcolor
    video-no-video-avatar video-mute-banner video-quality video-mute-exit-canvas video-kps-debounce video-border-size video-super-canvas-bgcolor
    video-super-canvas-label-layers video-codec-config-profile-name video-canvas-bgimg video-border-color video-super-canvas-show-all-layers
    video-auto-floor-msec video-second-screen-auto-floor auto-energy-level max-energy-level max-energy-hit-trigger auto-energy-sec
    min-required-recording-participants channels endconf-grace-time xml-cdr-log-dir cdr-log-dir cdr-event-mode timer-name
    deaf-sound undeaf-sound mute-detect-sound blind-deaf-sound blind-undeaf-sound announce-count recording-participant
    maxmember-sound ivr-dtmf-timeout ivr-input-timeout terminate-on-silence perpetual-sound outcall-templ broadcast-chat-messages
    scale-h264-canvas-width scale-h264-canvas-height scale-h264-canvas-bandwidth scale-h264-canvas-fps-divisor jitterbuffer-msec
    suppress-chat-event non-floor-bandwidth`),
  missing: names('pin moderator-pin auto-record'),
};

/** conference.conf: `<profiles><profile name="…"><param …/>`. */
export function readConferenceConf(element: XmlElement | undefined, report: ConfigReport): ReadonlyMap<string, ConferenceProfile> {
  const profiles = new Map<string, ConferenceProfile>();
  for (const group of element === undefined ? [] : childrenNamed(element, 'profiles')) {
    for (const child of childrenNamed(group, 'profile')) {
      const { name } = child.attributes;
      if (!name) {
        report.error(child.position, '<profile> without name; expected <profile name="…">');
        continue;
      }
      const parameters = new Parameters(child, child.position, report, TABLE);
      const rate = parameters.text('rate')?.toLowerCase() === 'auto' ? 8000 : parameters.integer('rate', 8000, 8000, 48_000);
      const maximum = parameters.integer('max-members', 0, 0, 100_000);
      profiles.set(
        name,
        Object.freeze({
          name,
          rate,
          interval: parameters.text('interval')?.toLowerCase() === 'auto' ? 20 : parameters.integer('interval', 20, 10, 120),
          energyLevel: parameters.integer('energy-level', 100, 0, 32_767),
          pin: parameters.all.get('pin') ?? null,
          maxMembers: maximum === 0 ? null : maximum,
          parameters: parameters.all,
        }),
      );
    }
  }
  return profiles;
}
