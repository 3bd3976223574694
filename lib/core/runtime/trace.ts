import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The W3C trace context of the message being handled, so that what a handler sends belongs to the same trace.
 * One per runtime: two applications in one process never see each other's.
 */
export class TraceScope {
  private readonly storage = new AsyncLocalStorage<string>();
  private used = false;

  /** Free of cost for messages that carry no trace context. */
  run<T>(traceparent: string | undefined, work: () => T): T {
    if (traceparent === undefined) return this.used ? this.storage.exit(work) : work();
    this.used = true;
    return this.storage.run(traceparent, work);
  }

  current(): string | undefined {
    return this.used ? this.storage.getStore() : undefined;
  }
}
