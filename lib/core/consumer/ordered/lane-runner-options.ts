import type { Clock } from '../../runtime/clock.js';
import type { DispatchTools } from '../dispatch.js';
import type { Reporter } from '../reporter.js';
import type { Subscription } from '../subscription.js';
import type { LaneSlots } from './lane-slots.js';
import type { OrderedRules } from './ordered-rules.js';
import type { StepQueue } from './step-queue.js';

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
