import { AcksMissedError, StoreRefusedError, StoreUnavailableError } from '../message/errors.js';
import { firstIdAt, mintedAt } from '../message/message-id.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import { Loop } from '../runtime/loop.js';
import { NO_DISK_ACKS } from '../store/message-log.js';
import type { Availability } from '../store/stores.js';
import type { HalfOwner } from './half-owner.js';
import type { KeptMessage } from './kept-message.js';
import { decodeOutboxRow } from './outbox-row.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { OutboxRow, TransactionParticipant } from './participant.js';
import type { Participants } from './participants.js';
import type { Publisher } from './publisher.js';

export interface OutboxRelayOptions {
  participant: TransactionParticipant;
  participants: Pick<Participants, 'owner'>;
  publisher: Publisher;
  availability: Availability;
  clock: Clock;
  events: Events;
  logger: Logger;
  /** Between two looks that found nothing, at most. */
  everyMs: number;
  /** Most bytes of rows in memory at a time; one row always. */
  maxBytes: number;
}

const AT_ONCE = 200;
/** Rows that are younger are left to whoever wrote them. */
const OWNERS_TIME_MS = 5_000;
const FIRST_PAUSE_MS = 1_000;
/** While rows are there that the store takes none of, as when it is out of memory: nobody tells when that is over. */
const REFUSED_PAUSE_MS = 5_000;
const OF_A_MESSAGE = new Set(['WRONGTYPE', NO_DISK_ACKS]);
/**
 * The clocks of machines differ by less. Ids of a process never go back, so one whose clock was ahead goes on with ids from
 * ahead after it was set back: nobody can tell how old such a row is, so none is left to its owner.
 */
const AHEAD_MS = 60_000;
/** After every id. */
const WHATEVER_THE_CLOCK = 2 ** 48 - 1;

/** Rows of transactions that began between, by their ids. */
interface Range {
  after?: TransactionId;
  /** Unix ms. */
  before: number;
}

/** What came of looking. */
interface Look {
  readonly seen: Set<TransactionId>;
  published: number;
  /** The store takes none. */
  isDown: boolean;
}

/**
 * Publishes what waits in a database: what was kept while the store was down, and what the process that wrote it did
 * not get to publish. Any number of processes may do it at once: rows are locked while they are published, and a
 * message that was published before is recognised by the store.
 *
 * Each database has one of its own: one that does not answer holds up no other.
 */
export class OutboxRelay {
  private readonly options: OutboxRelayOptions;
  private readonly loop: Loop;
  /** Rows that could not be published, so that each is told once. */
  private stuck = new Set<TransactionId>();
  private pauseMs = FIRST_PAUSE_MS;
  /** What this pass published was not stored as far as was asked: told once, until a pass without. */
  private isShort = false;
  private isShortTold = false;
  private isPatient = false;

  constructor(options: OutboxRelayOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'outbox',
      clock: options.clock,
      step: (signal) => this.pass(signal),
      onError: (error, failures) => this.report(error, failures),
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** The store is back: look at once, also at what was written a moment ago. */
  wake(): void {
    this.isPatient = false;
    this.loop.wake();
  }

  private async pass(signal: AbortSignal): Promise<number> {
    const { availability, clock, everyMs } = this.options;
    if (!availability.ready) return everyMs;
    const now = clock.now();
    const [old, ahead] = [now - OWNERS_TIME_MS, now + AHEAD_MS];
    const ranges: Range[] = this.isPatient
      ? [{ before: old }, { after: firstIdAt(ahead), before: WHATEVER_THE_CLOCK }]
      : [{ before: WHATEVER_THE_CLOCK }];
    this.isPatient = true;
    this.isShort = false;
    const look = { seen: new Set<TransactionId>(), published: 0, isDown: false };
    for (const range of ranges) await this.drain(range, look, signal);
    // What was too young for this look may still be there.
    const isYoung = (id: TransactionId): boolean => mintedAt(id) >= old && mintedAt(id) < ahead;
    this.stuck = new Set([...this.stuck].filter((id) => look.seen.has(id) || isYoung(id)));
    this.isShortTold = this.isShort;
    this.pauseMs = look.published > 0 ? FIRST_PAUSE_MS : this.pauseMs * 2;
    if (look.isDown) this.pauseMs = Math.min(this.pauseMs, REFUSED_PAUSE_MS);
    return Math.min(this.pauseMs, everyMs);
  }

  private async drain({ after, before }: Range, look: Look, signal: AbortSignal): Promise<void> {
    const { participant, participants, clock, maxBytes } = this.options;
    const owner = await participants.owner(participant);
    while (!look.isDown && !signal.aborted) {
      const taken = await participant.outbox.drain(
        { limit: AT_ONCE, maxBytes, before, ...(after && { after }) },
        async (rows) => {
          after = rows.at(-1)?.id;
          for (const { id } of rows) look.seen.add(id);
          const ends = await Promise.all(rows.map((row) => this.publish(row, owner)));
          look.isDown = ends.includes('down');
          const done = rows.filter((_, i) => ends[i] === 'published').map(({ id }) => id);
          look.published += done.length;
          return done;
        },
      );
      if (taken === 0) break;
      // There are more if the bytes were too many. What is new by now is its owners', who publish as fast as it is written.
      if (taken < AT_ONCE) before = Math.min(before, clock.now() - OWNERS_TIME_MS);
    }
  }

  private async publish(
    { id, bytes }: OutboxRow,
    owner: HalfOwner,
  ): Promise<'published' | 'down' | 'stuck'> {
    const { publisher } = this.options;
    try {
      const messages = decodeOutboxRow(bytes);
      await publisher.publish({ id, owner }, this.isShort ? messages.map(hurried) : messages);
      return 'published';
    } catch (error) {
      if (error instanceof AcksMissedError) {
        this.fellShort(id, owner.name, error);
        return 'stuck';
      }
      if (isOfTheWholeStore(error)) return 'down';
      this.setAside(id, owner.name, error as Error);
      return 'stuck';
    }
  }

  /** It stays in the table and is tried again with every look; others are not held up by it. */
  private setAside(id: TransactionId, participant: string, error: Error): void {
    if (this.stuck.has(id)) return;
    this.stuck.add(id);
    const { events, logger } = this.options;
    events.emit('outbox-stuck', { transactionId: id, participant, error });
    logger.error(
      `The messages of transaction ${id} in the outbox of participant "${participant}" cannot be published: ${error.message}. They stay there and are tried again; others go on.`,
    );
  }

  /** It is visible, and stays in the table: a server that fails now must not be the only one that had it. */
  private fellShort(id: TransactionId, participant: string, error: AcksMissedError): void {
    this.isShort = true;
    if (this.isShortTold) return;
    this.isShortTold = true;
    const { events, logger } = this.options;
    events.emit('outbox-stuck', { transactionId: id, participant, error });
    logger.warn(
      `The messages of transaction ${id} in the outbox of participant "${participant}" are published, but ${error.missed}. They, and others like them, stay there and are published again until that is so; others go on.`,
    );
  }

  private report(error: unknown, failures: number): void {
    // A database that is down for an hour need not fill the log.
    if (failures > 1 && failures % 60 !== 0) return;
    this.options.logger.warn(
      `Could not look into the outbox of participant "${this.options.participant.name}": ${(error as Error).message}. Trying again.`,
    );
  }
}

/** Not of this message: the next one would fare no better. */
function isOfTheWholeStore(error: unknown): boolean {
  return (
    error instanceof StoreUnavailableError ||
    (error instanceof StoreRefusedError && !OF_A_MESSAGE.has(error.reason))
  );
}

/** Replicas that are missing are waited for once in a pass, not by each of its rows. */
function hurried(message: KeptMessage): KeptMessage {
  const { acks } = message;
  return typeof acks === 'object' ? { ...message, acks: { ...acks, timeoutMs: 1 } } : message;
}
