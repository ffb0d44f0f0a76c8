export type CallKind = 'bridge' | 'echo' | 'conference';
export type Side = 'caller' | 'callee';

/** What one phone sent and heard since the last `mark` or `report`. */
export interface StreamReport {
  readonly id: number;
  readonly kind: CallKind;
  readonly side: Side;
  /** The switch's end of this stream. */
  readonly remotePort: number;
  readonly packetsOut: number;
  readonly packetsIn: number;
  /** Frames that the talking phone sent and this one never heard, by the marker (bridge and echo). */
  readonly lostFrames: number;
  /** Sequence numbers never seen (an announced jump ahead after a crash counts as well). */
  readonly lostSequenceNumbers: number;
  readonly longestSilenceMilliseconds: number;
  /** Wall milliseconds; 0 when there was no silence at all. */
  readonly longestSilenceStartedAt: number;
  readonly ssrc: number;
  readonly ssrcChanges: number;
  readonly sequenceBackward: number;
  readonly duplicates: number;
  readonly largestSequenceJump: number;
  readonly timestampBackward: number;
  /** Packets whose timestamp ran more than 200 ms ahead of real time. */
  readonly timestampAhead: number;
  readonly largestTimestampLeadMilliseconds: number;
  /** Frames that were not the sound of the expected phone. */
  readonly wrongSound: number;
  /** Silent frames (conference only). */
  readonly silentFrames: number;
  readonly wrongPayloadType: number;
  readonly wrongSource: number;
  /** A packet arrived within the last 500 ms. */
  readonly flowing: boolean;
}

export interface CallReport {
  readonly kind: CallKind;
  readonly side: Side;
  readonly number: string;
  readonly callId: string;
  readonly state: 'calling' | 'ringing' | 'answered' | 'hanging up' | 'ended' | 'failed';
  readonly endedBy: 'nobody' | 'phone' | 'switch';
  readonly status: number;
  readonly reInvitesReceived: number;
  readonly updatesReceived: number;
}

export interface FarmReport {
  /** Wall milliseconds. */
  readonly windowStartedAt: number;
  readonly windowEndedAt: number;
  readonly streams: readonly StreamReport[];
  readonly calls: readonly CallReport[];
  /** What no phone should see: wrong tags, CSeq going back, retransmitted requests given up, …; the first 200. */
  readonly anomalies: readonly string[];
  readonly anomalyCount: number;
  /** Packets heard by all phones, per bucket, since `windowStartedAt`. */
  readonly arrivals: { readonly bucketMilliseconds: number; readonly counts: readonly number[] };
  /** How late this process itself woke up at worst: below what a gap can be trusted to. */
  readonly generatorLatenessMilliseconds: number;
}

export interface DialRequest {
  readonly bridge?: number;
  readonly echo?: number;
  readonly conference?: number;
  /** Calls a second. */
  readonly rate?: number;
  /** Milliseconds that callees ring. */
  readonly ringMilliseconds?: number;
  /** Members of one conference room. */
  readonly roomSize?: number;
}

export interface HangupRequest {
  readonly side: Side;
  /** Of the calls still up, 0…1. */
  readonly fraction: number;
  readonly kind?: CallKind;
}
