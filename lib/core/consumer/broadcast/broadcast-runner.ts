import { ClosedError } from '../../message/errors.js';
import type { MessageView } from '../../message/message.js';
import type { Clock } from '../../runtime/clock.js';
import type { DeliveredEntry } from '../../store/delivery-store.js';
import { Attempt } from '../attempt.js';
import { bytesOf } from '../byte-budget.js';
import type { Capacity } from '../capacity.js';
import { type DispatchTools, dispatch, open } from '../dispatch.js';
import { HandlerTimeoutError } from '../handler-errors.js';
import { InHand } from '../in-hand.js';
import type { Intake } from '../intake.js';
import type { Outcome } from '../outcome.js';
import type { Reporter } from '../reporter.js';
import type { Subscription } from '../subscription.js';

export interface BroadcastRunnerOptions {
  subscription: Subscription;
  tools: DispatchTools;
  clock: Clock;
  intake: Intake;
  reporter: Reporter;
}

/** The way of a broadcast message through this process: it waits for a slot, its handler runs, and that is all. */
export class BroadcastRunner {
  private readonly options: BroadcastRunnerOptions;
  private readonly capacity: Capacity;
  private readonly inHand: InHand;
  /** Read, and without a slot yet. */
  private readonly waiting: DeliveredEntry[] = [];
  private readonly leaveLine: () => void;
  private stopped = false;
  private starting = false;

  constructor(options: BroadcastRunnerOptions) {
    const { subscription, clock, intake } = options;
    this.options = options;
    this.capacity = intake.capacity;
    this.inHand = new InHand({
      clock,
      handlerTimeoutMs: subscription.handlerTimeoutMs,
      onTimeout: (attempt) => this.onTimeout(attempt),
    });
    this.leaveLine = this.capacity.addLine(() => this.startWaiting());
  }

  accept(entries: readonly DeliveredEntry[]): void {
    if (this.stopped) return;
    const { subscription, tools, intake, reporter } = this.options;
    intake.budget.learn(entries.map(bytesOf));
    for (const entry of entries) {
      const opened = open(entry, subscription, tools);
      if ('outcome' in opened) reporter.passed(entry, opened.outcome, opened.message);
      else if (this.waiting.length === 0 && this.capacity.hasSlot) this.run(entry, opened.message);
      else {
        this.waiting.push(entry);
        this.capacity.queue(1);
      }
    }
  }

  /**
   * Nothing more is started. Resolves once no handler runs; those that do when `timeUp` aborts are told by their signals, and
   * give their slots back.
   */
  async stop(timeUp: AbortSignal): Promise<void> {
    this.stopped = true;
    this.leaveLine();
    this.capacity.queue(-this.waiting.splice(0).length);
    await this.capacity.whenIdle(timeUp);
    const { origin } = this.options.subscription;
    this.inHand.stop();
    for (const attempt of this.inHand.of()) {
      const error = new ClosedError(`${origin} did not finish within the drain limit`);
      attempt.abort(error);
      // As when its time is up: nobody else gets the message, so that it is told of.
      this.end(attempt, { kind: 'failed', error });
    }
  }

  private startWaiting(): void {
    // A handler that ends at once comes here again, from within.
    if (this.starting) return;
    this.starting = true;
    while (this.waiting.length > 0 && this.capacity.hasSlot) {
      const entry = this.waiting.shift()!;
      this.capacity.queue(-1);
      // Looked at again: its time may have passed while it waited.
      const { subscription, tools, reporter } = this.options;
      const opened = open(entry, subscription, tools);
      if ('outcome' in opened) reporter.passed(entry, opened.outcome, opened.message);
      else this.run(entry, opened.message);
    }
    this.starting = false;
  }

  private run(entry: DeliveredEntry, message: MessageView): void {
    const { subscription, tools, clock, intake, reporter } = this.options;
    const attempt = new Attempt({
      entry,
      message,
      group: subscription.group,
      startedAt: clock.monotonic(),
      whenOver: () => {},
    });
    this.capacity.take();
    intake.budget.take(bytesOf(entry));
    this.inHand.add(attempt);
    reporter.delivered(attempt);
    const outcome = dispatch(attempt, subscription, tools);
    if (outcome instanceof Promise) void outcome.then((later) => this.end(attempt, later));
    else this.end(attempt, outcome);
  }

  private end(attempt: Attempt, outcome: Outcome): void {
    if (attempt.ended) return;
    attempt.ended = true;
    this.inHand.remove(attempt);
    this.options.intake.budget.give(bytesOf(attempt.entry));
    this.capacity.handled();
    this.capacity.settled();
    this.options.reporter.passed(attempt.entry, outcome, attempt.message);
    this.capacity.serve();
  }

  private onTimeout(attempt: Attempt): void {
    const { origin, handlerTimeoutMs } = this.options.subscription;
    const error = new HandlerTimeoutError(`${origin} did not finish within ${handlerTimeoutMs} ms`);
    attempt.abort(error);
    this.end(attempt, { kind: 'failed', error });
  }
}
