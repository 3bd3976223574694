import { ClosedError } from '../../message/errors.js';
import type { MessageView } from '../../message/message.js';
import type { Clock } from '../../runtime/clock.js';
import type { DeliveredEntry, Settlement } from '../../store/delivery-store.js';
import type { HeldStep } from '../../store/queue-lease-store.js';
import { Attempt } from '../attempt.js';
import { type DispatchTools, dispatch, open } from '../dispatch.js';
import { HandlerTimeoutError } from '../handler-errors.js';
import { InHand } from '../in-hand.js';
import type { Outcome } from '../outcome.js';
import type { Reporter } from '../reporter.js';
import type { Subscription } from '../subscription.js';
import { toSettlement } from '../to-settlement.js';
import { groupOfLane } from './lane-name.js';
import type { LaneSlots, SlotUser } from './lane-slots.js';
import type { Head, Lane, Lanes } from './lanes.js';
import type { OrderedRules } from './ordered-rules.js';
import { settleOrdered } from './settle-ordered.js';
import type { StepQueue } from './step-queue.js';

/** One message under way: its start is planned, its handler runs, or its settle is on its way. */
interface Run {
  /** Undefined while the queue is loaded anew. */
  lane: Lane | undefined;
  readonly laneName: string;
  readonly head: Head;
  readonly attempt: Attempt;
  state: 'planned' | 'running' | 'ended';
  outcome: Outcome | undefined;
  timeout: HandlerTimeoutError | undefined;
}

export interface LaneRunnerOptions {
  member: string;
  subscription: Subscription;
  rules: OrderedRules;
  tools: DispatchTools;
  clock: Clock;
  slots: LaneSlots;
  reporter: Reporter;
  /** Changes for the store, in their order. */
  steps: StepQueue;
  /** Asked right before a handler is called: whether the queue is certainly ours. */
  isOurs(): boolean;
  /** There is something to plan or to send. */
  wake(): void;
}

/**
 * The way of messages through the lanes of one owned queue: a head starts once the store has recorded it, and the next
 * one is started by the same call that settles it.
 *
 * What is planned counts as done for the next plan; `reset` takes back what the store did not confirm. Handlers that
 * run survive that, and are found again when the queue is loaded anew.
 */
export class LaneRunner implements SlotUser {
  private readonly options: LaneRunnerOptions;
  private readonly inHand: InHand;
  private lanes: Lanes;
  private fencingToken = 0;
  private readonly runs = new Map<string, Run>();
  /** How many handlers that no longer count still run in a lane. */
  private readonly ghosts = new Map<string, number>();
  /** Held messages that were under way when the queue was loaded anew, until their lanes are looked at. */
  private readonly sought = new Set<Run>();
  private readonly timers = new Map<Lane, () => void>();
  private aloneEnd = new AbortController();
  private slotsInUse = 0;
  private startsNoMore = false;

  constructor(options: LaneRunnerOptions & { lanes: Lanes }) {
    const { clock, subscription, lanes } = options;
    this.options = options;
    this.lanes = lanes;
    this.inHand = new InHand({
      clock,
      handlerTimeoutMs: subscription.handlerTimeoutMs,
      onTimeout: (attempt) => this.onTimeout(attempt),
    });
  }

  get inUse(): number {
    return this.slotsInUse;
  }

  /** No message is under way. */
  get isIdle(): boolean {
    return this.runs.size === 0;
  }

  /** None waits for another attempt either. */
  get isResting(): boolean {
    return this.isIdle && this.timers.size === 0;
  }

  wake(): void {
    this.options.wake();
  }

  /** The queue was loaded under this token: bring its lanes to life, and find the handlers that still run. */
  begin(lanes: Lanes, fencingToken: number): void {
    this.lanes = lanes;
    this.fencingToken = fencingToken;
    this.aloneEnd = new AbortController();
    this.startsNoMore = false;
    const before = [...this.runs.values()];
    for (const lane of lanes.values()) this.bring(lane);
    for (const run of before) {
      if (run.lane) continue;
      const lane = lanes.find(run.laneName);
      if (run.head.held && lane && lanes.peeking.has(lane)) this.sought.add(run);
      else this.giveUp(run);
    }
  }

  /** Something may have changed for the lane: choose its head, and see whether that may start. */
  bring(lane: Lane): void {
    const hasHead = this.lanes.choose(lane);
    this.seek(lane);
    if (!hasHead) return;
    const { entry } = lane.head!;
    const run = this.runs.get(entry.offset);
    if (run) {
      lane.state = 'busy';
      run.lane = lane;
      if (run.outcome) this.settle(run, run.outcome);
    } else if (this.ghosts.has(lane.name)) lane.state = 'blocked';
    else {
      const { record } = lane;
      const leftMs = record?.offset === entry.offset ? record.leftMs : 0;
      if (leftMs > 0) this.startLater(lane, leftMs);
      else this.lanes.makeReady(lane);
    }
  }

  /** Nothing more is started. What the store takes for started, and is not, is given back. */
  startNoMore(): void {
    this.startsNoMore = true;
    for (const lane of this.lanes.values())
      if (lane.state === 'ready' && lane.record?.open) {
        const { entry, held, history } = lane.head!;
        const back = { kind: 'retry', delayMs: 0, counted: false, history } as const;
        const step = { ...back, offset: entry.offset };
        this.options.steps.put({ lane, isHeld: held, step, done: () => undefined });
      }
  }

  /** Start what has a slot. */
  plan(): void {
    const { slots } = this.options;
    if (this.startsNoMore) return;
    while (this.lanes.hasReady && slots.mayTake(this)) this.start(this.lanes.takeReady()!);
    for (let lane = this.lanes.takeSuspect(); lane; lane = this.lanes.takeSuspect())
      this.startAlone(lane);
  }

  /** The store did not confirm what was planned. Handlers go on. */
  reset(): void {
    this.aloneEnd.abort();
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    this.sought.clear();
    for (const run of this.runs.values()) {
      run.lane = undefined;
      if (run.state === 'planned') this.close(run);
    }
    // Its timer would keep the process alive for as long as a handler may take.
    if (this.runs.size === 0) this.inHand.stop();
  }

  /** The queue is somebody else's: handlers are told, and nothing of them is settled. */
  lose(why: string): void {
    this.reset();
    for (const run of [...this.runs.values()]) {
      const { entry, message } = run.attempt;
      if (run.state === 'ended') this.close(run);
      else this.disown(run, why);
      this.options.reporter.refused(entry, message);
    }
    this.inHand.stop();
  }

  /** What a lane holds was looked at: its head says which of those that were under way still are. */
  private seek(lane: Lane): void {
    for (const run of this.sought) {
      if (run.laneName !== lane.name || this.lanes.peeking.has(lane)) continue;
      this.sought.delete(run);
      if (run.head.entry.offset !== lane.head?.entry.offset) this.giveUp(run);
    }
  }

  /** Settled before its reply got lost; or the store went back to before it was started. */
  private giveUp(run: Run): void {
    if (run.state === 'ended') this.close(run);
    else this.disown(run, 'is not the next one of its lane any more');
  }

  private start(lane: Lane, whenOver: () => void = () => {}, alone = false): void {
    const { subscription, tools, clock, steps } = this.options;
    const head = lane.head!;
    const entry = deliveryOf(head);
    const opened = open(entry, subscription, tools);
    lane.state = 'busy';
    if ('outcome' in opened) {
      this.conclude({ lane, head, entry, ...opened, done: whenOver });
      return;
    }
    const { group } = subscription;
    const { fencingToken } = this;
    const startedAt = clock.monotonic();
    const { message } = opened;
    const attempt = new Attempt({ entry, message, group, startedAt, fencingToken, whenOver });
    const run: Run = {
      ...{ lane, laneName: lane.name, head, attempt, state: 'planned' },
      outcome: undefined,
      timeout: undefined,
    };
    this.runs.set(entry.offset, run);
    this.options.slots.capacity.take();
    this.slotsInUse += 1;
    const step = { kind: 'begin', offset: entry.offset, alone } as const;
    steps.put({ lane, isHeld: head.held, step, done: () => this.run(run) });
  }

  /** It was in hand when an owner died: nothing else of the subscription runs beside it. */
  private startAlone(lane: Lane): void {
    const { slots, isOurs } = this.options;
    const { signal } = this.aloneEnd;
    const isOver = (): Promise<void> =>
      new Promise((resolve) => {
        if (this.startsNoMore || !isOurs()) return resolve();
        const { offset } = lane.head!.entry;
        this.start(lane, resolve, true);
        // Needs no handler: if its settle gets lost, nothing else says that it is over.
        if (!this.runs.has(offset))
          signal.addEventListener('abort', () => resolve(), { once: true });
        this.wake();
      });
    void slots.alone(isOver, signal);
  }

  private run(run: Run): void {
    const { subscription, tools, reporter, isOurs } = this.options;
    // A process that was frozen since it asked may have been followed by another owner.
    if (run.state !== 'planned' || !isOurs()) return;
    run.state = 'running';
    this.inHand.add(run.attempt);
    reporter.delivered(run.attempt);
    const outcome = dispatch(run.attempt, subscription, tools);
    if (outcome instanceof Promise) void outcome.then((ended) => this.end(run, ended));
    else this.end(run, outcome);
  }

  private end(run: Run, outcome: Outcome): void {
    const { head, attempt } = run;
    if (attempt.ended) return this.ghostEnded(run);
    attempt.ended = true;
    this.inHand.remove(attempt);
    run.state = 'ended';
    run.outcome = run.timeout ? { kind: 'failed', error: run.timeout } : outcome;
    this.giveSlot();
    // Without a lane it ended while the queue was being loaded: it is found again afterwards.
    if (run.lane?.head === head) this.settle(run, run.outcome);
    this.wake();
  }

  private settle(run: Run, outcome: Outcome): void {
    const { head, attempt } = run;
    this.conclude({
      lane: run.lane!,
      head,
      entry: attempt.entry,
      outcome,
      message: attempt.message,
      done: () => this.close(run),
    });
  }

  /** Decides what becomes of a head, and lets its lane go on or wait. */
  private conclude(facts: {
    lane: Lane;
    head: Head;
    entry: DeliveredEntry;
    outcome: Outcome;
    message: MessageView | undefined;
    done(): void;
  }): void {
    const { lane, head, entry, outcome, message } = facts;
    const { subscription, rules, reporter, member, clock, steps } = this.options;
    const decision = settleOrdered(outcome, head.attempt, {
      retry: subscription.retry,
      onExhausted: rules.onExhausted,
    });
    const at = { consumer: member, at: clock.now() };
    const noteOf = (reason: string): string =>
      textOf(toSettlement({ kind: 'dead-letter', reason }, { outcome, entry, ...at }));
    const { offset } = head.entry;
    const done = (): void => {
      facts.done();
      const messageGroup = groupOfLane(lane.name);
      reporter.settledInLane({ entry, outcome, decision, message, messageGroup });
    };
    const put = (step: HeldStep, andThen = done): void =>
      steps.put({ lane, isHeld: head.held, step, done: andThen });
    switch (decision.kind) {
      case 'ack':
      case 'skip':
        put({ kind: 'ack', offset });
        break;
      case 'dead-letter':
        put({ kind: 'dead-letter', offset, note: noteOf(decision.reason) });
        break;
      case 'retry':
      case 'release': {
        const counted = decision.kind === 'retry';
        const { delayMs } = decision;
        const history = counted
          ? textOf(toSettlement(decision, { outcome, entry, ...at }))
          : head.history;
        put({ kind: 'retry', offset, delayMs, counted, history }, () => {
          done();
          this.startLater(lane, delayMs);
        });
        const attempt = counted ? head.attempt + 1 : head.attempt;
        return this.lanes.wait(lane, { attempt, history, suspect: !counted && head.suspect });
      }
      case 'park': {
        const note = noteOf(decision.reason);
        const offsets = this.lanes.park(lane).map((each) => each.offset);
        if (offsets.length > 0) return steps.park(lane, { offsets, note, done });
        return put({ kind: 'park', offset, note });
      }
    }
    this.lanes.advance(lane);
    this.bring(lane);
  }

  private startLater(lane: Lane, delayMs: number): void {
    lane.state = 'waiting';
    const cancel = this.options.clock.after(delayMs, () => {
      this.timers.delete(lane);
      this.lanes.makeReady(lane);
      this.wake();
    });
    this.timers.set(lane, cancel);
  }

  /** It stays in the way of its lane until it ends: whoever starts the lane anew here would run beside it. */
  private disown(run: Run, why: string): void {
    const { attempt, laneName } = run;
    attempt.ended = true;
    attempt.abort(new ClosedError(`Message ${attempt.message.messageId} ${why}`));
    this.inHand.remove(attempt);
    this.ghosts.set(laneName, (this.ghosts.get(laneName) ?? 0) + 1);
    this.giveSlot();
    run.state = 'ended';
    this.close(run);
  }

  private ghostEnded({ laneName }: Run): void {
    const left = this.ghosts.get(laneName)! - 1;
    if (left > 0) return void this.ghosts.set(laneName, left);
    this.ghosts.delete(laneName);
    const lane = this.lanes.find(laneName);
    if (lane?.state !== 'blocked') return;
    lane.state = 'idle';
    this.bring(lane);
    this.wake();
  }

  /** An ordered handler that does not listen to its signal keeps its lane: the next one must not run beside it. */
  private onTimeout(attempt: Attempt): void {
    const { subscription, reporter } = this.options;
    const { origin, handlerTimeoutMs } = subscription;
    const run = this.runs.get(attempt.entry.offset);
    this.inHand.remove(attempt);
    if (run?.attempt !== attempt) return;
    run.timeout = new HandlerTimeoutError(`${origin} did not finish within ${handlerTimeoutMs} ms`);
    attempt.abort(run.timeout);
    reporter.overdue(attempt, handlerTimeoutMs);
  }

  private giveSlot(): void {
    const { slots } = this.options;
    this.slotsInUse -= 1;
    slots.capacity.handled();
    slots.freed();
  }

  /** Nothing of it is left to do here. */
  private close(run: Run): void {
    const { offset } = run.head.entry;
    if (this.runs.get(offset) === run) this.runs.delete(offset);
    if (run.state === 'planned') this.giveSlot();
    this.options.slots.capacity.settled();
    run.attempt.whenOver();
  }
}

function deliveryOf({ entry, attempt, suspect, history }: Head): DeliveredEntry {
  // Spelled out: copying it took longer than all else in this file.
  const { topic, queue, offset, content } = entry;
  return { topic, queue, offset, content, attempt, deliveryCount: 1, suspect, history };
}

function textOf(settlement: Settlement): string {
  switch (settlement.kind) {
    case 'retry':
      return settlement.history;
    case 'dead-letter':
      return settlement.note;
    default:
      return '';
  }
}
