import { SendFailedError, TopicFullError } from '../message/errors.js';
import { messageIdOf } from '../message/frame.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { PrepareReply } from '../store/half-message-store.js';
import type { HalfRoom } from './half-room.js';
import type { HalfSender } from './half-sender.js';
import { type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import type { Publisher } from './publisher.js';
import type { TransactionFacts } from './transaction-facts.js';
import type { TransactionSettings } from './transaction-settings.js';
import { type Answer, passOn } from './turn-batch.js';

type FullReply = Extract<PrepareReply, { state: 'full' }>;

export interface PreparationTools {
  sender: HalfSender;
  room: HalfRoom;
  publisher: Publisher;
  topics: TopicDirectory;
  settings: TransactionSettings;
}

const NONE: readonly QueueRun[] = [];

/** Of the only half of a transaction. A class, since it lives until the answer: decision 19. */
class OnlyAnswer implements Answer<PrepareReply> {
  constructor(
    private readonly preparation: Preparation,
    private readonly run: QueueRun,
    private readonly over: Answer<void>,
  ) {}

  resolve(reply: PrepareReply): void {
    if (reply.state === 'prepared') this.over.resolve();
    else passOn(this.preparation.settleOnly(this.run, reply), this.over);
  }

  reject(error: unknown): void {
    this.over.reject(error);
  }
}

/** Has the store take the messages of one transaction, one half for each queue, also where a topic is full or has changed. */
export class Preparation {
  private readonly facts: TransactionFacts;
  private readonly tools: PreparationTools;
  private kept: readonly KeptMessage[];
  private runs: readonly QueueRun[] = NONE;

  constructor(options: {
    facts: TransactionFacts;
    messages: readonly KeptMessage[];
    tools: PreparationTools;
  }) {
    this.facts = options.facts;
    this.kept = options.messages;
    this.tools = options.tools;
  }

  /** Where they belong as far as is known now. */
  get messages(): readonly KeptMessage[] {
    return this.kept;
  }

  /** What the store was asked to keep, and did not refuse. */
  get asked(): readonly QueueRun[] {
    return this.runs;
  }

  /** `over` hears why the store did not take all of them. */
  prepare(over: Answer<void>): void {
    const homeless = this.kept.find(({ place }) => !place);
    if (homeless) return over.reject(notTaken(homeless, 'the topic could not be looked up'));
    const runs = runsOf(this.kept);
    const [only] = runs;
    if (only && runs.length === 1) return this.prepareOnly(only, over);
    passOn(
      this.prepareRuns(runs).then((moved) =>
        moved.length > 0 ? this.prepareAnew(moved) : undefined,
      ),
      over,
    );
  }

  /** As `prepare`. No promises where there is nothing else to do. */
  private prepareOnly(run: QueueRun, over: Answer<void>): void {
    // No literal: decision 19.
    this.runs = Array.of(run);
    const { publisher, sender, settings } = this.tools;
    const [place, half] = [publisher.place(this.facts, run), publisher.half(this.facts, run)];
    const answer = new OnlyAnswer(this, run, over);
    sender.prepareFor(answer, place, half, settings.halfTimeoutMs);
  }

  /** @internal The only run was not simply taken. */
  async settleOnly(run: QueueRun, reply: PrepareReply): Promise<void> {
    const isTaken = await this.answered(run, reply);
    if (!isTaken) await this.prepareAnew([run]);
  }

  /** @returns those whose topic has changed: nothing of them is stored. */
  private async prepareRuns(runs: readonly QueueRun[]): Promise<QueueRun[]> {
    const taken = await Promise.all(runs.map((run) => this.prepareRun(run)));
    return runs.filter((_, i) => !taken[i]);
  }

  /**
   * Messages whose topic has changed meanwhile, in their new queues. A queue has one half of a transaction, so what comes to
   * one that has it already goes by the outbox, from where it was placed first: there it would be taken for that half.
   */
  private async prepareAnew(moved: readonly QueueRun[]): Promise<void> {
    const { facts, tools } = this;
    const topics = [...new Set(moved.map(({ topic }) => topic))];
    const infos = await Promise.all(topics.map((topic) => tools.topics.refresh(topic)));
    const anew = new Map<KeptMessage, KeptMessage>();
    for (const { topic, messages } of moved) {
      const info = infos[topics.indexOf(topic)]!;
      for (const message of messages) anew.set(message, placed(message, info, facts.id));
    }
    const runs = runsOf([...anew.values()]);
    const taken = runs.find((run) => this.hasAsked(run));
    if (taken)
      throw notTaken(taken.messages[0]!, 'its new queue has other messages of the transaction');
    this.kept = this.kept.map((message) => anew.get(message) ?? message);
    const left = await this.prepareRuns(runs);
    if (left.length > 0) throw notTaken(left[0]!.messages[0]!, 'the topic is changing');
  }

  private hasAsked({ topic, queue }: QueueRun): boolean {
    return this.runs.some((one) => one.topic === topic && one.queue === queue);
  }

  /** @returns false when the topic has changed. */
  private prepareRun(run: QueueRun): Promise<boolean> {
    this.runs = this.runs.concat(run);
    return this.ask(run).then((reply) => this.answered(run, reply));
  }

  private async answered(run: QueueRun, reply: PrepareReply): Promise<boolean> {
    if (reply.state === 'prepared') return true;
    return reply.state === 'full' ? this.makeRoom(run, reply) : this.refused(run, reply.state);
  }

  private ask(run: QueueRun): Promise<PrepareReply> {
    const { facts, tools } = this;
    const { sender, publisher, settings } = tools;
    const [place, half] = [publisher.place(facts, run), publisher.half(facts, run)];
    return sender.prepare(place, half, settings.halfTimeoutMs);
  }

  private async makeRoom(run: QueueRun, full: FullReply): Promise<boolean> {
    const { room, settings } = this.tools;
    const patienceMs = settings.halfTimeoutMs;
    const { state } = await room.answer<PrepareReply>(full, {
      run,
      ask: () => this.ask(run),
      patienceMs,
    });
    return state === 'prepared' || this.refused(run, state);
  }

  private refused(run: QueueRun, state: Exclude<PrepareReply['state'], 'prepared'>): false {
    const { facts } = this;
    const [first] = run.messages;
    switch (state) {
      case 'moved':
        this.runs = this.runs.filter((one) => one !== run);
        return false;
      case 'full':
        throw new TopicFullError(
          `Topic "${run.topic}" queue ${run.queue} is full (its maxLength is reached). Transaction ${facts.id} was rolled back; consume or raise maxLength, then repeat it.`,
          { topic: run.topic, messageId: messageIdOf(first!.entry.frame) },
        );
      default:
        throw notTaken(first!, `the store answered "${state}"`);
    }
  }
}

/** The transaction has to be rolled back, or its messages go another way. */
export function notTaken({ topic, entry }: KeptMessage, why: string, cause?: Error): Error {
  const messageId = messageIdOf(entry.frame);
  return new SendFailedError(
    `Message ${messageId} to topic "${topic}" was not stored: ${why}`,
    { topic, messageId },
    { cause },
  );
}
