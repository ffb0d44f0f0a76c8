import { decodeRecord, encodeRecord, MAX_RECORD_BYTES, type SavedEndpoint } from './journal-record.ts';

/** Endpoints (audio streams) that one media process serves. */
export const MAX_ENDPOINTS = 8192;

const MAGIC = 0x554e_4452;
const JOURNAL_VERSION = 1;
const HEADER_BYTES = 64;
/** magic, version, slot bytes, slots, high water. */
const HIGH_WATER_OFFSET = 16;

/**
 * A slot: 128 bytes that change with packets, then two copies of the record. The newer valid copy counts, so a
 * write cut short by SIGKILL costs that write only, never the endpoint.
 */
const HOT_BYTES = 128;
/** checksum, generation, length. */
const COPY_HEADER_BYTES = 12;
const COPY_BYTES = COPY_HEADER_BYTES + MAX_RECORD_BYTES;
const SLOT_BYTES = HOT_BYTES + 2 * COPY_BYTES;
export const JOURNAL_BYTES = HEADER_BYTES + MAX_ENDPOINTS * SLOT_BYTES;

/** In place of a copy's length while it is written; 0 = never written. */
const BEING_WRITTEN = 0xffff_ffff;

const USED = 0;
const SEQUENCE_STATE = 1;
const DTMF_SELECTOR = 2;
/** 255 = none. */
const PENDING_DIGIT = 3;
/** Two of (mark u32, timestamp u32, wall f64); SEQUENCE_STATE is 0 for none, else 1 + the valid one. */
const SEQUENCE_ENTRIES = 8;
const SEQUENCE_ENTRY_BYTES = 16;
const LAST_IN = 40;
const PLAY_POSITION = 48;
/** Two of (ssrc u32, timestamp u32); DTMF_SELECTOR as above. */
const DTMF_ENTRIES = 56;
const PENDING_SSRC = 72;
const PENDING_TIMESTAMP = 76;
const PENDING_DURATION = 80;

/** How our own stream goes on: the next sequence number is `mark`; `timestamp` was due at `wallMicroseconds`. */
export interface SequenceMark {
  readonly mark: number;
  readonly timestamp: number;
  readonly wallMicroseconds: number;
}

export interface TelephoneEventMark {
  readonly ssrc: number;
  readonly timestamp: number;
}

export interface PendingDigit extends TelephoneEventMark {
  readonly event: number;
  readonly duration: number;
}

/** One endpoint as found in the journal. */
export interface RestoredEndpoint {
  readonly slot: number;
  readonly saved: SavedEndpoint;
  readonly sequence: SequenceMark | null;
  readonly lastInWallMicroseconds: number;
  readonly playPositionMilliseconds: number;
  readonly handledDigit: TelephoneEventMark | null;
  readonly pendingDigit: PendingDigit | null;
}

export interface JournalContents {
  readonly endpoints: readonly RestoredEndpoint[];
  /** Records whose newest copy was cut short and whose copy before it was used. */
  readonly torn: number;
  /** Used slots with no valid copy at all; freed. */
  readonly lost: number;
}

/**
 * What `media` needs to go on after a crash, as fixed-size records over a piece of memory: a shared mapping of a file
 * (what is written survives SIGKILL at once), or an ordinary buffer in tests. `persist` is called after each change
 * that must not wait, for where the memory is not a mapping.
 */
export class Journal {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #persist: ((offset: number, length: number) => void) | null;
  readonly #free: number[] = [];
  readonly #generations: Uint32Array;
  #highWater = 0;

  constructor(bytes: Uint8Array, persist: ((offset: number, length: number) => void) | null = null) {
    if (bytes.length < JOURNAL_BYTES) throw new RangeError(`a journal needs ${JOURNAL_BYTES} bytes`);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#persist = persist;
    this.#generations = new Uint32Array(MAX_ENDPOINTS);
    const view = this.#view;
    const known =
      view.getUint32(0) === MAGIC &&
      view.getUint32(4) === JOURNAL_VERSION &&
      view.getUint32(8) === SLOT_BYTES &&
      view.getUint32(12) === MAX_ENDPOINTS;
    if (known) {
      this.#highWater = Math.min(view.getUint32(HIGH_WATER_OFFSET), MAX_ENDPOINTS);
    } else {
      view.setUint32(4, JOURNAL_VERSION);
      view.setUint32(8, SLOT_BYTES);
      view.setUint32(12, MAX_ENDPOINTS);
      view.setUint32(HIGH_WATER_OFFSET, 0);
      view.setUint32(0, MAGIC);
      this.#persist?.(0, HEADER_BYTES);
    }
  }

  /** Reads everything back; call once, before anything is allocated. */
  load(): JournalContents {
    const endpoints: RestoredEndpoint[] = [];
    const ids = new Set<string>();
    let torn = 0;
    let lost = 0;
    for (let slot = this.#highWater - 1; slot >= 0; slot--) {
      if (this.#bytes[this.#at(slot)] !== 1) {
        this.#free.push(slot);
        continue;
      }
      const first = this.#readCopy(slot, 0);
      const second = this.#readCopy(slot, 1);
      if (first === 'torn' || second === 'torn') torn++;
      const left = first === 'torn' ? null : first;
      const right = second === 'torn' ? null : second;
      const best = left !== null && (right === null || ((left.generation - right.generation) | 0) > 0) ? left : right;
      if (best === null || ids.has(best.saved.state.id)) {
        lost++;
        this.free(slot);
        continue;
      }
      ids.add(best.saved.state.id);
      this.#generations[slot] = best.generation;
      endpoints.push(this.#restore(slot, best.saved));
    }
    return { endpoints: endpoints.reverse(), torn, lost };
  }

  /** A slot for a new endpoint, or −1 when all are taken. It counts as used from the first `write` on. */
  allocate(): number {
    const again = this.#free.pop();
    if (again === undefined && this.#highWater >= MAX_ENDPOINTS) return -1;
    const slot = again ?? this.#highWater;
    const at = this.#at(slot);
    this.#bytes[at + USED] = 0;
    this.#bytes.fill(0, at + 1, at + HOT_BYTES);
    this.#bytes[at + PENDING_DIGIT] = 255;
    this.#view.setUint32(at + HOT_BYTES + 8, 0);
    this.#view.setUint32(at + HOT_BYTES + COPY_BYTES + 8, 0);
    this.#generations[slot] = 0;
    if (again === undefined) {
      this.#highWater = slot + 1;
      this.#view.setUint32(HIGH_WATER_OFFSET, this.#highWater);
      this.#persist?.(0, HEADER_BYTES);
    }
    return slot;
  }

  free(slot: number): void {
    this.#bytes[this.#at(slot) + USED] = 0;
    this.#free.push(slot);
    this.#persist?.(this.#at(slot), 1);
  }

  /** Writes what changes rarely. Throws `RangeError` when it does not fit; the record before it stays valid then. */
  write(slot: number, saved: SavedEndpoint): void {
    const generation = ((this.#generations[slot] ?? 0) + 1) >>> 0;
    const at = this.#at(slot) + HOT_BYTES + (generation & 1) * COPY_BYTES;
    const view = this.#view;
    view.setUint32(at + 8, BEING_WRITTEN);
    const length = encodeRecord(saved, this.#bytes, at + COPY_HEADER_BYTES);
    view.setUint32(at + 4, generation);
    view.setUint32(at, checksum(this.#bytes, at + COPY_HEADER_BYTES, length, generation));
    view.setUint32(at + 8, length);
    this.#generations[slot] = generation;
    this.#bytes[this.#at(slot) + USED] = 1;
    this.#persist?.(this.#at(slot), SLOT_BYTES);
  }

  /** Where our own stream goes on. */
  writeSequence(slot: number, mark: number, timestamp: number, wallMicroseconds: number): void {
    const at = this.#at(slot);
    const next = this.#bytes[at + SEQUENCE_STATE] === 1 ? 1 : 0;
    const entry = at + SEQUENCE_ENTRIES + next * SEQUENCE_ENTRY_BYTES;
    this.#view.setUint32(entry, mark);
    this.#view.setUint32(entry + 4, timestamp);
    this.#view.setFloat64(entry + 8, wallMicroseconds);
    this.#bytes[at + SEQUENCE_STATE] = next + 1;
    this.#persist?.(at, HOT_BYTES);
  }

  clearSequence(slot: number): void {
    this.#bytes[this.#at(slot) + SEQUENCE_STATE] = 0;
  }

  writeLastIn(slot: number, wallMicroseconds: number): void {
    this.#view.setFloat64(this.#at(slot) + LAST_IN, wallMicroseconds);
  }

  writePlayPosition(slot: number, milliseconds: number): void {
    this.#view.setFloat64(this.#at(slot) + PLAY_POSITION, milliseconds);
  }

  /** Call after the digit has been told: the pending one is forgotten with it. */
  writeHandledDigit(slot: number, ssrc: number, timestamp: number): void {
    const at = this.#at(slot);
    const next = this.#bytes[at + DTMF_SELECTOR] === 1 ? 1 : 0;
    this.#view.setUint32(at + DTMF_ENTRIES + next * 8, ssrc);
    this.#view.setUint32(at + DTMF_ENTRIES + next * 8 + 4, timestamp);
    this.#bytes[at + DTMF_SELECTOR] = next + 1;
    this.#bytes[at + PENDING_DIGIT] = 255;
    this.#persist?.(at, HOT_BYTES);
  }

  writePendingDigit(slot: number, event: number, ssrc: number, timestamp: number, duration: number): void {
    const at = this.#at(slot);
    this.#view.setUint32(at + PENDING_SSRC, ssrc);
    this.#view.setUint32(at + PENDING_TIMESTAMP, timestamp);
    this.#view.setUint32(at + PENDING_DURATION, duration);
    this.#bytes[at + PENDING_DIGIT] = event;
  }

  /** Writes out what changed with packets, where the memory is not a mapping. */
  persistAll(): void {
    this.#persist?.(0, HEADER_BYTES + this.#highWater * SLOT_BYTES);
  }

  #restore(slot: number, saved: SavedEndpoint): RestoredEndpoint {
    const at = this.#at(slot);
    const view = this.#view;
    const sequenceState = this.#bytes[at + SEQUENCE_STATE] ?? 0;
    const entry = at + SEQUENCE_ENTRIES + (sequenceState - 1) * SEQUENCE_ENTRY_BYTES;
    const dtmf = this.#bytes[at + DTMF_SELECTOR] ?? 0;
    const digit = at + DTMF_ENTRIES + (dtmf - 1) * 8;
    const event = this.#bytes[at + PENDING_DIGIT] ?? 255;
    return {
      slot,
      saved,
      sequence:
        sequenceState === 1 || sequenceState === 2
          ? { mark: view.getUint32(entry), timestamp: view.getUint32(entry + 4), wallMicroseconds: view.getFloat64(entry + 8) }
          : null,
      lastInWallMicroseconds: view.getFloat64(at + LAST_IN),
      playPositionMilliseconds: view.getFloat64(at + PLAY_POSITION),
      handledDigit: dtmf === 1 || dtmf === 2 ? { ssrc: view.getUint32(digit), timestamp: view.getUint32(digit + 4) } : null,
      pendingDigit:
        event === 255
          ? null
          : {
              event,
              ssrc: view.getUint32(at + PENDING_SSRC),
              timestamp: view.getUint32(at + PENDING_TIMESTAMP),
              duration: view.getUint32(at + PENDING_DURATION),
            },
    };
  }

  /** null for a copy that was never written. */
  #readCopy(slot: number, copy: number): { generation: number; saved: SavedEndpoint } | null | 'torn' {
    const at = this.#at(slot) + HOT_BYTES + copy * COPY_BYTES;
    const generation = this.#view.getUint32(at + 4);
    const length = this.#view.getUint32(at + 8);
    if (length === 0) return null;
    if (length > MAX_RECORD_BYTES) return 'torn';
    if (checksum(this.#bytes, at + COPY_HEADER_BYTES, length, generation) !== this.#view.getUint32(at)) return 'torn';
    const saved = decodeRecord(this.#bytes, at + COPY_HEADER_BYTES, length);
    return saved === null ? 'torn' : { generation, saved };
  }

  #at(slot: number): number {
    return HEADER_BYTES + slot * SLOT_BYTES;
  }
}

/** FNV-1a over the record, seeded with its generation, so that an old body under a new generation is found out. */
function checksum(bytes: Uint8Array, at: number, length: number, generation: number): number {
  let hash = (0x811c_9dc5 ^ generation) >>> 0;
  for (let index = at; index < at + length; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x0100_0193);
  return hash >>> 0;
}
