import { ClosedError } from '../../message/errors.js';
import { compareOffsets } from '../../message/offset.js';
import { dispatch, open } from '../dispatch.js';
import { HandlerTimeoutError } from '../handler-errors.js';
import { InHand } from '../in-hand.js';
import type { Outcome } from '../outcome.js';
import { LaneRun, LaneRuns } from './lane-run.js';
import type { SlotUser } from './lane-slots.js';
import type { LaneRunnerOptions } from './lane-runner-options.js';
import { LaneTimers } from './lane-timers.js';
import type { Lane } from './lane.js';
import type { Lanes } from './lanes.js';
import { Ghosts, Strays } from './strays.js';
import { type Ended, Verdicts } from './verdicts.js';

interface Concluded extends Ended {
  readonly lane: Lane;
  /** Called once the store knows. */
  done(): void;
  /** It needed no handler: nothing else remembers it when its settle is not answered. */
  readonly isQuiet: boolean;
}

interface StartHow {
  /** Nothing else of the subscription runs. */
  readonly alone: boolean;
  /** Called once nothing of it is left to do. */
  whenOver(): void;
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
  private readonly runs = new LaneRuns();
  private readonly strays = new Strays<LaneRun>();
  private readonly unanswered = new Strays<Ended & { laneName: string }>();
  private readonly ghosts = new Ghosts();
  private readonly verdicts: Verdicts;
  private readonly timers: LaneTimers;
  private aloneEnd = new AbortController();
  private startsNoMore = false;
  /** Slots that its messages hold. */
  private inUse = 0;

  constructor(options: LaneRunnerOptions & { lanes: Lanes }) {
    const { clock, subscription, lanes } = options;
    this.options = options;
    this.lanes = lanes;
    this.verdicts = new Verdicts(options);
    this.timers = new LaneTimers({ clock });
    this.inHand = new InHand({
      clock,
      handlerTimeoutMs: subscription.handlerTimeoutMs,
      // Nothing else is put there.
      onTimeout: (attempt) => this.onTimeout(attempt as LaneRun),
    });
  }

  /** No message is under way. */
  get isIdle(): boolean {
    return this.runs.isEmpty;
  }

  /** None waits for another attempt either. */
  get isResting(): boolean {
    return this.isIdle && this.timers.isEmpty;
  }

  /** More may start than this process gets to soon. */
  get hasPlenty(): boolean {
    return this.lanes.readyCount >= 2 * this.options.slots.shareOf(this);
  }

  /** What was started has ended, and nobody waits for its slots. */
  get mayGoOn(): boolean {
    return this.inHand.isEmpty && this.options.slots.isApart(this);
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
    for (const lane of lanes.values()) this.bring(lane);
    for (const run of this.strays.left(lanes)) this.giveUp(run);
    for (const ended of this.unanswered.left(lanes)) this.tellUnheard(ended);
  }

  /** Something may have changed for the lane: choose its head, and see whether that may start. */
  bring(lane: Lane): void {
    const hasHead = this.lanes.choose(lane);
    if (!this.lanes.peeking.has(lane)) this.lookedInto(lane);
    if (!hasHead) return;
    const { offset } = lane.head!;
    const run = this.strays.take(offset);
    if (run) {
      lane.state = 'busy';
      run.lane = lane;
      if (run.outcome) this.settle(run, run.outcome);
    } else if (this.ghosts.isIn(lane.name)) lane.state = 'blocked';
    else {
      const { record } = lane;
      const leftMs = record?.offset === offset ? record.leftMs : 0;
      if (leftMs > 0) this.startLater(lane, leftMs);
      else this.lanes.makeReady(lane);
    }
  }

  /** Nothing more is started. What the store takes for started, and is not, is given back. */
  startNoMore(): void {
    this.startsNoMore = true;
    this.options.slots.leave(this);
    for (const lane of this.lanes.values())
      if ((lane.state === 'ready' || lane.state === 'absent') && lane.record?.open) {
        const { offset, held, history } = lane.head!;
        const back = { kind: 'retry', delayMs: 0, counted: false, history } as const;
        const step = { ...back, lane: lane.name, offset };
        this.options.steps.put({ lane, isHeld: held, step, done: NOTHING, inDoubt: NOTHING });
      }
  }

  /** Start what has a slot. */
  plan(): void {
    const { lanes } = this;
    const { slots } = this.options;
    if (this.startsNoMore) return;
    const share = slots.shareOf(this);
    let any = false;
    while (lanes.hasReady && this.inUse < share && slots.capacity.hasSlot) {
      this.start(lanes.takeReady()!);
      any = true;
    }
    slots.took(this, { any, more: lanes.readyCount });
    for (let lane = lanes.takeSuspect(); lane; lane = lanes.takeSuspect()) this.startAlone(lane);
  }

  /** The store did not confirm what was planned. Handlers go on. */
  reset(): void {
    this.aloneEnd.abort();
    this.timers.stop();
    this.strays.restart();
    this.unanswered.restart();
    for (const run of this.runs.all()) {
      run.lane = undefined;
      if (run.state === 'planned') this.close(run);
      else this.strays.add(run);
    }
    // Its timer would keep the process alive for as long as a handler may take.
    if (this.runs.isEmpty) this.inHand.stop();
  }

  /** What was in memory is not any more; `lanes` are those that will be loaded. */
  forget(lanes: Lanes): void {
    this.lanes = lanes;
    this.options.slots.leave(this);
  }

  /** The queue is somebody else's: handlers are told, and nothing of them is settled. */
  lose(why: string): void {
    this.reset();
    this.unanswered.clear();
    for (const run of this.runs.all()) {
      if (run.state === 'ended') this.close(run);
      else this.disown(run, why);
      this.options.reporter.refused(run.entry, run.message);
    }
    this.inHand.stop();
  }

  private lookedInto(lane: Lane): void {
    for (const run of this.strays.notFoundIn(lane)) this.giveUp(run);
    for (const ended of this.unanswered.notFoundIn(lane)) this.tellUnheard(ended);
  }

  /** Settled before the reply got lost; or the store went back to before it was started. */
  private giveUp(run: LaneRun): void {
    if (run.state !== 'ended') return this.disown(run, 'is not the next one of its lane any more');
    const { head, outcome, laneName, message } = run;
    this.close(run);
    if (outcome) this.tellUnheard({ head, outcome, message, laneName });
  }

  /** What was settled was so by nobody but us, since the queue has been ours all the time. */
  private tellUnheard(ended: Ended & { laneName: string }): void {
    const { head, laneName } = ended;
    this.unanswered.remove(ended);
    const next = this.lanes.find(laneName)?.head;
    const wasSettled = !next || compareOffsets(next.offset, head.offset) > 0;
    if (wasSettled) this.verdicts.tell(ended, laneName, this.verdicts.on(ended));
  }

  /** @returns whether there is a handler to be called. */
  private start(lane: Lane, { alone, whenOver }: StartHow = BESIDE_OTHERS): boolean {
    const { subscription, tools, clock, steps } = this.options;
    const head = lane.head!;
    const opened = open(head, subscription, tools);
    lane.state = 'busy';
    if ('outcome' in opened) {
      this.conclude({ lane, head, ...opened, done: whenOver, isQuiet: true });
      return false;
    }
    const run = new LaneRun({
      lane,
      head,
      message: opened.message,
      group: subscription.group,
      startedAt: clock.monotonic(),
      fencingToken: this.fencingToken,
      whenOver,
    });
    this.runs.add(run);
    this.options.slots.capacity.take();
    this.inUse += 1;
    steps.put({
      lane,
      isHeld: head.held,
      step: { kind: 'begin', lane: lane.name, offset: head.offset, alone },
      done: () => this.run(run),
      inDoubt: NOTHING,
    });
    return true;
  }

  /** It was in hand when an owner died: nothing else of the subscription runs beside it. */
  private startAlone(lane: Lane): void {
    const { slots, isOurs } = this.options;
    const { signal } = this.aloneEnd;
    const isOver = (): Promise<void> =>
      new Promise((resolve) => {
        if (this.startsNoMore || !isOurs()) return resolve();
        const hasHandler = this.start(lane, { alone: true, whenOver: resolve });
        // If its settle gets lost, nothing else says that it is over.
        if (!hasHandler) signal.addEventListener('abort', () => resolve(), { once: true });
        this.wake();
      });
    void slots.alone(isOver, signal);
  }

  private run(run: LaneRun): void {
    const { subscription, tools, reporter, isOurs, slots } = this.options;
    // A process that was frozen since it asked may have been followed by another owner.
    if (run.state !== 'planned' || !isOurs()) return;
    if (slots.capacity.isPaused) return this.giveBack(run);
    run.state = 'running';
    this.inHand.add(run);
    reporter.delivered(run);
    const outcome = dispatch(run, subscription, tools);
    if (outcome instanceof Promise) void outcome.then((ended) => this.end(run, ended));
    else this.end(run, outcome);
  }

  /** Paused since it was planned: as if it had not been. */
  private giveBack(run: LaneRun): void {
    run.state = 'ended';
    run.outcome = { kind: 'not-started' };
    this.giveSlot();
    if (run.lane) this.settle(run, run.outcome);
    this.wake();
  }

  private end(run: LaneRun, outcome: Outcome): void {
    if (run.ended) return this.ghostEnded(run);
    run.ended = true;
    this.inHand.remove(run);
    run.state = 'ended';
    run.outcome = run.timeout ? { kind: 'failed', error: run.timeout } : outcome;
    this.giveSlot();
    // Without a lane it ended while the queue was being loaded: it is found again afterwards.
    if (run.lane) this.settle(run, run.outcome);
    this.wake();
  }

  private settle(run: LaneRun, outcome: Outcome): void {
    this.conclude({
      lane: run.lane!,
      head: run.head,
      outcome,
      message: run.message,
      done: () => this.close(run),
      isQuiet: false,
    });
  }

  /** Decides what becomes of a head, and lets its lane go on or wait. */
  private conclude(facts: Concluded): void {
    const { lane, head } = facts;
    const { steps } = this.options;
    const decision = this.verdicts.on(facts);
    const step = this.verdicts.stepOf(facts, lane.name, decision);
    const done = (): void => {
      facts.done();
      this.verdicts.tell(facts, lane.name, decision);
      if (step.kind === 'retry') this.startLater(lane, step.delayMs);
    };
    const inDoubt = facts.isQuiet
      ? (): void => this.unanswered.add({ ...facts, laneName: lane.name })
      : NOTHING;
    if (step.kind === 'park') {
      const offsets = this.lanes.park(lane).map(({ offset }) => offset);
      if (offsets.length > 0) steps.park(lane, { offsets, note: step.note, done, inDoubt });
      else steps.put({ lane, isHeld: head.held, step, done, inDoubt });
      return;
    }
    steps.put({ lane, isHeld: head.held, step, done, inDoubt });
    if (step.kind === 'retry') {
      const { counted, history } = step;
      const attempt = counted ? head.attempt + 1 : head.attempt;
      return this.lanes.wait(lane, { attempt, history, suspect: !counted && head.suspect });
    }
    this.lanes.advance(lane);
    this.bring(lane);
  }

  private startLater(lane: Lane, delayMs: number): void {
    lane.state = 'waiting';
    this.timers.start(lane, delayMs, () => {
      this.lanes.makeReady(lane);
      this.wake();
    });
  }

  /** It stays in the way of its lane until it ends: whoever starts the lane anew here would run beside it. */
  private disown(run: LaneRun, why: string): void {
    const { laneName } = run;
    run.ended = true;
    run.abort(new ClosedError(`Message ${run.message.messageId} ${why}`));
    this.inHand.remove(run);
    this.ghosts.add(laneName);
    this.giveSlot();
    run.state = 'ended';
    this.close(run);
  }

  private ghostEnded({ laneName }: LaneRun): void {
    if (!this.ghosts.leave(laneName)) return;
    const lane = this.lanes.find(laneName);
    if (lane?.state !== 'blocked') return;
    lane.state = 'idle';
    this.bring(lane);
    this.wake();
  }

  /** An ordered handler that does not listen to its signal keeps its lane: the next one must not run beside it. */
  private onTimeout(run: LaneRun): void {
    const { subscription, reporter } = this.options;
    const { origin, handlerTimeoutMs } = subscription;
    this.inHand.remove(run);
    if (!run.isListed) return;
    run.timeout = new HandlerTimeoutError(`${origin} did not finish within ${handlerTimeoutMs} ms`);
    run.abort(run.timeout);
    reporter.overdue(run, handlerTimeoutMs);
  }

  private giveSlot(): void {
    const { slots } = this.options;
    this.inUse -= 1;
    slots.capacity.handled();
    slots.freed();
  }

  /** Nothing of it is left to do here. */
  private close(run: LaneRun): void {
    this.runs.remove(run);
    this.strays.remove(run);
    if (run.state === 'planned') this.giveSlot();
    this.options.slots.capacity.settled();
    run.whenOver();
  }
}

const NOTHING = (): void => {};
const BESIDE_OTHERS: StartHow = { alone: false, whenOver: NOTHING };
