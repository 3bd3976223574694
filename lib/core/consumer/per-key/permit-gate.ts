import type { MessageView } from '../../message/message.js';
import type { DeliveredEntry } from '../../store/delivery-store.js';
import { classify, type Opened } from '../dispatch.js';
import type { Outcome } from '../outcome.js';
import type { Subscription } from '../subscription.js';
import { type ConcurrencyPer, keyOf } from './concurrency-per.js';
import type { Permits } from './permits.js';
import type { PermitUser } from './waiting-room.js';

export interface PermitGateOptions {
  subscription: Subscription;
  per: ConcurrencyPer;
  permits: Permits;
  /** It lacks nothing but a slot. */
  onReady(entry: DeliveredEntry): void;
  /** No handler is bothered with it, at least now. */
  onOutcome(entry: DeliveredEntry, passed: Passed): void;
}

interface Passed {
  message: MessageView | undefined;
  outcome: Outcome;
}

/** What runs alone holds up all else: it is looked at again after this. */
const ALONE_AGAIN_MS = 1_000;

/** The way of one topic's deliveries past the permits of its subscription. */
export class PermitGate implements PermitUser {
  private readonly options: PermitGateOptions;

  constructor(options: PermitGateOptions) {
    this.options = options;
  }

  admit(entry: DeliveredEntry, message: MessageView): void {
    const { permits, onReady, onOutcome } = this.options;
    const found = this.keyOf(message);
    if ('outcome' in found) onOutcome(entry, found);
    else if (found.key === undefined) onReady(entry);
    else permits.admit(entry, found.key, this);
  }

  /** Without an outcome: it may begin. */
  async admitAlone(entry: DeliveredEntry, message: MessageView): Promise<Opened> {
    const found = this.keyOf(message);
    if ('outcome' in found) return found;
    if (found.key === undefined) return { message };
    const isAdmitted = await this.options.permits.admitNow(entry, found.key);
    return isAdmitted
      ? { message }
      : { message, outcome: { kind: 'busy', delayMs: ALONE_AGAIN_MS } };
  }

  start(entry: DeliveredEntry): void {
    this.options.onReady(entry);
  }

  sendBack(entry: DeliveredEntry, delayMs: number): void {
    const outcome: Outcome = { kind: 'busy', delayMs };
    this.options.onOutcome(entry, { message: undefined, outcome });
  }

  /** Deliveries of a queue that wait here. */
  waitingOf(topic: string, queue: number): DeliveredEntry[] {
    return this.options.permits.waitingOf(topic, queue);
  }

  /** Takes out all that waits. */
  takeOut(): DeliveredEntry[] {
    return this.options.permits.takeOut(this);
  }

  /** It ends, or does not begin after all. */
  leave(entry: DeliveredEntry): void {
    this.options.permits.leave(entry);
  }

  /** Whether what was given back is known to the store. */
  get isIdle(): boolean {
    return this.options.permits.isIdle;
  }

  private keyOf(message: MessageView): { key: string | undefined } | Passed {
    try {
      return { key: keyOf(message, this.options.per) };
    } catch (error) {
      return { message, outcome: classify(error, this.options.subscription) };
    }
  }
}
