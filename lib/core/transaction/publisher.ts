import { TopicFullError } from '../message/errors.js';
import { messageIdOf } from '../message/frame.js';
import type { SharedAcks } from '../producer/wanted-acks.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { AppendEntry, AppendResult } from '../store/message-log.js';
import type { PublishReply, ResolveReply, TransactionId } from '../store/half-message-store.js';
import type { HalfRoom } from './half-room.js';
import type { HalfPlace } from './half-place.js';
import type { HalfSender, SentHalf } from './half-sender.js';
import { type KeptMessage, type QueueRun, runsOf } from './kept-message.js';
import type { Moved, MovedMessages } from './moved-messages.js';
import type { TransactionFacts } from './transaction-facts.js';
import { type Answer, Callbacks, passOn } from './turn-batch.js';

export interface PublisherOptions {
  sender: HalfSender;
  room: HalfRoom;
  moved: MovedMessages;
  events: Events;
  logger: Logger;
  checkAfterMs: number;
}

class Half implements SentHalf {
  readonly id: TransactionId;
  readonly name: string;
  readonly entries: readonly AppendEntry[];
  readonly checkAfterMs: number;
  readonly acks: SharedAcks | undefined;

  constructor({ id, owner }: TransactionFacts, run: QueueRun, checkAfterMs: number) {
    this.id = id;
    this.name = owner.name;
    this.entries = run.entries;
    this.checkAfterMs = checkAfterMs;
    this.acks = run.acks;
  }
}

/** A class, since it lives until the answer: decision 19. */
class CommitAnswer implements Answer<ResolveReply> {
  constructor(
    private readonly publisher: Publisher,
    readonly over: Answer<void>,
    readonly facts: TransactionFacts,
    readonly run: QueueRun,
  ) {}

  resolve(reply: ResolveReply): void {
    this.publisher.committed(reply, this);
  }

  reject(error: unknown): void {
    this.over.reject(error);
  }
}

/** Makes the messages of committed transactions visible: each once, whoever tries, and however often. */
export class Publisher {
  private readonly options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  place({ owner }: TransactionFacts, { topic, queue, generation }: QueueRun): HalfPlace {
    return { topic, queue, generation, owner };
  }

  half(facts: TransactionFacts, run: QueueRun): SentHalf {
    return new Half(facts, run, this.options.checkAfterMs);
  }

  /**
   * What was prepared becomes visible. A half the store lost is published from here, where it is still known. No acks are
   * waited for: while the append can be lost the half cannot, and whoever finds it asks the database (decision 30).
   *
   * @throws StoreUnavailableError the back-check completes it.
   */
  commit(facts: TransactionFacts, run: QueueRun): Promise<void> {
    return new Promise((resolve, reject) =>
      this.commitFor(new Callbacks(resolve, reject), facts, run),
    );
  }

  /** As `commit`, without a promise. */
  commitFor(over: Answer<void>, facts: TransactionFacts, run: QueueRun): void {
    const answer = new CommitAnswer(this, over, facts, run);
    const half = { id: facts.id, entries: run.entries };
    this.options.sender.commitFor(answer, this.place(facts, run), half);
  }

  /** @internal What the store said to a commit. */
  committed(
    reply: ResolveReply,
    { over, facts, run }: Pick<CommitAnswer, 'over' | 'facts' | 'run'>,
  ): void {
    if (reply.state === 'unknown') return passOn(this.publishRun(facts, run), over);
    if (reply.state === 'committed') this.tell(run, reply.results);
    else this.alarmRolledBack(facts, run);
    over.resolve();
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
      ...topics.map((topic) => {
        const own = homeless.filter((message) => message.topic === topic);
        return this.publishAnew({ facts, topic, from: topic, messages: own, moves: 0 });
      }),
    ]);
  }

  private async publishRun(facts: TransactionFacts, run: QueueRun, moves = 0): Promise<void> {
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
          { topic, messageId: messageIdOf(messages[0]!.entry.frame) },
        );
      case 'moved': {
        const from = `${topic}/${queue}/${generation}`;
        await this.publishAnew({ facts, topic, from, messages, moves });
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

  private async publishAnew(moved: Moved): Promise<void> {
    const { facts, runs, moves } = await this.options.moved.place(moved);
    await allEnded(runs.map((run) => this.publishRun(facts, run, moves)));
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
        messageId: messageIdOf(entry.frame),
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

/** @throws the first error, once all have ended. */
async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(work);
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}
