import type { Address } from '../base/index.ts';
import type { EndpointState } from '../media/protocol.ts';
import type { SipRequest } from '../sip/index.ts';
import type { LegRecord, ServerTransactionRecord } from './record.ts';

/**
 * What a step asks of the world, in order. The executor inserts the save of every leg that the step changed before the
 * first effect a peer can notice; effects of the same call wait for it. 100 Trying waits too: a caller that has heard it
 * sends its INVITE no more, so the call must not be forgotten from then on.
 */
export type Effect =
  | {
      readonly kind: 'respond';
      readonly leg: string;
      readonly key: string;
      readonly status: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'request';
      readonly leg: string;
      readonly profile: string;
      readonly branch: string;
      readonly request: SipRequest;
      readonly bytes: Uint8Array;
      readonly destination: Address;
    }
  /** Sent without a transaction: the ACK to a 2xx. */
  | {
      readonly kind: 'datagram';
      readonly leg: string;
      readonly profile: string;
      readonly bytes: Uint8Array;
      readonly destination: Address;
    }
  /** After a crash: server and client transactions of an earlier life. */
  | {
      readonly kind: 'restoreServer';
      readonly leg: string;
      readonly profile: string;
      readonly transaction: ServerTransactionRecord;
      readonly request: SipRequest;
    }
  | {
      readonly kind: 'restoreClient';
      readonly leg: string;
      readonly profile: string;
      readonly branch: string;
      readonly request: SipRequest;
      readonly bytes: Uint8Array;
      readonly destination: Address;
      readonly provisional: number;
    }
  /** A response that must be repeated until ACK (2xx) or PRACK (reliable provisional). */
  | {
      readonly kind: 'repeatUntilAcknowledged';
      readonly leg: string;
      readonly profile: string;
      readonly key: string;
      readonly bytes: Uint8Array;
      readonly reliable: boolean;
    }
  /** Answered by the input `resolved`. */
  | { readonly kind: 'resolve'; readonly leg: string; readonly host: string; readonly port: number | null }
  | { readonly kind: 'stopRepeating'; readonly leg: string; readonly key: string }
  | { readonly kind: 'media'; readonly leg: string; readonly endpoint: EndpointState; readonly opening: boolean }
  | { readonly kind: 'sendDtmf'; readonly leg: string; readonly digits: string; readonly durationMilliseconds: number }
  | { readonly kind: 'closeMedia'; readonly leg: string }
  /** Replaces a timer of the same name; a null delay only cancels. */
  | { readonly kind: 'timer'; readonly leg: string; readonly name: TimerName; readonly delayMilliseconds: number | null }
  /** The leg is over: write its CDR, then delete its row. */
  | { readonly kind: 'end'; readonly leg: string; readonly record: LegRecord };

export type TimerName = 'application' | 'originate' | 'hangup' | 'verify' | 'session' | 'offer';
