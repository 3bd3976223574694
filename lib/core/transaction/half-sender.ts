import { acksTime, type SharedAcks } from '../producer/wanted-acks.js';
import type { Clock } from '../runtime/clock.js';
import type {
  ExtendReply,
  HalfMessages,
  HalfMessageStore,
  PrepareReply,
  PublishReply,
  Resolved,
  ResolveReply,
  TransactionId,
} from '../store/half-message-store.js';
import type { AcksWanted, AppendEntry } from '../store/message-log.js';
import type { QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';
import { AnswerPace } from './answer-pace.js';
import { CheckList } from './check-list.js';
import { type HalfPlace, type PlaceInUse, PlacesInUse } from './half-place.js';
import { patientCall } from './patient-call.js';
import { ReleaseNotes } from './release-notes.js';
import { type Answer, Callbacks, TurnBatch, type TurnTimes } from './turn-batch.js';

export interface HalfSenderOptions {
  halves: HalfMessageStore;
  clock: Clock;
  storeTime: StoreTime;
  /** Messages of the queue will be released at `at` (Unix ms by the store's clock). Called before they are scheduled. */
  noteRelease(queue: QueueRef, at: number): void;
  onError(error: unknown): void;
}

/** What travels to the store about a half. */
export interface SentHalf extends HalfMessages {
  /** How far it must be stored before that is answered; undefined: the memory of one server. */
  readonly acks?: SharedAcks | undefined;
}

/** What its commit needs to know. */
type CommittedHalf = Pick<SentHalf, 'id' | 'entries' | 'acks'>;

/** How long a commit is repeated before it is left to the back-check. */
const PATIENT_COMMIT = { patienceMs: 2_000 };
/** How long messages that are published are waited for where nobody said how long. */
const PUBLISHED_WITHIN_MS = 5_000;

/**
 * The way of half messages to the store: what one turn of the event loop asks of one queue travels in one call for each
 * kind of move, and a lost reply is asked for again.
 */
export class HalfSender {
  private readonly options: HalfSenderOptions;
  private readonly list: CheckList;
  private readonly notes: ReleaseNotes;
  private readonly prepares: TurnBatch<PlaceInUse, HalfMessages, PrepareReply>;
  private readonly commits: TurnBatch<PlaceInUse, TransactionId, ResolveReply>;
  private readonly rollbacks: TurnBatch<
    PlaceInUse,
    TransactionId,
    { id: TransactionId } & Resolved
  >;
  private readonly publishes: TurnBatch<PlaceInUse, HalfMessages, PublishReply>;
  private readonly extensions: TurnBatch<PlaceInUse, { id: string; afterMs: number }, ExtendReply>;
  private readonly places = new PlacesInUse();

  constructor(options: HalfSenderOptions) {
    this.options = options;
    const { halves } = options;
    this.list = new CheckList(options);
    this.notes = new ReleaseNotes(options);
    this.prepares = new TurnBatch(
      (queue, some, times) =>
        this.repeatedly(queue, times, async (acks) => {
          await this.list.beOn(queue, some[0]!.checkAfterMs);
          return halves.prepare({ ...queue, halves: some, acks });
        }),
      new AnswerPace(),
    );
    this.commits = new TurnBatch((queue, ids, times) =>
      this.repeatedly(queue, times, (acks) =>
        halves.commit(acks ? { ...queue, acks } : queue, ids),
      ),
    );
    this.rollbacks = new TurnBatch((queue, ids) => halves.rollback(queue, ids));
    this.publishes = new TurnBatch((queue, some, times) => {
      const publish = (acks?: AcksWanted): Promise<PublishReply[]> =>
        halves.publish({ ...queue, halves: some, acks });
      return times.patienceMs === 0 ? publish() : this.repeatedly(queue, times, publish);
    });
    this.extensions = new TurnBatch((queue, items) =>
      halves.extend(
        queue,
        items.map((item) => ({ ...item, answered: false })),
      ),
    );
  }

  /**
   * Store a half, once its queue is listed for those who check. Safe to repeat.
   *
   * @throws after `timeoutMs`, or the longest one of those who ask for the same place in the same turn: StoreRefusedError, it was
   *   not stored; StoreUnavailableError, nobody knows. At once what time does not heal, e.g. a store that is out of memory.
   *   AcksMissedError once the time that its `acks` name is over: it is stored, and not that far.
   */
  prepare(place: HalfPlace, half: SentHalf, timeoutMs: number): Promise<PrepareReply> {
    return new Promise((resolve, reject) =>
      this.prepareFor(new Callbacks(resolve, reject), place, half, timeoutMs),
    );
  }

  /** As `prepare`, without a promise. */
  prepareFor(
    answer: Answer<PrepareReply>,
    place: HalfPlace,
    half: SentHalf,
    timeoutMs: number,
  ): void {
    const { acks } = half;
    const weight = { bytes: bytesOf(half), patienceMs: timeoutMs, acksMs: acksMsOf(acks) };
    this.prepares.put(this.places.of(place, acks), half, weight, answer);
  }

  /**
   * Make a half visible. Safe to repeat.
   *
   * @throws when it could not be done for a while: the back-check will do it. AcksMissedError: it is visible, and not stored as
   *   far as its `acks` say; a server that fails now may bring back the half, which is then checked again.
   */
  commit(place: HalfPlace, half: CommittedHalf): Promise<ResolveReply> {
    return new Promise((resolve, reject) =>
      this.commitFor(new Callbacks(resolve, reject), place, half),
    );
  }

  /** As `commit`, without a promise. */
  commitFor(
    answer: Answer<ResolveReply>,
    place: HalfPlace,
    { id, entries, acks }: CommittedHalf,
  ): void {
    const times = acks ? patientCommit(acks) : PATIENT_COMMIT;
    this.commits.put(this.places.of(place, acks), id, times, this.noted(place, entries, answer));
  }

  /** Drop a half, and refuse it if it arrives later. Safe to repeat. Tried once. */
  rollback(place: HalfPlace, id: TransactionId): Promise<Resolved> {
    return this.rollbacks.ask(this.places.of(place), id);
  }

  /**
   * Append messages of a transaction that is known to be committed. Safe to repeat. Tried once, or for `patienceMs`; with
   * `acks` always for a while.
   *
   * @throws as `prepare`.
   */
  publish(place: HalfPlace, half: SentHalf, patienceMs = 0): Promise<PublishReply> {
    const { acks } = half;
    const times = {
      bytes: bytesOf(half),
      patienceMs: acks ? patienceMs || PUBLISHED_WITHIN_MS : patienceMs,
      acksMs: acksMsOf(acks),
    };
    return new Promise((resolve, reject) => {
      const answer = this.noted(place, half.entries, new Callbacks<PublishReply>(resolve, reject));
      this.publishes.put(this.places.of(place, acks), half, times, answer);
    });
  }

  /** Its owner is still at work: ask nobody before `afterMs` from now. Safe to repeat. Tried once. */
  extend(place: HalfPlace, id: TransactionId, afterMs: number): Promise<ExtendReply> {
    return this.extensions.ask(this.places.of(place), { id, afterMs });
  }

  /** The store may have forgotten what it was told last: those who check must find the halves that it has, or takes from now on. */
  listAgain(): void {
    this.list.again();
  }

  /** Nothing is listed again any more. */
  close(): void {
    this.list.close();
  }

  /** Tells of what it scheduled, once it is there. */
  private noted<Reply extends ResolveReply | PublishReply>(
    queue: QueueRef,
    entries: readonly AppendEntry[],
    answer: Answer<Reply>,
  ): Answer<Reply> {
    if (!entries.some(({ due }) => due)) return answer;
    const notedAt = this.notes.before(
      queue,
      entries.map(({ due }) => due),
    );
    const resolve = (reply: Reply): void => {
      this.notes.after(queue, reply, notedAt);
      answer.resolve(reply);
    };
    return new Callbacks(resolve, (error) => answer.reject(error));
  }

  private repeatedly<T>(
    { need }: PlaceInUse,
    { patienceMs, acksMs }: TurnTimes,
    ask: (acks: AcksWanted | undefined) => Promise<T>,
  ): Promise<T> {
    return patientCall({
      ...{ clock: this.options.clock, patienceMs },
      ask: (leftMs) => ask(need && { ...need, timeoutMs: Math.min(acksMs, acksTime(leftMs)) }),
    });
  }
}

/** How long it may take until it is stored so far; the call may end it earlier. */
function acksMsOf(acks: SharedAcks | undefined): number {
  return acks ? (acks.timeoutMs ?? Infinity) : 0;
}

/** Not shorter than what was said of its acks. */
function patientCommit(acks: SharedAcks): TurnTimes {
  const { timeoutMs = 0 } = acks;
  const patienceMs = PATIENT_COMMIT.patienceMs + timeoutMs;
  return { patienceMs, acksMs: acksMsOf(acks) };
}

function bytesOf({ entries }: HalfMessages): number {
  let bytes = 0;
  for (const { frame } of entries) bytes += frame.length;
  return bytes;
}
