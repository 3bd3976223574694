import { InvalidOptionsError } from '../core/message/errors.js';
import { unknownOptions } from '../core/message/options.js';
import { type Clock, systemClock } from '../core/runtime/clock.js';
import type { StoreHealth } from '../core/runtime/store-health.js';
import type { Availability, Stores } from '../core/store/stores.js';
import { MemoryAgenda } from './memory-agenda.js';
import { MemoryDeadLetterStore } from './memory-dead-letter-store.js';
import { MemoryDedupStore } from './memory-dedup-store.js';
import { MemoryDeliveryStore } from './memory-delivery-store.js';
import { MemoryGate } from './memory-gate.js';
import { MemoryGroupPresence } from './memory-group-presence.js';
import { MemoryHalfMessageStore } from './memory-half-message-store.js';
import { MemoryMembership } from './memory-membership.js';
import { MemoryMessageLog } from './memory-message-log.js';
import { MemoryQueueLeaseStore } from './memory-queue-lease-store.js';
import { MemoryPauseStore } from './memory-pause-store.js';
import { MemoryPermitStore } from './memory-permit-store.js';
import { MemoryRateLimitStore } from './memory-rate-limit-store.js';
import { MemoryRecurringStore } from './memory-recurring-store.js';
import { MemoryReplyStore } from './memory-reply-store.js';
import { MemoryScheduleStore } from './memory-schedule-store.js';
import { MemoryState } from './memory-state.js';
import { MemoryTopicRegistry } from './memory-topic-registry.js';
import { Tampering } from './tampering.js';

/**
 * All stores, in this process: for tests, held to the same contract suite as the Redis stores.
 *
 * One `MemoryStores` is one client. `sibling()` is another client of the same data, as a second process would be;
 * each has its own connection, which a test can cut (`goDown`) and on which it can lose replies.
 */
export class MemoryStores implements Stores {
  readonly topics: MemoryTopicRegistry;
  readonly log: MemoryMessageLog;
  readonly schedule: MemoryScheduleStore;
  readonly halves: MemoryHalfMessageStore;
  readonly deliveries: MemoryDeliveryStore;
  readonly deadLetters: MemoryDeadLetterStore;
  readonly leases: MemoryQueueLeaseStore;
  readonly recurring: MemoryRecurringStore;
  readonly paused: MemoryPauseStore;
  readonly rates: MemoryRateLimitStore;
  readonly permits: MemoryPermitStore;
  readonly dedup: MemoryDedupStore;
  readonly agenda: MemoryAgenda;
  readonly members: MemoryMembership;
  readonly presence: MemoryGroupPresence;
  readonly replies: MemoryReplyStore;
  readonly clock: Clock;
  /** What happens behind the library's back. Works while the stores are down. */
  readonly tamper: Tampering;
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  /**
   * @param options.clock the application goes by it, too (`RivuletModule.forRoot({ stores })`). Default: time as it is.
   * @param options.shared whose data to work on; its own by default.
   */
  constructor(options: { clock?: Clock; shared?: MemoryStores } = {}) {
    const problems = unknownOptions(options, ['clock', 'shared']);
    if (problems.length > 0) throw new InvalidOptionsError('Options of MemoryStores', problems);
    const { clock = systemClock } = options;
    this.clock = clock;
    const state = (this.state = options.shared?.state ?? new MemoryState());
    const gate = (this.gate = new MemoryGate(clock));
    this.topics = new MemoryTopicRegistry(state, gate);
    this.log = new MemoryMessageLog(state, gate);
    this.schedule = new MemoryScheduleStore(state, gate);
    this.halves = new MemoryHalfMessageStore(state, gate);
    this.deliveries = new MemoryDeliveryStore(state, gate);
    this.deadLetters = new MemoryDeadLetterStore(state, gate);
    this.leases = new MemoryQueueLeaseStore(state, gate);
    this.recurring = new MemoryRecurringStore(state, gate);
    this.paused = new MemoryPauseStore(state, gate);
    this.rates = new MemoryRateLimitStore(state, gate);
    this.permits = new MemoryPermitStore(state, gate);
    this.dedup = new MemoryDedupStore(state, gate);
    this.agenda = new MemoryAgenda(state, gate);
    this.members = new MemoryMembership(() => state.members, gate);
    this.presence = new MemoryGroupPresence(state, gate);
    this.replies = new MemoryReplyStore(state, gate);
    this.tamper = new Tampering(state, () => clock.now());
  }

  /** Another client of the same data. */
  sibling(): MemoryStores {
    return new MemoryStores({ clock: this.clock, shared: this });
  }

  /** From now on every call of this client rejects with StoreUnavailableError and does nothing. */
  goDown(error?: Error): void {
    this.gate.goDown(error);
  }

  comeUp(): void {
    this.gate.comeUp();
  }

  /** The next `count` calls of this client are carried out and then reject with StoreUnavailableError. */
  loseReplies(count: number): void {
    this.gate.loseReplies(count);
  }

  open(timeoutMs: number): Promise<void> {
    return this.gate.open(timeoutMs);
  }

  /** Nothing survives the process, which is what a test wants. */
  health(): Promise<StoreHealth> {
    return this.gate.call(() => ({ server: 'memory', durability: 'none', problems: [] }));
  }

  get availability(): Availability {
    return this.gate;
  }

  close(): Promise<void> {
    this.gate.close();
    return Promise.resolve();
  }
}
