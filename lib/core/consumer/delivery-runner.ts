import { ClosedError } from '../message/errors.js';
import type { MessageView } from '../message/message.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { DeliveredEntry, DeliveryStore, GroupQueue } from '../store/delivery-store.js';
import { Attempt } from './attempt.js';
import { type ByteBudget, bytesOf } from './byte-budget.js';
import type { Capacity } from './capacity.js';
import { type DispatchTools, dispatch, open, type Opened } from './dispatch.js';
import { HandlerTimeoutError } from './handler-errors.js';
import { InHand } from './in-hand.js';
import type { Intake } from './intake.js';
import type { Outcome } from './outcome.js';
import { Overflow } from './overflow.js';
import { PermitGate } from './per-key/permit-gate.js';
import type { Reporter } from './reporter.js';
import { settle } from './settle.js';
import { type SettleAnswer, Settler } from './settler.js';
import { Settling } from './settling.js';
import type { Subscription } from './subscription.js';
import { toSettlement } from './to-settlement.js';

export interface DeliveryRunnerOptions {
  subscription: Subscription;
  refs: readonly GroupQueue[];
  /** Name of this process in every consumer group. */
  member: string;
  deliveries: DeliveryStore;
  tools: DispatchTools;
  clock: Clock;
  intake: Intake;
  reporter: Reporter;
  /** A delivery was settled so that it waits: it is due again in `delayMs`. */
  onWaiting(queue: number, delayMs: number): void;
}

/** The way of a delivery through this process: it waits for a slot, its handler runs, it is settled. */
export class DeliveryRunner {
  private readonly options: DeliveryRunnerOptions;
  private readonly capacity: Capacity;
  private readonly inHand: InHand;
  private readonly overflow: Overflow;
  /** Where messages of one key wait for each other. */
  private readonly gate: PermitGate | undefined;
  private readonly settlers: Settler[] = [];
  private readonly budget: ByteBudget;
  /** Their handlers have ended, and whoever stands around them has something left to record. */
  private recording = 0;
  private starting = false;
  private readonly leaveLine: () => void;

  constructor(options: DeliveryRunnerOptions) {
    const { subscription, refs, clock, intake } = options;
    const { capacity, budget } = intake;
    this.options = options;
    this.budget = budget;
    this.capacity = capacity;
    this.overflow = new Overflow({
      clock,
      capacity,
      budget,
      onTooLong: (entries) => this.release(entries),
    });
    this.inHand = new InHand({
      clock,
      handlerTimeoutMs: subscription.handlerTimeoutMs,
      onTimeout: (attempt) => this.onTimeout(attempt),
    });
    this.gate = this.makeGate();
    this.leaveLine = capacity.addLine(() => this.startFetched());
    for (const ref of refs) this.addQueue(ref);
  }

  /** The next one by its number. */
  addQueue(ref: GroupQueue): void {
    const { member, deliveries, clock, reporter } = this.options;
    this.settlers.push(
      new Settler({
        ref,
        consumer: member,
        deliveries,
        clock,
        onTrouble: (error) => reporter.trouble(`settle queue ${ref.queue}`, error),
      }),
    );
  }

  /** Attempts whose handlers run. */
  running(queue: number): Attempt[] {
    return this.inHand.of(queue);
  }

  /** In hand without a handler that runs: waits for a slot, or its settle is on its way. */
  heldBesides(queue: number): { offset: string; deliveryCount: number }[] {
    const { topic } = this.options.subscription;
    const waiting = this.gate?.waitingOf(topic, queue) ?? [];
    return [...this.overflow.of(queue), ...waiting, ...this.settlers[queue]!.held()];
  }

  /** Whether nothing of the queue can be settled. */
  isStuck(queue: number): boolean {
    return this.settlers[queue]!.isStuck;
  }

  /** Starts what has a slot. Two fetches at once may bring more than that: the rest has the next slots. */
  accept(entries: readonly DeliveredEntry[]): void {
    const { subscription, tools, intake } = this.options;
    let wanted = 0;
    for (const entry of entries) {
      const opened = open(entry, subscription, tools);
      if ('outcome' in opened) this.pass(entry, opened);
      else {
        wanted += 1;
        if (this.capacity.isPaused) this.release([entry]);
        else if (this.gate) this.gate.admit(entry, opened.message);
        else if (this.overflow.length === 0 && this.capacity.hasSlot)
          this.run(entry, opened.message);
        else this.overflow.push(entry);
      }
    }
    this.budget.learn(entries.map(bytesOf));
    if (subscription.filter) intake.wanted.note({ read: entries.length, wanted });
    this.overflow.watch();
  }

  /** Nothing begins here for now: what waits for a slot, or for a permit, is left to others. */
  handBack(): void {
    this.release([...(this.gate?.takeOut() ?? []), ...this.overflow.drain()]);
  }

  /** Sends the settles that wait for the end of the turn. */
  flushSettles(): void {
    for (const settler of this.settlers) settler.flush();
  }

  /** Slots are free. */
  private startFetched(): void {
    // A handler that ends at once comes here again: one inside the other, thousands of them would overflow the stack.
    if (this.starting) return;
    this.starting = true;
    try {
      while (this.overflow.length > 0 && this.capacity.hasSlot) this.begin(this.overflow.shift()!);
    } finally {
      this.starting = false;
    }
  }

  /** Resolves once the delivery is settled, refused by the store, or given up to others. Its handler may still run then. */
  async runAlone(entry: DeliveredEntry): Promise<void> {
    const { subscription, tools } = this.options;
    if (this.capacity.isPaused) return this.release([entry]);
    const opened = this.gate && open(entry, subscription, tools);
    const admitted =
      !opened || 'outcome' in opened ? opened : await this.gate!.admitAlone(entry, opened.message);
    await new Promise<void>((resolve) => {
      if (admitted && 'outcome' in admitted) this.pass(entry, admitted, resolve);
      else this.begin(entry, resolve);
    });
  }

  /** Somebody else has it now: the handler is told, and nothing of it is settled. */
  lose(attempt: Attempt): void {
    attempt.ended = true;
    attempt.abort(
      new ClosedError(`Message ${attempt.message.messageId} was given to another consumer`),
    );
    this.inHand.remove(attempt);
    this.freeSlot(attempt);
    this.capacity.settled();
    attempt.whenOver();
    this.options.reporter.refused(attempt.entry, attempt.message);
  }

  /**
   * Let handlers finish, settle. What still runs when `timeUp` aborts is told so by its signal and stays pending for
   * others; the same goes for settles the store does not take.
   *
   * @returns true when nothing is left.
   */
  async drain(timeUp: AbortSignal): Promise<boolean> {
    const { clock, subscription } = this.options;
    this.leaveLine();
    this.handBack();
    await this.capacity.whenIdle(timeUp);
    const left = this.inHand.of().filter((attempt) => !attempt.isHandled);
    for (const attempt of left)
      attempt.abort(
        new ClosedError(`${subscription.origin} did not finish within the drain limit`),
      );
    while (!timeUp.aborted && this.unsettled > 0) await sleep(clock, 5, timeUp);
    const settled = this.unsettled === 0;
    this.inHand.stop();
    for (const settler of this.settlers) settler.close();
    // Other topics may want their slots, and nobody looks any more whether their time is up.
    for (const attempt of left) this.end(attempt, { kind: 'not-started' });
    return left.length === 0 && settled;
  }

  /** `whenOver`: called once the delivery is settled, refused by the store, or given up to others. Its handler may still run then. */
  private begin(entry: DeliveredEntry, whenOver?: () => void): void {
    const { tools, subscription } = this.options;
    const opened = open(entry, subscription, tools);
    if ('outcome' in opened) this.pass(entry, opened, whenOver);
    else this.run(entry, opened.message, whenOver);
  }

  private run(entry: DeliveredEntry, message: MessageView, whenOver = NOBODY_WAITS): void {
    const { clock, tools, subscription, reporter } = this.options;
    const attempt = new Attempt({
      entry,
      message,
      group: subscription.group,
      startedAt: clock.monotonic(),
      whenOver,
      onHandled: this.onHandled,
    });
    this.capacity.take();
    this.budget.take(bytesOf(entry));
    this.inHand.add(attempt);
    reporter.delivered(attempt);
    const outcome = dispatch(attempt, subscription, tools);
    if (outcome instanceof Promise) void outcome.then((later) => this.end(attempt, later));
    else this.end(attempt, outcome);
  }

  /** No handler is bothered with it. */
  private pass(
    entry: DeliveredEntry,
    { outcome, message }: Opened & { outcome: Outcome },
    whenOver = NOBODY_WAITS,
  ): void {
    this.gate?.leave(entry);
    this.capacity.passed();
    this.settleAs(entry, outcome, { message, whenOver });
  }

  /** They never started: others may have them now, and the attempt does not count. */
  private release(entries: readonly DeliveredEntry[]): void {
    for (const entry of entries) {
      this.gate?.leave(entry);
      this.settleAs(entry, { kind: 'not-started' }, { message: undefined, whenOver: undefined });
    }
  }

  private end(attempt: Attempt, outcome: Outcome): void {
    if (attempt.ended) return;
    attempt.ended = true;
    this.inHand.remove(attempt);
    this.freeSlot(attempt);
    const { entry, message } = attempt;
    this.settleAs(entry, outcome, { message, whenOver: attempt.whenOver });
  }

  private readonly onHandled = (attempt: Attempt): void => {
    this.recording += 1;
    this.giveSlot(attempt);
  };

  /** Unless its handler gave it back before. */
  private freeSlot(attempt: Attempt): void {
    if (attempt.isHandled) this.recording -= 1;
    else this.giveSlot(attempt);
  }

  private giveSlot(attempt: Attempt): void {
    this.budget.give(bytesOf(attempt.entry));
    this.gate?.leave(attempt.entry);
    this.capacity.handled();
    this.capacity.serve();
  }

  /** `whenOver`: undefined for what was not counted by `capacity`. */
  private settleAs(
    entry: DeliveredEntry,
    outcome: Outcome,
    { message, whenOver }: { message: MessageView | undefined; whenOver: (() => void) | undefined },
  ): void {
    const { clock, member, subscription } = this.options;
    const decision = settle(outcome, entry.attempt, subscription.retry);
    const settlement =
      decision.kind === 'ack'
        ? decision
        : toSettlement(decision, { outcome, entry, consumer: member, at: clock.now() });
    const { onAnswer } = this;
    const facts = { entry, message, outcome, decision, settlement, whenOver, onAnswer };
    this.settlers[entry.queue]!.add(new Settling(facts));
  }

  private readonly onAnswer = (settling: Settling, reply: SettleAnswer): void => {
    const { reporter, onWaiting } = this.options;
    const { queue, message, outcome, decision, whenOver } = settling;
    if (whenOver) {
      this.capacity.settled();
      whenOver();
    }
    reporter.settled({ entry: settling, outcome, decision, reply, message });
    if (decision.kind === 'retry' || decision.kind === 'release')
      onWaiting(queue, decision.delayMs);
  };

  private makeGate(): PermitGate | undefined {
    const { subscription, intake } = this.options;
    const { concurrencyPer: per } = subscription;
    if (!intake.permits || !per) return undefined;
    return new PermitGate({
      subscription,
      per,
      permits: intake.permits,
      onReady: (entry) => {
        if (this.capacity.isPaused) return this.release([entry]);
        this.overflow.push(entry);
        this.startFetched();
        this.overflow.watch();
      },
      onOutcome: (entry, passed) => this.pass(entry, passed),
    });
  }

  private onTimeout(attempt: Attempt): void {
    const { origin, handlerTimeoutMs } = this.options.subscription;
    const error = new HandlerTimeoutError(`${origin} did not finish within ${handlerTimeoutMs} ms`);
    attempt.abort(error);
    this.end(attempt, { kind: 'failed', error });
  }

  private get unsettled(): number {
    const recording = this.recording + (this.gate?.isIdle === false ? 1 : 0);
    return this.settlers.reduce((sum, settler) => sum + settler.pending, recording);
  }
}

const NOBODY_WAITS = (): void => {};
