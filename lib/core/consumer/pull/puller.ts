import { type StandardSchema, validated } from '../../message/topic.js';
import { ClosedError, QueueFaultedError } from '../../message/errors.js';
import type { MessageView } from '../../message/message.js';
import type { Clock } from '../../runtime/clock.js';
import type { DeliveredEntry, GroupQueue, GroupReader } from '../../store/delivery-store.js';
import { ByteBudget } from '../byte-budget.js';
import { type DispatchTools, open, type Opened } from '../dispatch.js';
import { GroupRegistration, type GroupRegistrationOptions } from '../group-registration.js';
import { describeError, type Outcome } from '../outcome.js';
import { Reporter } from '../reporter.js';
import type { RunningSubscription } from '../running-subscription.js';
import { settle } from '../settle.js';
import type { Subscription } from '../subscription.js';
import { toSettlement } from '../to-settlement.js';
import { Filling } from './filling.js';
import { LostReads } from './lost-reads.js';
import { ReaderPool } from './reader-pool.js';
import { writeReceipt } from './receipt.js';

/** A message in the hands of whoever asked for it, until its invisible duration has passed. */
export interface ReceivedMessage {
  readonly message: MessageView;
  /** Decoded, and what the schema made of it if one was given. */
  readonly body: unknown;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Settles it, in any process of the group. */
  readonly receipt: string;
}

export interface PullerOptions extends Omit<GroupRegistrationOptions, 'mode'> {
  subscription: Subscription;
  member: string;
  tools: DispatchTools;
  clock: Clock;
  /** What is in our name for longer was in a reply that got lost. */
  swallowedAfterMs: number;
  maxInHandBytes: number;
  onTrouble(doing: string, error: unknown): void;
}

export interface ReceiveCall {
  max: number;
  maxBytes: number;
  waitMs: number;
  invisibleDurationMs: number;
  /** What does not match becomes a dead letter. */
  schema?: StandardSchema;
}

/** Others may give something up meanwhile: no wait is longer before the queues are asked again. */
const LONGEST_WAIT_MS = 1_000;
const MOST_CLAIMED = 100;

type Taken = Opened & { entry: DeliveredEntry; body?: unknown };

/**
 * Hands out messages to whoever asks, instead of to a handler.
 *
 * What is handed out waits at once for its next attempt: it comes back when its invisible duration has passed, whoever
 * lives or dies. So nothing here has to be renewed, and any process may settle it with the receipt.
 */
export class Puller implements RunningSubscription {
  readonly subscription: Subscription;
  private readonly options: PullerOptions;
  private readonly registration: GroupRegistration;
  private readonly reporter: Reporter;
  /** How large messages are. */
  private readonly budget: ByteBudget;
  private readonly closing = new AbortController();
  private readonly readers: ReaderPool;
  private readonly lostReads: LostReads;
  private refs: GroupQueue[] = [];
  private turn = 0;

  constructor(options: PullerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.registration = new GroupRegistration({ ...options, mode: 'unordered' });
    this.reporter = new Reporter(options);
    this.budget = new ByteBudget({ mostBytes: options.maxInHandBytes });
    this.readers = new ReaderPool({ open: () => this.openReader() });
    this.lostReads = new LostReads({
      refs: () => this.refs,
      consumer: options.member,
      deliveries: options.stores.deliveries,
      clock: options.clock,
      swallowedAfterMs: options.swallowedAfterMs,
      onError: (error) => this.reporter.trouble('give back what was never received', error),
    });
  }

  get queues(): readonly GroupQueue[] {
    return this.refs;
  }

  get topics(): readonly string[] {
    return [this.subscription.topic];
  }

  get isStarted(): boolean {
    return this.refs.length > 0;
  }

  async join(): Promise<void> {
    await this.registration.join();
  }

  async start(): Promise<void> {
    this.refs = this.refsTo((await this.registration.join()).queues);
  }

  private refsTo(queues: number): GroupQueue[] {
    const { topic, group } = this.subscription;
    return Array.from({ length: queues }, (_, queue) => ({ topic, queue, group }));
  }

  /** Whoever wants no messages need not ask for any. */
  pause(): void {}

  resume(): void {}

  async growTo(topic: string, queues: number): Promise<void> {
    if (topic !== this.subscription.topic || queues <= this.refs.length) return;
    await this.joinAgain();
  }

  private async joinAgain(): Promise<void> {
    this.refs = this.refsTo((await this.registration.joinAgain(this.refs)).queues);
  }

  recheck(): void {
    this.lostReads.suspect();
  }

  async stop(): Promise<boolean> {
    this.closing.abort();
    this.lostReads.close();
    await this.readers.close();
    return true;
  }

  /** At most `max` messages of at most `maxBytes`, one always; waits up to `waitMs` for the first. */
  async receive(call: ReceiveCall): Promise<ReceivedMessage[]> {
    const { clock } = this.options;
    const until = clock.monotonic() + call.waitMs;
    for (;;) {
      if (this.closing.signal.aborted)
        throw new ClosedError('This process is stopping; nothing was received');
      try {
        const received = await this.attempt(call, Math.max(0, until - clock.monotonic()));
        if (received.length > 0 || clock.monotonic() >= until) return received;
      } catch (error) {
        // What the lost reply held is in our name.
        this.lostReads.suspect();
        if (!(error instanceof QueueFaultedError && error.fault === 'no-group')) throw error;
        // A topic that was made anew may have other queues.
        await this.joinAgain();
      }
    }
  }

  private async attempt(call: ReceiveCall, leftMs: number): Promise<ReceivedMessage[]> {
    const filling = new Filling({ ...call, budget: this.budget });
    const nextMs = await this.claimDue(filling);
    if (filling.wanted > 0) await this.readMore(filling, Math.min(leftMs, nextMs));
    const { kept, excess } = filling.divided();
    const taken = await Promise.all(kept.map((entry) => this.take(entry, call.schema)));
    const handed = await this.settleAll(taken, call.invisibleDurationMs);
    await this.settleAll(
      excess.map((entry) => ({ entry, message: undefined, outcome: { kind: 'not-started' } })),
      0,
    );
    return handed.map(({ entry, message, body }) => this.hand(entry, message!, body));
  }

  /** @returns when the next one is due, in milliseconds. */
  private async claimDue(filling: Filling): Promise<number> {
    const { stores, member: consumer } = this.options;
    let nextMs = LONGEST_WAIT_MS;
    for (const ref of this.refs)
      await filling.from(async (wanted) => {
        const limit = Math.min(MOST_CLAIMED, wanted);
        const reply = await stores.deliveries.claimDue(ref, { consumer, limit, suspect: true });
        if (reply.nextDueAt !== null)
          nextMs = Math.min(nextMs, Math.max(1, reply.nextDueAt - reply.now));
        return reply.entries;
      });
    return nextMs;
  }

  /** From each queue in turn; if there is nothing at all, one wait for all of them. */
  private async readMore(filling: Filling, waitMs: number): Promise<void> {
    const { signal } = this.closing;
    await this.readers.use(async (reader) => {
      const from = this.turn++;
      for (let i = 0; i < this.refs.length; i++) {
        const queues = [this.refs[(from + i) % this.refs.length]!];
        await filling.from((perQueue) => reader.read({ queues, perQueue, blockMs: 0, signal }));
      }
      if (!filling.isEmpty || waitMs < 1) return;
      const perQueue = Math.max(1, Math.floor(filling.wanted / this.refs.length));
      filling.add(await reader.read({ queues: this.refs, perQueue, blockMs: waitMs, signal }));
    });
  }

  private openReader(): GroupReader {
    const { stores, member } = this.options;
    const reader = stores.deliveries.openReader(this.subscription.group, member);
    reader.onLostReply = () => this.lostReads.suspect();
    return reader;
  }

  private async take(entry: DeliveredEntry, schema: StandardSchema | undefined): Promise<Taken> {
    const { maxAttempts } = this.subscription.retry;
    const { tools } = this.options;
    if (entry.attempt > maxAttempts && entry.content.kind === 'message')
      return refusedAs(entry, `was not acknowledged in ${entry.attempt - 1} attempts`);
    const opened = open(entry, this.subscription, tools);
    if ('outcome' in opened) return { ...opened, entry };
    try {
      const body = tools.codecs.bodyOf(opened.message);
      if (!schema) return { ...opened, entry, body };
      return { ...opened, entry, body: await validated(entry.topic, body, schema) };
    } catch (error) {
      return refusedAs(entry, describeError(error));
    }
  }

  /** Hides what is handed out, and settles the rest. @returns what is ours to hand out. */
  private async settleAll(taken: readonly Taken[], invisibleMs: number): Promise<Taken[]> {
    const { stores, member } = this.options;
    const handed: Taken[] = [];
    for (const ref of this.refs) {
      const mine = taken.filter(({ entry }) => entry.queue === ref.queue);
      if (mine.length === 0) continue;
      const items = mine.map((one) => ({
        offset: one.entry.offset,
        deliveryCount: one.entry.deliveryCount,
        settlement: this.settlementOf(one, invisibleMs),
      }));
      const replies = await stores.deliveries.settle(ref, member, items);
      mine.forEach((one, i) => {
        const reply = replies[i]!;
        if ('outcome' in one) this.report(one.entry, one.outcome, one.message, reply);
        else if (reply === 'settled') handed.push(one);
      });
    }
    return handed;
  }

  private settlementOf(taken: Taken, invisibleMs: number) {
    const { clock, member } = this.options;
    if (!('outcome' in taken)) return { kind: 'retry', delayMs: invisibleMs, history: '' } as const;
    const { outcome, entry } = taken;
    const decision = settle(outcome, entry.attempt, this.subscription.retry);
    return toSettlement(decision, { outcome, entry, consumer: member, at: clock.now() });
  }

  private report(
    entry: DeliveredEntry,
    outcome: Outcome,
    message: MessageView | undefined,
    reply: 'settled' | 'stale',
  ): void {
    const decision = settle(outcome, entry.attempt, this.subscription.retry);
    this.reporter.settled({ entry, outcome, decision, reply, message });
  }

  private hand(entry: DeliveredEntry, message: MessageView, body: unknown): ReceivedMessage {
    const { topic, queue, offset, deliveryCount, attempt } = entry;
    const { group } = this.subscription;
    const { messageId, key } = message;
    this.options.events.emit('delivered', { topic, queue, group, messageId, key, offset, attempt });
    const receipt = { topic, queue, group, offset, deliveryCount, attempt, messageId };
    return { message, body, attempt, receipt: writeReceipt(receipt) };
  }
}

function refusedAs(entry: DeliveredEntry, reason: string): Taken {
  return { entry, message: undefined, outcome: { kind: 'rejected', reason, error: undefined } };
}
