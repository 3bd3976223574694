import { setImmediate } from 'node:timers';
import type { Clock } from '../../runtime/clock.js';
import type { DeliveredEntry } from '../../store/delivery-store.js';
import type { PermitStore } from '../../store/permit-store.js';
import type { Capacity } from '../capacity.js';
import { KeyState } from './key-state.js';
import { type PermitUser, Waiting, WaitingRoom } from './waiting-room.js';

export interface PermitsOptions {
  store: PermitStore;
  of: { topic: string; group: string };
  /** Name of this process in every consumer group. */
  member: string;
  /** Permits of each key, in all processes together. */
  max: number;
  /** Permits of a process that died are free after this. */
  leaseMs: number;
  /** Most bytes of messages that wait here. */
  mostBytes: number;
  capacity: Capacity;
  clock: Clock;
  onError(error: unknown): void;
}

const TICK_MS = 100;
/** A process that has not asked for so long does not wait any more. */
const PATIENCE_MS = 2_000;
/** Nothing waits here for longer: this process may be paused, and another not. */
const LONGEST_WAIT_MS = 5_000;
/** So long is nothing asked of a store that did not answer. */
const AWAY_MS = 1_000;

/**
 * At most so many handlers at once for one key, in all processes of a subscription.
 *
 * A permit is one of a message under way, and is passed on here as long as messages of its key wait and nobody else has none.
 * What waits has no slot: a few deliveries wait in this process, so that one begins as another ends, and the others go back
 * to the store, to come again about when it is their turn.
 */
export class Permits {
  private readonly options: PermitsOptions;
  private readonly room: WaitingRoom;
  private readonly states = new Map<string, KeyState>();
  private readonly started = new WeakMap<DeliveredEntry, { state: KeyState; at: number }>();
  private planned: KeyState[] = [];
  private calls = 0;
  private awayUntil = -Infinity;
  private cancelTick: (() => void) | undefined;
  private isStopped = false;
  private isClosed = false;

  constructor(options: PermitsOptions) {
    this.options = options;
    const { capacity, max, mostBytes } = options;
    this.room = new WaitingRoom({ capacity, max, bytes: mostBytes });
  }

  /** Whether no call is under way: what was given back is known to the store. */
  get isIdle(): boolean {
    return this.calls === 0 && this.planned.length === 0;
  }

  /** `user` hears of it now, or once the store has answered. */
  admit(entry: DeliveredEntry, key: string, user: PermitUser): void {
    const state = this.stateOf(key);
    const item = new Waiting(entry, user, this.options.clock.monotonic());
    if (state.waiting.length === 0 && state.mayUse(item.since)) return this.start(state, item);
    if (!state.isFull) {
      this.room.expect(item);
      this.plan(state);
    } else if (!this.room.settle(item, state.waiting.length)) return this.sendBack(state, item);
    state.waiting.push(item);
    this.keepTicking();
  }

  /** Answers when the store has: false when there is no permit. */
  admitNow(entry: DeliveredEntry, key: string): Promise<boolean> {
    return new Promise((resolve) => {
      const state = this.stateOf(key);
      const user = { start: () => resolve(true), sendBack: () => resolve(false) };
      state.waiting.unshift(new Waiting(entry, user, this.options.clock.monotonic()));
      this.plan(state);
      this.keepTicking();
    });
  }

  /** Its handler has ended, or does not begin after all. What has no permit is left alone. */
  leave(entry: DeliveredEntry): void {
    const start = this.started.get(entry);
    if (!start) return;
    this.started.delete(entry);
    const { state, at } = start;
    const now = this.options.clock.monotonic();
    state.used -= 1;
    state.handled(now - at);
    if (!state.givesWay(now)) this.serve(state);
    if (state.hasSpare) this.plan(state);
  }

  /** Deliveries of one queue that wait here. */
  waitingOf(topic: string, queue: number): DeliveredEntry[] {
    return [...this.states.values()]
      .flatMap(({ waiting }) => waiting.map(({ entry }) => entry))
      .filter((entry) => entry.topic === topic && entry.queue === queue);
  }

  /** Takes out all that waits for `user`. */
  takeOut(user: PermitUser): DeliveredEntry[] {
    const taken: DeliveredEntry[] = [];
    for (const state of this.states.values()) {
      for (const item of state.waiting.filter((each) => each.user === user)) {
        this.drop(state, item);
        taken.push(item.entry);
      }
      // Others need not wait for us any more.
      if (state.waiting.length === 0) this.plan(state);
    }
    return taken;
  }

  /** No more permits are taken; those in use are given back as they become free. */
  stop(): void {
    this.isStopped = true;
    for (const state of this.states.values())
      for (const item of state.waiting.filter(({ stays }) => stays === 'no'))
        this.sendBack(state, item);
  }

  /** What is still in use is given up: it lapses. */
  close(): void {
    this.isClosed = true;
    this.cancelTick?.();
    this.cancelTick = undefined;
  }

  private stateOf(key: string): KeyState {
    let state = this.states.get(key);
    if (!state) this.states.set(key, (state = new KeyState(key, this.options)));
    return state;
  }

  private start(state: KeyState, { entry, user }: Waiting): void {
    state.used += 1;
    this.started.set(entry, { state, at: this.options.clock.monotonic() });
    user.start(entry);
  }

  private serve(state: KeyState): void {
    const now = this.options.clock.monotonic();
    while (state.waiting.length > 0 && state.mayUse(now)) {
      const item = state.waiting[0]!;
      this.drop(state, item);
      this.start(state, item);
    }
  }

  private drop(state: KeyState, item: Waiting): void {
    const place = state.waiting.indexOf(item);
    if (place >= 0) state.waiting.splice(place, 1);
    this.room.leave(item);
  }

  private sendBack(state: KeyState, item: Waiting): void {
    this.drop(state, item);
    const delayMs = state.comeAgainMs(this.options.clock.monotonic(), Math.random());
    item.user.sendBack(item.entry, delayMs);
  }

  /** The store is asked at the end of this turn, for several keys in one call. */
  private plan(state: KeyState): void {
    if (state.isPlanned || state.isAsking) return;
    if (this.options.clock.monotonic() < this.awayUntil) return;
    state.isPlanned = true;
    if (this.planned.push(state) === 1) setImmediate(() => void this.ask());
  }

  private async ask(): Promise<void> {
    const { store, of, member, max, leaseMs, clock, onError } = this.options;
    const asked = this.planned;
    this.planned = [];
    const now = clock.monotonic();
    const asks = asked.map((state) => state.ask(now));
    const call = { member, max, leaseMs, patienceMs: PATIENCE_MS, asks };
    this.calls += 1;
    try {
      const replies = await store.take(of, call);
      asked.forEach((state, i) => state.learn(replies[i]!, clock.monotonic()));
    } catch (error) {
      this.awayUntil = clock.monotonic() + AWAY_MS;
      for (const state of asked) state.unanswered();
      onError(error);
    }
    this.calls -= 1;
    for (const state of asked) this.goOn(state);
  }

  /** After an answer, or none. */
  private goOn(state: KeyState): void {
    this.serve(state);
    if (state.isFull) {
      let settled = 0;
      for (const item of [...state.waiting])
        if (item.stays !== 'no' && this.room.settle(item, settled)) settled += 1;
        else this.sendBack(state, item);
    } else if (state.waiting.length > 0 && !this.isStopped) this.plan(state);
    if (state.hasSpare) this.plan(state);
    if (state.isOver) this.states.delete(state.key);
    else this.keepTicking();
  }

  private keepTicking(): void {
    if (this.isClosed) return;
    this.cancelTick ??= this.options.clock.after(TICK_MS, () => this.tick());
  }

  private tick(): void {
    this.cancelTick = undefined;
    const now = this.options.clock.monotonic();
    for (const state of this.states.values()) {
      for (const item of [...state.waiting])
        if (item.stays === 'yes' && now - item.since >= LONGEST_WAIT_MS) this.sendBack(state, item);
      if (state.isDue(now)) this.plan(state);
    }
    if (this.states.size > 0) this.keepTicking();
  }
}
