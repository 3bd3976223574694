import type { QueueFaultedError } from '../../message/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Events } from '../../runtime/events.js';
import type { Logger } from '../../runtime/logger.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { OrderedBy } from '../../store/topic-registry.js';
import type { Reporter } from '../reporter.js';
import type { LaneMemory } from './lane-memory.js';
import type { LaneRunnerOptions } from './lane-runner-options.js';
import type { OrderedTiming } from './ordered-timing.js';

/** What a queue needs to be worked on. */
export interface LeasedQueueOptions extends Omit<
  LaneRunnerOptions,
  'steps' | 'isOurs' | 'wake' | 'lanes'
> {
  ref: GroupQueue;
  leases: QueueLeaseStore;
  by: OrderedBy;
  clock: Clock;
  events: Events;
  logger: Logger;
  reporter: Reporter;
  timing: OrderedTiming;
  /** Shared by the queues of the subscription. */
  memory: LaneMemory;
  /** It has read everything there is. */
  onDrained(): void;
  /** It cannot be read. Answers for how long to leave it alone, in milliseconds. */
  onFault(fault: QueueFaultedError): Promise<number>;
}
