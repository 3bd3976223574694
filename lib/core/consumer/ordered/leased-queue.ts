import { QueueFaultedError } from '../../message/errors.js';
import { sleep } from '../../runtime/clock.js';
import { turnEnd } from '../../runtime/turn.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { LeaseProof, NotYours, StepReply } from '../../store/queue-lease-store.js';
import { HELD_MS } from '../settle.js';
import { Admission } from './admission.js';
import { GateNotice } from './gate-notice.js';
import { HeldLook } from './held-look.js';
import type { Holder } from './lane-memory.js';
import { LaneRunner } from './lane-runner.js';
import type { Lanes } from './lanes.js';
import type { LeasedQueueOptions } from './leased-queue-options.js';
import { LeaseTerm } from './lease-term.js';
import { loadLanes } from './load-lanes.js';
import { ParkedLimit } from './parked-limit.js';
import { Recall } from './recall.js';
import { type LaneCall, sendCall, StepQueue } from './step-queue.js';

const FOLLOWED = 'is in a queue that another process owns now, or whose group was rewound';
/** How often is looked whether the message groups of the queue have left the one where they were before. */
const GATED_MS = 500;
/** A store that answers within the turn, as that in memory does, is not to keep the turn for ever. */
const ROUNDS_IN_A_TURN = 8;
const RECOVER_MS = { from: 20, to: 2_000 };

/**
 * One queue while this process owns it.
 *
 * Calls that change something are made one after the other, each with the version that the one before left behind.
 * Whatever goes wrong with one, there is one way back: acquire anew, load, and begin again from what the store says.
 */
export class LeasedQueue implements Holder {
  readonly ref: GroupQueue;
  private readonly options: LeasedQueueOptions;
  private readonly runner: LaneRunner;
  private readonly steps = new StepQueue();
  private lanes: Lanes;
  private proof: LeaseProof | undefined;
  private readonly term: LeaseTerm;
  private readonly heldLook: HeldLook;
  private readonly recall: Recall;
  private readonly gateNotice: GateNotice;
  private readonly parkedLimit: ParkedLimit;
  private admission: Admission;
  /** By the monotonic clock: until then it is left alone. */
  private leftAloneUntil = 0;
  private working = false;
  private leaving: { promise: Promise<void>; resolve(): void } | undefined;
  private recovering = false;
  private newsFirst = false;
  private again = false;
  private failures = 0;
  /** Grows when the queue is lost or given up: what was asked for before that is not wanted any more. */
  private era = 0;
  /** Everything up to here was read; undefined while there may be more. */
  private readUpTo: string | undefined;

  constructor(options: LeasedQueueOptions) {
    this.ref = options.ref;
    this.options = options;
    this.lanes = options.memory.lanes(options.timing);
    this.runner = new LaneRunner({
      ...options,
      lanes: this.lanes,
      steps: this.steps,
      isOurs: () => this.isOurs,
      wake: () => this.wake(),
    });
    this.term = new LeaseTerm({
      clock: options.clock,
      selfStopMs: options.timing.selfStopMs,
      onEnd: () => this.lose('is in a queue whose lease could not be renewed'),
    });
    const asked = { ...options, holder: this };
    this.heldLook = new HeldLook({ ...asked, bring: (lane) => this.runner.bring(lane) });
    this.recall = new Recall(asked);
    this.gateNotice = new GateNotice(options);
    this.parkedLimit = new ParkedLimit(options);
    this.admission = new Admission(options);
  }

  get bytes(): number {
    return this.lanes.bytes;
  }

  get isIdle(): boolean {
    return this.runner.isIdle && !this.lanes.hasReady;
  }

  relieve(): void {
    this.lanes.forgetWaiting();
  }

  get isOwned(): boolean {
    return this.proof !== undefined;
  }

  /** What has been read when there is nothing more to read: where to wait for news. */
  get waitsBehind(): string | undefined {
    return this.proof && !this.leaving && !this.admission.isStopped ? this.readUpTo : undefined;
  }

  /** Something new is there. */
  ring(): void {
    this.readUpTo = undefined;
    this.wake();
  }

  /** Become its owner if nobody is. @returns when to ask again, in milliseconds; 0 when it is ours. */
  async acquire(): Promise<number> {
    const aloneMs = this.leftAloneUntil - this.options.clock.monotonic();
    if (this.proof || this.leaving || this.recovering) return 0;
    if (aloneMs > 0) return aloneMs;
    try {
      return await this.acquireAndLoad();
    } catch (error) {
      await this.onError(error);
      return RECOVER_MS.to;
    }
  }

  /** Tells the store that the owner lives. Never rejects. */
  async renew(): Promise<void> {
    const { leases, timing, clock, reporter } = this.options;
    const { proof } = this;
    if (!proof) return;
    const sentAt = clock.monotonic();
    try {
      const reply = await leases.renew(this.ref, proof, timing.leaseMs);
      if (proof.fencingToken !== this.proof?.fencingToken) return;
      if (reply.state === 'fenced') return this.lose(FOLLOWED);
      this.term.extend(sentAt);
      this.heldLook.learn(reply.nudge, this.lanes);
      if (reply.strangers > 0) {
        const what = `somebody who is no member read ${reply.strangers} deliveries; they are taken back`;
        reporter.trouble(`keep the order of queue ${this.ref.queue}`, new Error(what));
        void this.recover();
      } else this.wake();
    } catch (error) {
      // The lease goes on for a while; the self-stop says how long.
      if (error instanceof QueueFaultedError) await this.onError(error);
      else reporter.trouble(`renew the lease of queue ${this.ref.queue}`, error);
    }
  }

  /** Start nothing more; once the last handler has ended and is settled, others may have it. */
  handOver(): Promise<void> {
    if (!this.proof) return Promise.resolve();
    if (!this.leaving) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.leaving = { promise, resolve };
      this.runner.startNoMore();
      this.wake();
    }
    return this.leaving.promise;
  }

  /** Give up at once: handlers are told, and what is not settled is left to others. @returns whether nothing was. */
  abandon(why: string): boolean {
    const wasIdle = !this.isHeld || (this.runner.isIdle && this.steps.isEmpty);
    this.era += 1;
    if (this.isHeld) this.lose(why);
    return wasIdle;
  }

  private get isHeld(): boolean {
    return this.proof !== undefined || this.recovering;
  }

  private get isOurs(): boolean {
    return this.proof !== undefined && this.term.isRunning;
  }

  wake(): void {
    this.again = true;
    if (this.working || !this.proof) return;
    this.working = true;
    void this.work();
  }

  private async work(): Promise<void> {
    let isMore = false;
    let rounds = 0;
    try {
      do {
        this.again = false;
        // Handlers that end together are settled together.
        const mayStay = isMore && this.runner.mayGoOn && ++rounds % ROUNDS_IN_A_TURN !== 0;
        if (!mayStay) await turnEnd();
        isMore = this.proof !== undefined && (await this.round());
      } while (isMore || (this.proof && this.again));
    } catch (error) {
      await this.onError(error);
    } finally {
      this.working = false;
    }
    await this.rest();
  }

  /** Nothing is left to do for the moment. */
  private async rest(): Promise<void> {
    const { proof, runner, steps } = this;
    if (!proof || !runner.isIdle || !steps.isEmpty) return;
    this.lanes.tidy();
    if (this.leaving) return this.release(proof);
    if (!this.admission.isStopped || !runner.isResting || this.lanes.hasDue) return;
    // Somebody with a newer library may have it.
    this.leftAloneUntil = this.options.clock.monotonic() + HELD_MS;
    void this.handOver();
  }

  /** @returns whether anything was done. */
  private async round(): Promise<boolean> {
    const { memory } = this.options;
    const { fencingToken } = this.proof!;
    const isStill = (): boolean => this.proof?.fencingToken === fencingToken;
    let isChanged = false;
    do {
      this.runner.plan();
      const calls = this.steps.take(this.lanes);
      for (const call of calls) {
        const reply = await this.ask(call);
        if (!isStill()) {
          call.inDoubt();
          return false;
        }
        if (!this.accept(call, reply)) return false;
      }
      if (calls.length === 0) break;
      isChanged = true;
    } while (this.mayGoOn);
    const looked = await this.heldLook.look(this.lanes, isStill);
    if (!isStill()) return false;
    // Who comes first gets the room there is: what fails again and again must not be in the way of news, nor they in its way.
    this.newsFirst = !this.newsFirst;
    let isFilled = false;
    for (const isNews of [this.newsFirst, !this.newsFirst]) {
      const filled = isNews ? await this.read() : await this.recalled(isStill);
      if (!isStill()) return false;
      isFilled ||= filled;
    }
    memory.freed();
    return isFilled || looked || isChanged;
  }

  /** All that was begun has ended, there is more, and nothing else is to be asked: why wait until the turn ends? */
  private get mayGoOn(): boolean {
    const { runner, lanes } = this;
    return runner.mayGoOn && !lanes.wantsMore && (runner.hasPlenty || this.readUpTo !== undefined);
  }

  private ask(call: LaneCall): Promise<StepReply> {
    return sendCall(call, this.options.leases, this.ref, this.proof!).catch((error: unknown) => {
      call.inDoubt();
      throw error;
    });
  }

  /** At once: what follows from the reply leaves before the replies for other queues are looked at. @returns whether all is well. */
  private accept(call: LaneCall, reply: StepReply): boolean {
    if (reply.state !== 'done') return this.refused(reply);
    this.proof = { ...this.proof!, version: reply.version };
    this.failures = 0;
    call.done();
    // Handlers that block the thread, or a late reply: what could not be started stands in the way of its lane. If the
    // lease is renewed before its timer runs, nobody else would look at it.
    if (!this.isOurs) {
      void this.recover();
      return false;
    }
    if (call.kind !== 'step') this.runner.bring(call.lane);
    this.heldLook.learn(reply.nudge, this.lanes);
    return true;
  }

  private async recalled(isStill: () => boolean): Promise<boolean> {
    return !this.leaving && (await this.recall.next(this.lanes, isStill));
  }

  private async read(): Promise<boolean> {
    const { leases, timing, memory } = this.options;
    if (this.leaving || this.admission.isStopped || this.readUpTo !== undefined) return false;
    // What is read long before its turn only grows old in memory.
    const isFull = this.parkedLimit.isReached(this.lanes) || this.runner.hasPlenty;
    const count = isFull ? 0 : memory.toRead(this, this.lanes, timing);
    if (count === 0) return this.lanes.moving.size > 0;
    const proof = this.proof!;
    const reply = await memory.fill(count, () => leases.read(this.ref, proof, count));
    if (this.proof?.fencingToken !== proof.fencingToken) return false;
    if (reply.state !== 'read') return this.refused(reply);
    this.proof = { ...this.proof, version: reply.version };
    this.heldLook.learn(reply.nudge, this.lanes);
    memory.learn(reply.entries);
    for (const entry of reply.entries) {
      const name = this.admission.laneOf(entry);
      if (name === undefined) break;
      this.runner.bring(this.lanes.arrive(name, entry));
    }
    if (reply.entries.length < count) {
      this.readUpTo = reply.position;
      this.options.onDrained();
    }
    return reply.entries.length > 0;
  }

  /** Nothing of the queue is in memory any more. */
  private empty(): Lanes {
    this.lanes = this.options.memory.lanes(this.options.timing);
    this.runner.forget(this.lanes);
    this.options.memory.freed();
    return this.lanes;
  }

  private async acquireAndLoad(): Promise<number> {
    const { leases, timing, clock, member, events } = this.options;
    const { era } = this;
    const sentAt = clock.monotonic();
    const claim = { owner: member, leaseMs: timing.leaseMs };
    const reply = await leases.acquire(this.ref, claim);
    if (era !== this.era) return RECOVER_MS.to;
    if (reply.state === 'held') {
      if (this.isHeld) this.lose(FOLLOWED);
      return Math.max(1, reply.leftMs);
    }
    if (reply.state === 'gated') {
      this.gateNotice.tell(reply.gate);
      return GATED_MS;
    }
    const { fencingToken, continued } = reply;
    if (!continued) this.runner.lose(FOLLOWED);
    const proof = { owner: member, fencingToken, version: 0 };
    const admission = new Admission(this.options);
    const lanes = this.empty();
    const loaded = await loadLanes({
      ...{ leases, ref: this.ref, proof, admission, memory: this.options.memory, lanes },
      isWanted: () => era === this.era,
      onLost: (offset) => this.options.reporter.lost({ ...this.ref, offset }),
    });
    if (!loaded) return RECOVER_MS.to;
    Object.assign(this, { lanes, admission, proof, readUpTo: undefined, recovering: false });
    this.heldLook.restart();
    this.term.extend(sentAt);
    this.runner.begin(lanes, fencingToken);
    if (!continued) events.emit('queue-acquired', { ...this.ref, fencingToken });
    if (this.leaving) this.runner.startNoMore();
    this.wake();
    return 0;
  }

  private refused(reply: NotYours | (StepReply & { state: 'refused' })): false {
    if (reply.state === 'fenced') this.lose(FOLLOWED);
    else void this.recover();
    return false;
  }

  /** What the store did is not known, or is not what we thought: begin again from what it says. */
  private async recover(): Promise<void> {
    if (!this.proof) return;
    const { clock } = this.options;
    this.proof = undefined;
    this.recovering = true;
    this.runner.reset();
    this.steps.clear();
    this.empty();
    while (this.recovering) {
      const pauseMs = Math.min(RECOVER_MS.from * 2 ** this.failures, RECOVER_MS.to);
      this.failures += 1;
      await sleep(clock, pauseMs);
      if (!this.recovering) return;
      try {
        await this.acquireAndLoad();
      } catch (error) {
        await this.onError(error);
      }
    }
  }

  private async onError(error: unknown): Promise<void> {
    const { reporter, onFault, clock } = this.options;
    if (error instanceof QueueFaultedError) {
      this.lose('is in a queue that cannot be read');
      const pauseMs = await onFault(error).catch(() => RECOVER_MS.to);
      this.leftAloneUntil = clock.monotonic() + pauseMs;
      return;
    }
    reporter.trouble(`work on queue ${this.ref.queue}`, error);
    if (this.proof) void this.recover();
    else this.empty();
  }

  private lose(why: string): void {
    const wasHeld = this.isHeld;
    this.era += 1;
    this.proof = undefined;
    this.recovering = false;
    this.term.end();
    this.runner.lose(why);
    this.steps.clear();
    this.leaving?.resolve();
    this.leaving = undefined;
    this.empty();
    if (wasHeld) this.options.events.emit('queue-lost', { ...this.ref, why });
  }

  private async release(proof: LeaseProof): Promise<void> {
    const { leases, events, reporter } = this.options;
    const { leaving } = this;
    try {
      const reply = await leases.release(this.ref, proof);
      if (reply === 'busy') return void this.recover();
    } catch (error) {
      // Nobody misses it for longer than the lease lasts.
      reporter.trouble(`release queue ${this.ref.queue}`, error);
    }
    this.proof = undefined;
    this.term.end();
    this.runner.reset();
    this.leaving = undefined;
    this.empty();
    leaving?.resolve();
    events.emit('queue-released', { ...this.ref });
  }
}
