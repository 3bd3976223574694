import type { BeginAsker, BeginReply, CompleteAsker } from '../core/store/dedup-store.js';
import type { DedupPlace } from './dedup-places.js';

/** What may be asked about a record, as the script calls it; `k` is a completion that keeps its result. */
type Kind = 'b' | 'r' | 'c' | 'k' | 'a';

interface Question {
  place: DedupPlace;
  kind: Kind;
  ms: number;
  owner: string;
  result?: Buffer | undefined;
}

/** A question about a record that waits for its answer. Classes, as everything that lives through a call (decision 7). */
export abstract class Asked {
  readonly place: DedupPlace;
  readonly kind: Kind;
  readonly ms: number;
  readonly owner: string;
  readonly result: Buffer | undefined;

  constructor({ place, kind, ms, owner, result }: Question) {
    this.place = place;
    this.kind = kind;
    this.ms = ms;
    this.owner = owner;
    this.result = result;
  }

  abstract answer(word: Buffer): void;

  abstract fail(error: unknown): void;

  /** Whether both stand in one line. */
  isAlike({ place, kind, ms, owner }: Asked): boolean {
    if (kind !== this.kind || ms !== this.ms || owner !== this.owner) return false;
    return place.field === undefined ? this.place.field === undefined : place.at === this.place.at;
  }
}

export class AskedBegin extends Asked {
  private readonly asker: BeginAsker;

  constructor(question: Question, asker: BeginAsker) {
    super(question);
    this.asker = asker;
  }

  answer(word: Buffer): void {
    this.asker.begun(beginReply(word));
  }

  fail(error: unknown): void {
    this.asker.beginFailed(error);
  }
}

export class AskedComplete extends Asked {
  private readonly asker: CompleteAsker;

  constructor(question: Question, asker: CompleteAsker) {
    super(question);
    this.asker = asker;
  }

  answer(word: Buffer): void {
    this.asker.completed(isGranted(word) ? 'completed' : 'lost');
  }

  fail(error: unknown): void {
    this.asker.completeFailed(error);
  }
}

/** Whether it was granted, for what is asked now and then. */
export class AskedGrant extends Asked {
  private readonly resolve: (isGranted: boolean) => void;
  readonly fail: (error: unknown) => void;

  constructor(
    question: Question,
    { resolve, reject }: { resolve(isGranted: boolean): void; reject(error: unknown): void },
  ) {
    super(question);
    this.resolve = resolve;
    this.fail = reject;
  }

  answer(word: Buffer): void {
    this.resolve(isGranted(word));
  }
}

/** What the script answers for all of them, mostly. */
export const GRANTED: Buffer = Buffer.from('granted');
const NEW: BeginReply = { state: 'new' };

function beginReply(word: Buffer): BeginReply {
  if (isGranted(word)) return NEW;
  const text = word.toString('latin1', 0, 5);
  return text === 'busy '
    ? { state: 'busy', leftMs: Number(word.toString('latin1', 5)) }
    : { state: 'done', result: resultOf(word.subarray(5)) };
}

function isGranted(word: Buffer): boolean {
  return word === GRANTED || word.equals(GRANTED);
}

/** As it was kept; undefined: none was. */
export function resultOf(bytes: Buffer): Buffer | undefined {
  return bytes.length === 0 ? undefined : bytes;
}
