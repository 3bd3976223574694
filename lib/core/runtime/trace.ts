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
  private readonly onFailure: (error: unknown) => void;
  private readonly storage = new AsyncLocalStorage<TraceContext | undefined>();
  private used = false;

  constructor(
    options: {
      telemetry?: Telemetry | undefined;
      /** Hears what telemetry itself failed with, such as a processor of spans that throws. */
      onFailure?: (error: unknown) => void;
    } = {},
  ) {
    this.telemetry = options.telemetry;
    this.onFailure = options.onFailure ?? (() => undefined);
  }

  /** Whether anybody is told of sends: without, a send need not make anything for it. */
  get isTold(): boolean {
    return this.telemetry !== undefined;
  }

  /** For a message that the code which runs now is sending. */
  current(): TraceContext | undefined {
    return this.ofTelemetry() ?? (this.used ? this.storage.getStore() : undefined);
  }

  private ofTelemetry(): TraceContext | undefined {
    try {
      return this.telemetry?.current();
    } catch (error) {
      this.onFailure(error);
      return undefined;
    }
  }

  /** A send, with the trace context that its message is to carry; undefined: whatever `current` says. */
  sending<R extends SentResult>(
    sent: () => SentFacts,
    run: (context: TraceContext | undefined) => Promise<R>,
  ): Promise<R> {
    const { telemetry } = this;
    return telemetry ? this.told((once) => telemetry.sending(sent(), once), run) : run(undefined);
  }

  /** One attempt. Free of cost without telemetry, for messages that carry no trace context. */
  handling<O extends HandledOutcome>(
    delivery: HandledFacts,
    run: () => O | Promise<O>,
  ): O | Promise<O> {
    const context = traceContextOf(delivery.message);
    const { telemetry } = this;
    if (!telemetry) return this.within(context, run);
    let outcome: O | Promise<O> | undefined;
    const once = (): O | Promise<O> => (outcome ??= this.within(context, run));
    const untold = (error: unknown): O | Promise<O> => {
      this.onFailure(error);
      return once();
    };
    try {
      const told = telemetry.handling(delivery, once);
      return told instanceof Promise ? told.catch(untold) : told;
    } catch (error) {
      return untold(error);
    }
  }

  /** What is called later, from anywhere, as if it were called now: in the trace of this message, in its spans. */
  kept<T>(message: Partial<TraceContext> | undefined, work: () => T): () => T {
    if (!this.telemetry) return () => this.within(message && traceContextOf(message), work);
    const inside = AsyncLocalStorage.snapshot();
    return () => inside(work);
  }

  /** A batch, which belongs to the trace of none of its messages alone. */
  handlingBatch<R>(deliveries: readonly HandledFacts[], run: () => Promise<R>): Promise<R> {
    const apart = (): Promise<R> => this.within(undefined, run);
    const { telemetry } = this;
    return telemetry
      ? this.told((once) => telemetry.handlingBatch(deliveries, () => once(undefined)), apart)
      : apart();
  }

  /** The work is done once, and what comes of it is what comes of this, whatever telemetry fails with. */
  private async told<R>(
    tell: (once: (context: TraceContext | undefined) => Promise<R>) => Promise<R>,
    work: (context: TraceContext | undefined) => Promise<R>,
  ): Promise<R> {
    let working: Promise<R> | undefined;
    const once = (context: TraceContext | undefined): Promise<R> => (working ??= work(context));
    try {
      return await tell(once);
    } catch (error) {
      const result = await once(undefined);
      this.onFailure(error);
      return result;
    }
  }

  within<T>(context: TraceContext | undefined, work: () => T): T {
    // Not `exit`: that switches the tracking of the whole process off and on again.
    if (context === undefined && !(this.used && this.storage.getStore())) return work();
    this.used = true;
    return this.storage.run(context, work);
  }

  /** Nothing is known of code that still runs. Before Node 24 each promise visits a storage that ever ran something. */
  close(): void {
    this.used = false;
    this.storage.disable();
  }
}
