import { createHash } from 'node:crypto';
import { StoreUnavailableError, TopicFullError } from '../message/errors.js';
import { formatMessageId, parseMessageId } from '../message/message-id.js';
import { frameMessageId } from '../message/wire-format.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { AppendEntry, AppendResult } from '../store/message-log.js';
import type { HalfMessages, PublishReply } from '../store/half-message-store.js';
import type { HalfOwner } from './half-owner.js';
import type { HalfRoom } from './half-room.js';
import type { HalfSender, HalfPlace } from './half-sender.js';
import { type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import type { TopicInfo } from '../store/topic-registry.js';
import type { TransactionId } from '../store/half-message-store.js';

export interface PublisherOptions {
  sender: HalfSender;
  room: HalfRoom;
  topics: TopicDirectory;
  events: Events;
  logger: Logger;
  checkAfterMs: number;
}

/** Whose messages, and who can say what became of them. */
export interface TransactionFacts {
  readonly id: TransactionId;
  readonly owner: HalfOwner;
}

class Half implements HalfMessages {
  constructor(
    readonly id: TransactionId,
    readonly name: string,
    readonly entries: readonly AppendEntry[],
    readonly checkAfterMs: number,
  ) {}
}

/** How often a topic may change under a message before it is left for later. */
const MOST_MOVES = 3;

/** Makes the messages of committed transactions visible: each once, whoever tries, and however often. */
export class Publisher {
  private readonly options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  place({ owner }: TransactionFacts, { topic, queue, generation }: QueueRun): HalfPlace {
    return { topic, queue, generation, owner };
  }

  half({ id, owner }: TransactionFacts, run: QueueRun): HalfMessages {
    return new Half(id, owner.name, run.entries, this.options.checkAfterMs);
  }

  /**
   * What was prepared becomes visible. A half the store lost is published from here, where it is still known.
   *
   * @throws StoreUnavailableError the back-check completes it.
   */
  commit(facts: TransactionFacts, run: QueueRun): Promise<void> {
    return this.options.sender
      .commit(this.place(facts, run), { id: facts.id, entries: run.entries })
      .then((reply) => {
        if (reply.state === 'committed') return this.tell(run, reply.results);
        if (reply.state === 'unknown') return this.publishRun(facts, run);
        this.alarmRolledBack(facts, run);
      });
  }

  /**
   * Messages whose halves are perhaps not there. Resolves when the store has each of them.
   *
   * @throws whatever keeps one of them from being stored; those of other queues are stored none the less.
   */
  async publish(facts: TransactionFacts, messages: readonly KeptMessage[]): Promise<void> {
    const homeless = messages.filter(({ place }) => !place);
    const topics = [...new Set(homeless.map(({ topic }) => topic))];
    await allEnded([
      ...runsOf(messages).map((run) => this.publishRun(facts, run)),
      ...topics.map(async (topic) => {
        const own = homeless.filter((message) => message.topic === topic);
        const info = await this.options.topics.get(topic);
        await this.publishAnew({ facts: partOf(facts, topic), messages: own, info, moves: 0 });
      }),
    ]);
  }

  private async publishRun(facts: TransactionFacts, run: QueueRun, moves = 0): Promise<void> {
    const { topics } = this.options;
    const { topic, queue, generation, messages } = run;
    const reply = await this.ask(facts, run);
    switch (reply.state) {
      case 'committed':
        return this.tell(run, reply.results);
      case 'rolled-back':
        return this.alarmRolledBack(facts, run);
      case 'full':
        throw new TopicFullError(
          `Topic "${topic}" queue ${queue} is full (its maxLength is reached); the messages of transaction ${facts.id} wait`,
          { topic, messageId: frameMessageId(messages[0]!.entry.frame) },
        );
      case 'moved': {
        if (moves === MOST_MOVES)
          throw new StoreUnavailableError(`Topic "${topic}" changes again and again`);
        const info = await topics.refresh(topic);
        const part = partOf(facts, `${topic}/${queue}/${generation}`);
        await this.publishAnew({ facts: part, messages, info, moves: moves + 1 });
      }
    }
  }

  private async ask(facts: TransactionFacts, run: QueueRun): Promise<PublishReply> {
    const { sender, room } = this.options;
    const ask = (): Promise<PublishReply> =>
      sender.publish(this.place(facts, run), this.half(facts, run));
    const reply = await ask();
    return reply.state === 'full'
      ? room.answer<PublishReply>(reply, { run, ask, patienceMs: 0 })
      : reply;
  }

  private async publishAnew(options: {
    facts: TransactionFacts;
    messages: readonly KeptMessage[];
    info: TopicInfo;
    moves: number;
  }): Promise<void> {
    const { facts, messages, info, moves } = options;
    const anew = messages.map((message) => placed(message, info, facts.id));
    await allEnded(runsOf(anew).map((run) => this.publishRun(facts, run, moves)));
  }

  tell({ topic, queue, messages }: QueueRun, results: readonly AppendResult[]): void {
    const { events } = this.options;
    if (!events.heard('published')) return;
    results.forEach(({ state }, i) => {
      const { entry, key } = messages[i]!;
      if (state !== 'stored' && state !== 'scheduled') return;
      events.emit('published', {
        topic,
        queue,
        messageId: frameMessageId(entry.frame),
        key,
        state,
      });
    });
  }

  private alarmRolledBack({ id }: TransactionFacts, { topic, queue }: QueueRun): void {
    this.options.logger.error(
      `The messages of transaction ${id} to topic "${topic}" queue ${queue} were rolled back although it was committed: an operator decided so, or the database was another one. They are not delivered.`,
    );
  }
}

/**
 * A part of a transaction that comes to a queue besides its own messages there: the store takes one run of each id in each
 * queue, and would take a second one for a repeat. Always the same id for the same part, whoever publishes it.
 */
function partOf({ id, owner }: TransactionFacts, part: string): TransactionFacts {
  const bytes = parseMessageId(id);
  createHash('sha256').update(`${id}/${part}`).digest().copy(bytes, 9, 0, 7);
  return { id: formatMessageId(bytes), owner };
}

/** @throws the first error, once all have ended. */
async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(work);
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}
