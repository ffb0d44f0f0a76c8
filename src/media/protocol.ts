import type { Address } from '../base/index.ts';

/**
 * The protocol between `switch` and `media` over the Unix socket `run/media.sock`: one JSON object a line, both ways.
 * It is declarative: `set` carries everything an endpoint shall be, so that saying it again, in any order and after
 * any crash, is harmless. The switch chooses the ports; media only binds them.
 */
export const MEDIA_PROTOCOL_VERSION = 1;

/** How one direction of audio is coded. `name` is upper case: PCMU, PCMA, G729, opus as in the rtpmap. */
export interface AudioFormat {
  readonly payloadType: number;
  readonly name: string;
  /** RTP clock rate in Hz. */
  readonly clockRate: number;
  /** Packet time in milliseconds. */
  readonly packetTime: number;
  /** Payload type of telephone-event (RFC 4733), or null. */
  readonly telephoneEvent: number | null;
}

export type PlaySource =
  /** FreeSWITCH's TGML: `%(on,off,f1[,f2])`, `v=`, `l=`; see docs. */
  { readonly kind: 'tone'; readonly script: string } | { readonly kind: 'file'; readonly path: string };

/** What happens with what the endpoint receives, and what it sends. */
export type EndpointMode =
  /** Nothing is sent; what arrives is counted. */
  | { readonly kind: 'idle' }
  /** Sent on through the partner endpoint, byte for byte where both formats allow, else A-law/µ-law or payload type mapped. */
  | { readonly kind: 'relay'; readonly partner: string }
  /** Sent back. */
  | { readonly kind: 'echo' }
  | { readonly kind: 'conference'; readonly room: string; readonly memberId: number; readonly muted: boolean; readonly deaf: boolean }
  /** Plays from `position` (milliseconds); `loops` −1 is endless. `playId` names this playback in `played`. */
  | { readonly kind: 'play'; readonly playId: string; readonly source: PlaySource; readonly loops: number; readonly position: number };

/** Everything an endpoint (one audio stream of one leg) shall be. */
export interface EndpointState {
  /** `<leg uuid>` for audio. At most 64 characters. */
  readonly id: string;
  readonly localIp: string;
  /** RTP port; RTCP is on the next one. */
  readonly localPort: number;
  /** Where SDP says the peer listens; null until known. Symmetric RTP replaces it by the source that packets come from. */
  readonly remote: Address | null;
  /** RTCP address from SDP (`a=rtcp`), or null for remote port + 1. */
  readonly remoteRtcp: Address | null;
  /** A source learned before (from the store), used at once after a recovery; null when none. */
  readonly learned: Address | null;
  /** What we send. null until negotiated. */
  readonly format: AudioFormat | null;
  /** SSRC of the stream that we make ourselves (echo, conference, playback); a relay keeps the peers' own. */
  readonly ssrc: number;
  /** RFC 3264 direction from our side: may we send to the peer / do we listen to it. */
  readonly send: boolean;
  readonly receive: boolean;
  /** No packet for so many milliseconds → `timeout` event; 0 = never. */
  readonly rtpTimeout: number;
  readonly mode: EndpointMode;
}

export interface EndpointReport {
  readonly state: EndpointState;
  readonly learned: Address | null;
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly packetsOut: number;
  readonly bytesOut: number;
  /** Packets whose source was neither signalled nor learned, or that were not RTP. */
  readonly dropped: number;
  /** Wall clock microseconds of the first and last packet of this media process' life; 0 = none yet. */
  readonly firstInAt: number;
  readonly lastInAt: number;
  readonly firstOutAt: number;
  readonly lastOutAt: number;
  /** Restored from the journal at start, and when the port was open again (wall microseconds; 0 = not restored). */
  readonly restoredAt: number;
  /** Last inbound packet before the crash, from the journal (wall microseconds, ±100 ms); 0 = unknown. */
  readonly lastInBeforeCrash: number;
  /** Why the port is not open after a restore, as a system error name (EADDRINUSE); absent when it is open. */
  readonly failure?: string;
}

/** Requests carry a `request` number that the reply repeats. */
export type MediaCommand =
  | { readonly kind: 'hello'; readonly request: number; readonly version: number }
  /** Creates or changes endpoints. Answered by `done`, with the ids that failed. */
  | { readonly kind: 'set'; readonly request: number; readonly endpoints: readonly EndpointState[] }
  | { readonly kind: 'close'; readonly request: number; readonly ids: readonly string[] }
  /** Reports of the given endpoints, or of all of them. */
  | { readonly kind: 'list'; readonly request: number; readonly ids: readonly string[] | null }
  /** Sends RFC 4733 digits. */
  | {
      readonly kind: 'sendDtmf';
      readonly request: number;
      readonly id: string;
      readonly digits: string;
      readonly durationMilliseconds: number;
    };

export type MediaReply =
  | {
      readonly kind: 'hello';
      readonly request: number;
      readonly version: number;
      readonly pid: number;
      /** Changes with each life of the media process. */
      readonly runtime: string;
      readonly startedAt: number;
    }
  | {
      readonly kind: 'done';
      readonly request: number;
      readonly failed: readonly { readonly id: string; readonly code: string; readonly message: string }[];
    }
  | { readonly kind: 'report'; readonly request: number; readonly endpoints: readonly EndpointReport[] };

/** Unasked, to every connected switch. */
export type MediaEvent =
  /** Symmetric RTP learned or changed the peer's source. */
  | { readonly kind: 'learned'; readonly id: string; readonly source: Address }
  | {
      readonly kind: 'dtmf';
      readonly id: string;
      readonly digit: string;
      readonly durationMilliseconds: number;
      readonly ssrc: number;
      readonly timestamp: number;
    }
  | { readonly kind: 'timeout'; readonly id: string }
  | { readonly kind: 'played'; readonly id: string; readonly playId: string }
  /** Who holds the floor of a room (loudest speaker), null when nobody. */
  | { readonly kind: 'floor'; readonly room: string; readonly memberId: number | null };

export type MediaMessage = MediaReply | MediaEvent;
