import type { SipRequest } from '../sip/index.ts';
import type { LegRecord, ServerTransactionRecord } from './record.ts';

/** A live leg: its record, and what need not survive a crash because it can be had again from the record. */
export class Leg {
  readonly record: LegRecord;
  /** Told when the leg changes; the engine collects what a step has to save. */
  onDirty: ((leg: Leg) => void) | null = null;
  #dirty = true;
  /** False while its row is not durable. */
  tracked = true;
  /** The media port is being opened, and what to do when it is; `resolve`: the next hop is being looked up. */
  opening: 'route' | 'resolve' | 'invite' | 'resume' | null = null;
  portAttempts = 0;
  /** Min-SE of a 422 to our first INVITE (RFC 4028 §7.3), seconds. */
  sessionMinimum = 0;
  /** A 2xx that waits for the PRACK of a provisional with SDP (RFC 3262 §5). */
  answerHeld = false;
  /** Requests of open server transactions, parsed. */
  readonly requests = new Map<string, SipRequest>();
  /** Branch of a request → how many challenges it and those before it have had. */
  readonly challenges = new Map<string, number>();
  /** Highest RSeq handled, by early dialog. */
  readonly reliableSeen = new Map<string, number>();
  /** Tries of the verification after a recovery; null when nothing is to be verified. */
  verifyTries: number | null = null;
  /** When the last of them began, wall microseconds. */
  verifyAskedAt = 0;

  constructor(record: LegRecord) {
    this.record = record;
  }

  /** Changed since its last save. */
  get dirty(): boolean {
    return this.#dirty;
  }

  set dirty(value: boolean) {
    this.#dirty = value;
    if (value) this.onDirty?.(this);
  }

  get uuid(): string {
    return this.record.uuid;
  }

  /** Neither hanging up nor over. */
  get up(): boolean {
    return this.record.phase !== 'ending' && this.record.phase !== 'ended';
  }

  get answered(): boolean {
    return this.record.phase === 'answered';
  }

  /** The first INVITE of an inbound leg, while it can still be answered. */
  inviteTransaction(): ServerTransactionRecord | null {
    return this.record.serverTransactions.find((transaction) => transaction.method === 'INVITE') ?? null;
  }
}
