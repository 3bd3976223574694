import { setImmediate } from 'node:timers';
import { passes, StoreRefusedError } from '../message/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import {
  type AcksReached,
  type AppendReply,
  type AppendResult,
  type MessageLog,
  NO_DISK_ACKS,
} from '../store/message-log.js';
import type { QueueRef } from '../store/refs.js';
import { AppendCall, batchSize } from './append-call.js';
import { AppendSession } from './append-session.js';
import { DeadlineWatch } from './deadline-watch.js';
import type { PendingSend } from './pending-send.js';
import { WORTH_ANOTHER_CALL } from './producer-settings.js';
import { QueueRoom } from './queue-room.js';
import { asksForMore, wantedAcks } from './wanted-acks.js';

export interface QueueAppenderOptions extends QueueRef {
  generation: number;
  log: MessageLog;
  clock: Clock;
  /** Random per producer. */
  session: string;
  /** Most messages and bytes of one call. */
  batch: { messages: number; bytes: number };
  /** The topic changed: these must be routed anew, in this order. */
  onMoved(sends: PendingSend[]): void;
}

/** As many as the store remembers answers of (Kafka: `max.in.flight.requests.per.connection` with idempotence). */
const MOST_IN_FLIGHT = 5;
const RECOVERY_PAUSE_MS = { from: 20, to: 500 };
/**
 * Sends of one producer to one queue: batched, numbered, in order, each stored once.
 *
 * Sends of one event-loop turn travel in one call, but for one that is not expected to have company. When a call ends in
 * any other way than "stored", nothing more is sent until every call under way has ended; then a new epoch tells which of
 * them were carried out (`reopen`), and what was not goes out again, in its old order. A message whose time is up is
 * answered at once: "failed" if its call never left, "unknown" if the store was asked.
 */
export class QueueAppender {
  private readonly options: QueueAppenderOptions;
  private waiting: PendingSend[] = [];
  private readonly calls: AppendCall[] = [];
  private readonly session: AppendSession;
  /** Since the last call that was carried out: the pause grows with them. */
  private recoveries = 0;
  private flushPlanned = false;
  /** Calls that wait for replicas or a disk go another way to the store: no other call may be under way with them. */
  private oneByOne = false;
  private recovering: Promise<void> | undefined;
  /**
   * While overdue sends are answered. Each gives its room to another, and a call that left then would carry those just
   * called failed.
   */
  private isAnsweringOverdue = false;
  private lastError: unknown;
  private readonly room: QueueRoom;
  private readonly deadlines: DeadlineWatch;
  private closed = false;
  private readonly closing = new AbortController();
  private readonly idleWaiters: (() => void)[] = [];

  constructor(options: QueueAppenderOptions) {
    this.options = options;
    this.session = new AppendSession(options);
    this.room = new QueueRoom(options);
    this.deadlines = new DeadlineWatch({
      clock: options.clock,
      sweep: (now) => this.expire(now),
    });
  }

  get idle(): boolean {
    return this.waiting.length === 0 && this.calls.length === 0;
  }

  enqueue(send: PendingSend): void {
    if (this.take(send)) this.planFlush();
  }

  /** As `enqueue`; it does not wait for the end of the turn unless something is under way. */
  enqueueAlone(send: PendingSend): void {
    if (!this.take(send)) return;
    this.flush();
    if (this.waiting.length > 0) this.planFlush();
  }

  private take(send: PendingSend): boolean {
    if (this.closed) {
      send.expire(false, this.lastError);
      return false;
    }
    this.waiting.push(send);
    this.oneByOne ||= asksForMore(send.message.acks);
    this.deadlines.watch(send.deadline);
    return true;
  }

  /** Resolves once every send was answered. */
  whenIdle(): Promise<void> {
    return this.idle ? Promise.resolve() : new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Answers whatever is left ("failed" or "unknown") and sends nothing more. */
  close(): void {
    this.closed = true;
    this.closing.abort();
    this.deadlines.close();
    for (const call of this.calls) for (const send of call.sends) send.expire(true, this.lastError);
    for (const send of this.waiting) send.expire(false, this.lastError);
    this.waiting = [];
    this.calls.length = 0;
    this.becomeIdle();
  }

  private planFlush(): void {
    if (this.flushPlanned) return;
    this.flushPlanned = true;
    // After all I/O callbacks and promises of this turn: whatever they send is in the same call.
    setImmediate(() => {
      this.flushPlanned = false;
      this.flush();
    });
  }

  /** Do not wait for the end of the event-loop turn: what waits is worth a call. */
  flush(): void {
    if (this.recovering || this.closed || this.isAnsweringOverdue) return;
    if (this.session.needsReopen || this.calls.some((call) => call.outcome !== 'under-way')) {
      // Not before every call under way has ended: `proceed` sees the last one.
      if (this.calls.every((call) => call.outcome !== 'under-way')) this.recover();
      return;
    }
    while (
      this.waiting.length > 0 &&
      (this.calls.length === 0 ||
        (!this.oneByOne &&
          this.calls.length < MOST_IN_FLIGHT &&
          this.waiting.length >= WORTH_ANOTHER_CALL))
    )
      this.transmit(this.takeBatch());
  }

  private takeBatch(): PendingSend[] {
    const { messages, bytes } = this.options.batch;
    const most = Math.min(messages, this.room.takeLimit());
    const count = batchSize(this.waiting, { messages: most, bytes });
    if (count < this.waiting.length) return this.waiting.splice(0, count);
    const all = this.waiting;
    this.waiting = [];
    return all;
  }

  private transmit(sends: PendingSend[]): void {
    const { log, topic, queue, generation, session, clock } = this.options;
    const call = new AppendCall(this.session.next(), sends);
    this.calls.push(call);
    log
      .append({
        topic,
        queue,
        generation,
        session,
        epoch: call.epoch,
        number: call.number,
        entries: sends.map((send) => send.message),
        acks: this.oneByOne ? wantedAcks(sends, clock.monotonic()) : undefined,
      })
      .then(
        (reply) => this.onReply(call, reply),
        (error: unknown) => this.onError(call, error),
      );
  }

  private onReply(call: AppendCall, reply: AppendReply): void {
    switch (reply.state) {
      case 'appended':
        this.session.acknowledged();
        this.recoveries = 0;
        this.room.forget();
        this.finish(call, reply.results, reply.reached);
        break;
      case 'full':
        call.outcome = 'not-stored';
        this.room.isShortFor(call.sends, reply);
        break;
      case 'moved':
        call.outcome = 'moved';
        break;
      case 'gap':
        call.outcome = 'gap';
        break;
      case 'new-session':
        call.outcome = 'not-stored';
        this.session.needsReopen = true;
        break;
      case 'fenced':
        // Only a newer epoch fences, and ours is the newest unless this answer is for a call sent twice.
        call.outcome = 'unknown';
        break;
    }
    this.proceed();
  }

  private onError(call: AppendCall, error: unknown): void {
    this.lastError = error;
    this.room.forget();
    if (!(error instanceof StoreRefusedError)) {
      call.outcome = 'unknown';
    } else if (passes(error)) {
      call.outcome = 'not-stored';
    } else {
      const onlyDisk = error.reason === NO_DISK_ACKS;
      for (const send of call.sends)
        if (!onlyDisk || send.message.acks === 'disk') send.refuse(error);
      call.outcome = 'not-stored';
    }
    this.proceed();
  }

  private finish(
    call: AppendCall,
    results: AppendResult[],
    reached: AcksReached | undefined,
  ): void {
    const at = this.calls.indexOf(call);
    if (at >= 0) this.calls.splice(at, 1);
    call.sends.forEach((send, i) => {
      const result = results[i];
      // A store that answers less than it was asked leaves nobody waiting.
      if (result) send.succeed(this.options.queue, result, reached);
      else send.miss(results.length, call.sends.length);
    });
    // V8 may have made the call in the old generation, where it would keep all of them alive (decision 7).
    call.sends.length = 0;
  }

  private proceed(): void {
    if (this.closed) return;
    const ended = this.calls.filter((call) => call.outcome !== 'under-way');
    if (ended.length > 0 || this.session.needsReopen) {
      if (ended.length === this.calls.length) this.recover();
      return;
    }
    if (this.waiting.length > 0) this.planFlush();
    else if (this.calls.length === 0) this.becomeIdle();
  }

  /** Every call under way has ended, not all of them well: learn what was stored, then go on with the rest. */
  private recover(): void {
    this.recovering ??= this.recoverOnce().finally(() => {
      this.recovering = undefined;
      if (this.waiting.length > 0) this.planFlush();
      else if (this.idle) this.becomeIdle();
    });
  }

  private async recoverOnce(): Promise<void> {
    const unknown = this.calls.filter((call) => call.outcome === 'unknown');
    // A gap in front of which nothing is missing here: the store lost what it had acknowledged, and goes on counting
    // from there. Without a new epoch it would refuse every call from now on.
    this.session.needsReopen ||= unknown.length > 0 || this.calls[0]?.outcome === 'gap';
    if (!(await this.makeRoom())) await this.pause();
    while (this.session.needsReopen && !this.closed) {
      try {
        await this.reopen(unknown);
      } catch (error) {
        this.lastError = error;
        // Everybody was answered meanwhile: the next send asks again, nothing needs to be tried until then.
        if (this.everybodyAnswered()) break;
        await this.pause();
      }
    }
    this.lineUpAgain();
  }

  private async pause(): Promise<void> {
    const { from, to } = RECOVERY_PAUSE_MS;
    const pauseMs = Math.min(from * 2 ** this.recoveries++, to) * (0.75 + Math.random() / 2);
    await sleep(this.options.clock, pauseMs, this.closing.signal);
  }

  private async makeRoom(): Promise<boolean> {
    try {
      return await this.room.make();
    } catch (error) {
      this.lastError = error;
      return false;
    }
  }

  private async reopen(unknown: readonly AppendCall[]): Promise<void> {
    const sends = unknown.flatMap((call) => call.sends).filter((send) => !send.answered);
    const acks = wantedAcks(sends, this.options.clock.monotonic());
    const { fates, reached } = await this.session.reopen(unknown, acks);
    for (const [i, call] of unknown.entries()) {
      const fate = fates[i]!;
      if (typeof fate === 'object') this.finish(call, fate, reached);
      else call.outcome = 'not-stored';
      if (fate === 'not-here') for (const send of call.sends) send.doubt();
      if (fate === 'unknown') for (const send of call.sends) send.expire(true, this.lastError);
    }
  }

  /** What was not stored goes out again in its old order, before anything newer. */
  private lineUpAgain(): void {
    if (this.closed) return;
    const moved = this.calls.some((call) => call.outcome === 'moved');
    const left = this.calls.flatMap((call) => call.sends).filter((send) => !send.answered);
    const unsent = [...left, ...this.waiting.filter((send) => !send.answered)];
    if (!this.session.needsReopen) this.session.reuse(this.calls);
    this.calls.length = 0;
    this.waiting = moved ? [] : unsent;
    if (moved) this.options.onMoved(unsent);
  }

  private everybodyAnswered(): boolean {
    return [...this.calls.flatMap((call) => call.sends), ...this.waiting].every(
      (send) => send.answered,
    );
  }

  private becomeIdle(): void {
    this.oneByOne = false;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  /** Answers what is overdue. @returns the next deadline. */
  private expire(now: number): number {
    let next = Infinity;
    const expireOverdue = (sends: readonly PendingSend[], maybeStored: boolean): void => {
      for (const send of sends) {
        if (send.answered) continue;
        if (send.deadline > now) next = Math.min(next, send.deadline);
        else if (this.room.isFull && !maybeStored) send.refuseFull(this.options.queue);
        else send.expire(maybeStored, this.lastError);
      }
    };
    this.isAnsweringOverdue = true;
    try {
      // "not-stored" is certain; everything else the store was asked for may have happened.
      for (const { outcome, sends } of this.calls)
        expireOverdue(sends, outcome === 'under-way' || outcome === 'unknown');
      expireOverdue(this.waiting, false);
      this.waiting = this.waiting.filter((send) => !send.answered);
    } finally {
      this.isAnsweringOverdue = false;
    }
    if (this.idle) this.becomeIdle();
    return next;
  }
}
