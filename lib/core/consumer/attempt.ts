import type { MessageView } from '../message/message.js';
import type { DeliveredEntry } from '../store/delivery-store.js';
import type { GuardedDelivery } from './subscription.js';

/** One message in this process's hands, from its start to its settle. The handler gets it as its `Delivery`. */
export class Attempt implements GuardedDelivery {
  readonly entry: DeliveredEntry;
  readonly message: MessageView;
  readonly group: string;
  /** By the monotonic clock. */
  readonly startedAt: number;
  readonly fencingToken: number | undefined;
  /** To be called once it is settled, or given up to others. */
  readonly whenOver: () => void;
  body: unknown = undefined;
  /** Once it has an outcome, whatever the handler still answers changes nothing. */
  ended = false;
  /** Its handler has ended and gave its slot back; its outcome is still being recorded. */
  isHandled = false;
  /** Neighbours in the list of what is in hand (`InHand`). */
  older: Attempt | undefined = undefined;
  newer: Attempt | undefined = undefined;
  private readonly onHandled: ((attempt: Attempt) => void) | undefined;
  private aborter: AbortController | undefined;
  private abortReason: Error | undefined;

  constructor(options: {
    entry: DeliveredEntry;
    message: MessageView;
    group: string;
    startedAt: number;
    fencingToken?: number;
    whenOver: () => void;
    /** Called once, when it has ended and something is left to be recorded. */
    onHandled?: (attempt: Attempt) => void;
  }) {
    this.entry = options.entry;
    this.message = options.message;
    this.group = options.group;
    this.startedAt = options.startedAt;
    this.fencingToken = options.fencingToken;
    this.whenOver = options.whenOver;
    this.onHandled = options.onHandled;
  }

  get attempt(): number {
    return this.entry.attempt;
  }

  /** Made when somebody asks for it: most handlers never do, and it costs as much as the rest of a dispatch. */
  get signal(): AbortSignal {
    if (!this.aborter) {
      this.aborter = new AbortController();
      if (this.abortReason) this.aborter.abort(this.abortReason);
    }
    return this.aborter.signal;
  }

  get isAborted(): boolean {
    return this.abortReason !== undefined;
  }

  handled(): void {
    if (this.isHandled || this.ended) return;
    this.isHandled = this.onHandled !== undefined;
    this.onHandled?.(this);
  }

  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.aborter?.abort(this.abortReason);
  }
}
