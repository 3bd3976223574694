import { AgendaLoop, type ForOthers } from '../producer/agenda-loop.js';
import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import {
  type CheckMethodBook,
  databaseAnswerer,
  methodAnswerer,
  setAnswerer,
} from './answerers.js';
import type { CheckPolicy } from './check-policy.js';
import { boardOf, type HalfOwner, ownerKey, readCheckWork, SETS } from './half-owner.js';
import { purgeInbox, purgeMarkers } from './marker-purge.js';
import type { TransactionParticipant } from './participant.js';
import { type Answerer, QueueCheck, type QueueCheckTools } from './queue-check.js';

export interface BackCheckOptions extends QueueCheckTools {
  clock: Clock;
  databases: {
    list(): readonly TransactionParticipant[];
    /** Resolves with its identity once its tables are there; can be called again after a failure. */
    ready(participant: TransactionParticipant): Promise<string>;
  };
  methods: CheckMethodBook;
  /** Whether halves of sets of messages are looked after, too. */
  sets?: boolean;
  /** Whose processes answer for transactions without a database. */
  producerGroup: string;
  /** A queue that is in use is looked at so often, at the most. */
  checkAfterMs: number;
  /** How long an inbox remembers. */
  inboxKeptMs: number;
  /** Default: 15 checks, and "rollback" by a method after 60 s. */
  policy?: Partial<CheckPolicy>;
  /**
   * How long a checker that says nothing more keeps halves from others: longer than it takes to answer. Default 15 s for
   * databases, 40 s for methods.
   */
  leaseMs?: { database: number; method: number };
  onError(error: unknown): void;
}

const DEFAULT_POLICY: CheckPolicy = { maxChecks: 15, rollbackAfterMs: 60_000 };
/** A participant answers within about 10 s, a check method is waited for 30 s. */
const DEFAULT_LEASE_MS = { database: 15_000, method: 40_000 };
/** Boards that cannot be opened yet, or that were not needed yet, are looked for so often. No call to the store. */
const OPEN_EVERY_MS = 5_000;
const POLL_MS = 1_000;
/** However long halves wait here: others may note something for sooner, with a shorter `checkAfterMs` or by hand. */
const LONGEST_POLL_MS = 5_000;
const PURGE = 'purge';
const PURGE_EVERY_MS = 600_000;
/** Who cannot answer leaves it to another process of the group, for so long at least. */
const NOT_MINE_MS = 1_000;
/** A queue stays listed so long after it was last noted: longer than a producer trusts its note (check-list.ts). */
const LISTED_MS = 120_000;

type AnswererOf = (owner: string) => Answerer | undefined;

/**
 * Finds halves whose owners did not decide them in time, and asks those who know.
 *
 * Each database, and each producer group with check methods, has a list of the queues that may hold such halves. Any
 * number of processes share it: a queue is taken by one of them at a time, and each half by one checker. While nothing
 * is due each list is asked twice in `checkAfterMs`, within bounds (`pollMs`), whatever the number of topics.
 */
export class BackCheckLoop {
  private readonly options: BackCheckOptions;
  private readonly policy: CheckPolicy;
  private readonly leaseMs: { database: number; method: number };
  private readonly opener: Loop;
  private readonly boards = new Map<string, AgendaLoop>();
  private readonly opened = new Set<TransactionParticipant>();
  /** Boards of which each queue was looked at since the clock of the store was last set back. */
  private readonly upToDate = new Set<string>();
  private setBacks = 0;
  private readonly stopping = new AbortController();
  /** Since when a queue is listed with this note; by the monotonic clock. */
  private readonly notes = new Map<string, { version: string; since: number }>();

  constructor(options: BackCheckOptions) {
    this.options = options;
    this.policy = { ...DEFAULT_POLICY, ...options.policy };
    this.leaseMs = options.leaseMs ?? DEFAULT_LEASE_MS;
    this.opener = new Loop({
      name: 'back-check',
      clock: options.clock,
      step: async () => {
        await this.openBoards();
        await this.lookAgain();
        return OPEN_EVERY_MS;
      },
      onError: options.onError,
    });
  }

  /** Databases that are not there yet join as soon as they are. */
  start(): void {
    this.opener.start();
  }

  /** Resolves when what is under way is done; what was claimed and not decided is left to others. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.opener.stop();
    await Promise.all([...this.boards.values()].map((board) => board.stop()));
  }

  private async openBoards(): Promise<void> {
    const { databases, methods, producerGroup: group, halves, logger } = this.options;
    if (this.options.sets) {
      const answerer = setAnswerer({ halves, leaseMs: this.leaseMs.database, logger });
      this.open(SETS, () => answerer);
    }
    if (methods.names.length > 0)
      this.open({ kind: 'method', group, name: '' }, (owner) => this.methodFor(owner));
    const missing = databases.list().filter((participant) => !this.opened.has(participant));
    const ends = await Promise.allSettled(missing.map((one) => this.openDatabase(one)));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private async openDatabase(participant: TransactionParticipant): Promise<void> {
    const { databases, logger, storeTime } = this.options;
    const database = await databases.ready(participant);
    this.opened.add(participant);
    const owner: HalfOwner = { kind: 'database', database, name: participant.name };
    const answerer = databaseAnswerer({
      participant,
      database,
      leaseMs: this.leaseMs.database,
      logger,
    });
    const board = this.open(owner, () => answerer, participant);
    // The first purge comes after the pause, too: processes that restart often do nothing else otherwise.
    board.note(PURGE, storeTime.now() + PURGE_EVERY_MS);
  }

  private open(
    owner: HalfOwner,
    answererOf: AnswererOf,
    participant?: TransactionParticipant,
  ): AgendaLoop {
    const { halves, clock, storeTime, onError } = this.options;
    const key = boardOf(owner);
    const open = this.boards.get(key);
    if (open) return open;
    const board = new AgendaLoop({
      agenda: halves.agenda(key),
      clock,
      storeTime,
      perform: (work, version) =>
        work === PURGE && participant
          ? this.purge(ownerKey(owner), participant)
          : this.check(answererOf, work, version),
      pollMs: () => this.pollMs(),
      onError,
    });
    this.boards.set(key, board);
    if (!this.stopping.signal.aborted) board.start();
    return board;
  }

  /**
   * Twice while a half waits: its queue is listed when that begins, and what is listed says when it is due, so it does not come
   * later. Never more than once a second; where halves wait for long, once in 5 s, or a second for each list if those are more.
   */
  private pollMs(): number {
    const longest = Math.max(LONGEST_POLL_MS, this.boards.size * POLL_MS);
    return Math.max(POLL_MS, Math.min(longest, this.options.checkAfterMs / 2));
  }

  /** Their times may be of a clock that was set back since: what is listed is looked at now. */
  private async lookAgain(): Promise<void> {
    const { halves, storeTime } = this.options;
    if (storeTime.setBacks !== this.setBacks) this.upToDate.clear();
    this.setBacks = storeTime.setBacks;
    for (const [key, board] of this.boards) {
      if (this.upToDate.has(key)) continue;
      const listed = await halves.agenda(key).list();
      for (const work of listed) if (work !== PURGE) board.note(work, storeTime.now());
      this.upToDate.add(key);
    }
  }

  private methodFor(owner: string): Answerer | undefined {
    const { methods, producerGroup: group } = this.options;
    const name = methods.names.find(
      (one) => ownerKey({ kind: 'method', group, name: one }) === owner,
    );
    return name === undefined
      ? undefined
      : methodAnswerer({ name, methods, policy: this.policy, leaseMs: this.leaseMs.method });
  }

  private async check(
    answererOf: AnswererOf,
    work: string,
    version: string,
  ): Promise<number | ForOthers | null> {
    const { storeTime } = this.options;
    const queue = readCheckWork(work);
    const answerer = queue && answererOf(queue.owner);
    if (!queue || !answerer) return { forOthersAt: storeTime.now() + NOT_MINE_MS };
    const check = new QueueCheck({ queue, answerer, tools: this.options });
    return this.nextLook(work, version, await check.run(this.stopping.signal));
  }

  /**
   * A producer that uses the queue notes it now and then, not for each half: until that note is too old to be trusted, look
   * as often as a half can fall due.
   */
  private nextLook(
    work: string,
    version: string,
    { waiting, nextCheckAt }: { waiting: number; nextCheckAt: number | null },
  ): number | null {
    const { clock, storeTime, checkAfterMs } = this.options;
    const known = this.notes.get(work);
    const note = known?.version === version ? known : { version, since: clock.monotonic() };
    const isFresh = clock.monotonic() - note.since < LISTED_MS;
    if (!isFresh && waiting === 0) {
      this.notes.delete(work);
      return null;
    }
    this.notes.set(work, note);
    const next = nextCheckAt ?? Infinity;
    return isFresh ? Math.min(next, storeTime.now() + checkAfterMs) : next;
  }

  private async purge(owner: string, participant: TransactionParticipant): Promise<number> {
    const { halves, storeTime, clock } = this.options;
    const now = Math.min(storeTime.now(), clock.now());
    const agenda = halves.agenda(owner);
    const hasVerdicts = await purgeMarkers({ participant, owner, halves, agenda, now });
    const hasEntries = await purgeInbox(participant, now - this.options.inboxKeptMs);
    const hasMore = hasVerdicts || hasEntries;
    return storeTime.now() + (hasMore ? 0 : PURGE_EVERY_MS);
  }
}
