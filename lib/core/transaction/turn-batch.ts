import { setImmediate } from 'node:timers';
import type { AnswerPace } from './answer-pace.js';

/** What belongs into one call: as much as is worth it, and no more than a server should be kept busy with. */
const MOST_ITEMS = 500;
const MOST_BYTES = 1024 * 1024;

/** The longest that one of those who asked is willing to wait. */
export interface TurnTimes {
  /** 0 = as long as one try takes. */
  readonly patienceMs: number;
  /** For acks, of that time; 0 where none are wanted. */
  readonly acksMs: number;
}

/** What an item adds to its call, and how long it may wait. */
type Weight = { bytes?: number } & Partial<TurnTimes>;

/** A call about one place. */
type TurnCall<Place, Item, Reply> = (
  place: Place,
  items: readonly Item[],
  times: TurnTimes,
) => Promise<readonly Reply[]>;

/** Who hears how it ended, once, and must not throw. */
export interface Answer<Reply> {
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** Two functions that hear it. A class since it lives until then (decision 7). */
export class Callbacks<Reply> implements Answer<Reply> {
  constructor(
    readonly resolve: (reply: Reply) => void,
    readonly reject: (error: unknown) => void,
  ) {}
}

/** `over` hears how `work` ends. */
export function passOn<Reply>(work: Promise<Reply>, over: Answer<Reply>): void {
  work.then(
    (reply) => over.resolve(reply),
    (error: unknown) => over.reject(error),
  );
}

interface Batch<Item, Reply> {
  items: Item[];
  answers: Answer<Reply>[];
  bytes: number;
  patienceMs: number;
  acksMs: number;
}

/**
 * What is asked about one place within one turn of the event loop goes there in one call, in the order it was asked. A
 * place is the same when it is the same object.
 */
export class TurnBatch<Place extends object, Item, Reply> {
  private readonly call: TurnCall<Place, Item, Reply>;
  private readonly pace: AnswerPace | undefined;
  private batches = new Map<Place, Batch<Item, Reply>>();

  /** `pace`: for answers that are followed by further calls; without, they are handed on as they come. */
  constructor(call: TurnCall<Place, Item, Reply>, pace?: AnswerPace) {
    this.call = call;
    this.pace = pace;
  }

  /** Rejects as the call does, together with the others of it. */
  ask(place: Place, item: Item, weight: Weight = {}): Promise<Reply> {
    return new Promise((resolve, reject) =>
      this.put(place, item, weight, new Callbacks(resolve, reject)),
    );
  }

  /** As `ask`, without a promise: promises are a good part of what a transaction costs (decision 19). */
  put(
    place: Place,
    item: Item,
    { bytes = 0, patienceMs = 0, acksMs = 0 }: Weight,
    answer: Answer<Reply>,
  ): void {
    const batch = this.batchFor(place);
    batch.items.push(item);
    batch.bytes += bytes;
    batch.patienceMs = Math.max(batch.patienceMs, patienceMs);
    batch.acksMs = Math.max(batch.acksMs, acksMs);
    batch.answers.push(answer);
    if (batch.items.length >= MOST_ITEMS || batch.bytes >= MOST_BYTES) {
      this.batches.delete(place);
      this.send(place, batch);
    }
  }

  private batchFor(place: Place): Batch<Item, Reply> {
    const open = this.batches.get(place);
    if (open) return open;
    // After all I/O callbacks and promises of this turn: whatever they ask is in the same call.
    if (this.batches.size === 0) setImmediate(() => this.flush());
    const batch = { items: [], answers: [], bytes: 0, patienceMs: 0, acksMs: 0 };
    this.batches.set(place, batch);
    return batch;
  }

  private flush(): void {
    const { batches } = this;
    this.batches = new Map();
    for (const [place, batch] of batches) this.send(place, batch);
  }

  private send(place: Place, batch: Batch<Item, Reply>): void {
    const { items, answers } = batch;
    // Emptied in the end: V8 may have made them in the old generation, where they would keep all of it alive (decision 7).
    const forget = (): void => {
      items.length = answers.length = 0;
    };
    const { pace } = this;
    pace?.expect(items.length);
    this.call(place, items, batch).then(
      (replies) => {
        const handOn = (from: number, to: number): void => {
          for (let i = from; i < to; i++) answers[i]!.resolve(replies[i]!);
          if (to === items.length) forget();
        };
        if (pace) pace.take(items.length, handOn);
        else handOn(0, items.length);
      },
      (error: unknown) => {
        pace?.missed(items.length);
        for (const answer of answers) answer.reject(error);
        forget();
      },
    );
  }
}
