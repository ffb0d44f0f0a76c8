import type { Address } from '../base/index.ts';
import type { SipRequest, SipResponse } from '../sip/index.ts';
import type { TimerName } from './effect.ts';

/** Everything that can happen to a call. */
export type CallInput =
  /** An INVITE outside a dialog, admitted by the profile. */
  | {
      readonly kind: 'invite';
      readonly profile: string;
      readonly key: string;
      readonly request: SipRequest;
      readonly source: Address;
      readonly user: DirectoryMatch | null;
    }
  /** A request within a dialog of ours (never ACK or CANCEL). */
  | { readonly kind: 'request'; readonly leg: string; readonly key: string; readonly request: SipRequest; readonly source: Address }
  | { readonly kind: 'acknowledge'; readonly leg: string; readonly request: SipRequest }
  /** CANCEL of the INVITE with that server transaction key; `cancelKey` is its own. */
  | { readonly kind: 'cancel'; readonly leg: string; readonly key: string; readonly cancelKey: string; readonly request: SipRequest }
  | {
      readonly kind: 'response';
      readonly leg: string;
      readonly branch: string;
      readonly method: string;
      readonly response: SipResponse;
      readonly source: Address;
    }
  | { readonly kind: 'requestTimeout'; readonly leg: string; readonly branch: string; readonly method: string }
  /** A 2xx got no ACK, or a reliable provisional no PRACK, within 64·T1. */
  | { readonly kind: 'acknowledgeTimeout'; readonly leg: string; readonly key: string; readonly reliable: boolean }
  | { readonly kind: 'mediaDone'; readonly leg: string; readonly failure: string | null }
  | { readonly kind: 'learned'; readonly leg: string; readonly source: Address }
  | { readonly kind: 'dtmf'; readonly leg: string; readonly digit: string; readonly durationMilliseconds: number }
  | { readonly kind: 'rtpTimeout'; readonly leg: string }
  | { readonly kind: 'played'; readonly leg: string; readonly playId: string }
  | { readonly kind: 'timer'; readonly leg: string; readonly name: TimerName }
  | { readonly kind: 'hangup'; readonly leg: string; readonly cause: string };

/** The authenticated directory user of an INVITE. */
export interface DirectoryMatch {
  readonly id: string;
  readonly domain: string;
  readonly variables: ReadonlyMap<string, string>;
}
