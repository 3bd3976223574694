import { AsyncLocalStorage } from 'node:async_hooks';
import { type TraceContext, traceContextOf } from './trace-context.js';
import type {
  HandledFacts,
  HandledOutcome,
  SentFacts,
  SentResult,
  Telemetry,
} from './telemetry.js';

/**
 * The W3C trace context of the message being handled, so that what a handler sends belongs to the same trace; with
 * telemetry, the spans around both. One per runtime: two applications in one process never see each other's.
 */
export class TraceScope {
  private readonly telemetry: Telemetry | undefined;
  private readonly storage = new AsyncLocalStorage<TraceContext>();
  private used = false;

  constructor(options: { telemetry?: Telemetry | undefined } = {}) {
    this.telemetry = options.telemetry;
  }

  /** Whether anybody is told of sends: without, a send need not make anything for it. */
  get isTold(): boolean {
    return this.telemetry !== undefined;
  }

  /** For a message that the code which runs now is sending. */
  current(): TraceContext | undefined {
    return this.telemetry?.current() ?? (this.used ? this.storage.getStore() : undefined);
  }

  /** A send, with the trace context that its message is to carry; undefined: whatever `current` says. */
  sending<R extends SentResult>(
    sent: () => SentFacts,
    run: (context: TraceContext | undefined) => Promise<R>,
  ): Promise<R> {
    return this.telemetry ? this.telemetry.sending(sent(), run) : run(undefined);
  }

  /** One attempt. Free of cost without telemetry, for messages that carry no trace context. */
  handling<O extends HandledOutcome>(
    delivery: HandledFacts,
    run: () => O | Promise<O>,
  ): O | Promise<O> {
    const context = traceContextOf(delivery.message);
    return this.telemetry
      ? this.telemetry.handling(delivery, () => this.within(context, run))
      : this.within(context, run);
  }

  /** A batch, which belongs to the trace of none of its messages alone. */
  handlingBatch<R>(deliveries: readonly HandledFacts[], run: () => Promise<R>): Promise<R> {
    const apart = (): Promise<R> => this.within(undefined, run);
    return this.telemetry ? this.telemetry.handlingBatch(deliveries, apart) : apart();
  }

  within<T>(context: TraceContext | undefined, work: () => T): T {
    if (context === undefined) return this.used ? this.storage.exit(work) : work();
    this.used = true;
    return this.storage.run(context, work);
  }
}
