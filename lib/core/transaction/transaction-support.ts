import type { Codecs } from '../message/codecs.js';
import type { Producer } from '../producer/producer.js';
import type { ProducerSettings } from '../producer/producer-settings.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { Clock } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { MessageLog } from '../store/message-log.js';
import type { QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';
import type { Stores } from '../store/stores.js';
import { BackCheckLoop } from './back-check-loop.js';
import { CheckMethods } from './check-methods.js';
import { HalfFirst } from './half-first.js';
import { HalfRoom } from './half-room.js';
import { HalfSender } from './half-sender.js';
import { MessageSets } from './message-sets.js';
import { Participants } from './participants.js';
import { MovedMessages } from './moved-messages.js';
import { Publisher } from './publisher.js';
import type { TransactionSettings } from './transaction-settings.js';
import { Transactions } from './transactions.js';
import { UnaskedHalves } from './unasked-halves.js';

export interface TransactionSupportOptions {
  stores: Stores;
  /** One that tells when it makes room. */
  log: Pick<MessageLog, 'makeRoom'>;
  topics: TopicDirectory;
  /** Makes messages, once there is one. */
  producer(): Producer;
  codecs: Codecs;
  storeTime: StoreTime;
  clock: Clock;
  events: Events;
  logger: Logger;
  settings: { transactions: TransactionSettings; producer: ProducerSettings };
  /** Messages of the queue will be released at `at`. */
  noteRelease(queue: QueueRef, at: number): void;
  onTrouble(doing: string, error: unknown): void;
}

/** Everything about transactions, wired: with a database and without, and those who look after what was left undecided. */
export class TransactionSupport {
  readonly transactions: Transactions;
  readonly halfFirst: HalfFirst;
  readonly checks: CheckMethods;
  readonly sets: MessageSets;
  private readonly participants: Participants;
  private readonly backCheck: BackCheckLoop;
  private readonly unasked: UnaskedHalves;
  private readonly stopListing: () => void;

  constructor(options: TransactionSupportOptions) {
    const { stores, topics, storeTime, clock, events, logger, noteRelease, onTrouble } = options;
    const { transactions: settings, producer } = options.settings;
    const participants = (this.participants = new Participants(settings));
    const sender = new HalfSender({
      halves: stores.halves,
      clock,
      storeTime,
      noteRelease,
      onError: (error) => onTrouble('list a queue for the back-check', error),
    });
    const stopListening = stores.availability.onReached(() => sender.listAgain());
    this.stopListing = () => {
      stopListening();
      sender.close();
    };
    const { checkAfterMs, producerGroup } = settings;
    const room = new HalfRoom({ log: options.log, topics, clock });
    const moved = new MovedMessages({ halves: stores.halves, topics });
    const publisher = new Publisher({ sender, room, moved, events, logger, checkAfterMs });
    this.checks = new CheckMethods({ codecs: options.codecs, clock, logger });
    const limits = { messages: producer.maxBufferedMessages, bytes: producer.maxBufferedBytes };
    this.transactions = new Transactions({
      settings,
      limits,
      participants,
      sender,
      room,
      publisher,
      topics,
      availability: stores.availability,
      clock,
      events,
      logger,
    });
    this.halfFirst = new HalfFirst({
      producer: { outgoing: (...message) => options.producer().outgoing(...message) },
      sender,
      room,
      publisher,
      topics,
      checks: this.checks,
      clock,
      logger,
      onTrouble,
      settings,
      sendTimeoutMs: producer.sendTimeoutMs,
    });
    this.sets = new MessageSets({
      producer: {
        outgoing: (...message) => options.producer().outgoing(...message),
        validate: (...message) => options.producer().validate(...message),
        send: (...message) => options.producer().send(...message),
      },
      isEnlisted: () => this.transactions.enlistment() !== undefined,
      asOne: (work) => this.transactions.asOne(work),
      sender,
      publisher,
      topics,
      clock,
      events,
      logger,
      sendTimeoutMs: producer.sendTimeoutMs,
      limits,
    });
    this.backCheck = new BackCheckLoop({
      halves: stores.halves,
      databases: participants,
      methods: this.checks,
      sets: true,
      producerGroup,
      checkAfterMs,
      inboxKeptMs: settings.inboxKeptMs,
      storeTime,
      clock,
      events,
      logger,
      noteRelease,
      onError: (error) => onTrouble('ask what became of transactions', error),
    });
    this.unasked = new UnaskedHalves({
      halves: stores.halves,
      topicsInUse: () => topics.all(),
      clock,
      storeTime,
      events,
      logger,
      onError: (error) => onTrouble('look for transactions that nobody can decide', error),
    });
  }

  /** Databases are ready. @throws Error naming one that is not. */
  async prepare(): Promise<void> {
    await this.participants.allReady();
  }

  /** From now on what was left undecided is looked after. */
  start(): void {
    this.transactions.start();
    this.backCheck.start();
    this.unasked.start();
  }

  /** Check methods are not asked any more: what they need may be closing. Transactions go on. */
  async stopChecks(): Promise<void> {
    await Promise.all([this.backCheck.stop(), this.unasked.stop()]);
  }

  /** Waits for transactions that run, until `timeUp` aborts. Nothing begins any more. */
  async close(timeUp: AbortSignal): Promise<void> {
    await orAborted(this.stopChecks(), timeUp);
    await Promise.all([this.transactions.close(timeUp), this.sets.close(timeUp)]);
    this.stopListing();
  }
}
