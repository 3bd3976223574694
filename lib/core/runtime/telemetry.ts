import type { TraceContext } from './trace-context.js';
import type { Events } from './events.js';

/** What is known of a send before it has an id and a queue. Never its body. */
export interface SentFacts {
  readonly topic: string;
  readonly key: string | undefined;
  readonly tag: string | undefined;
  readonly messageGroup: string | undefined;
  /** Where the sender says that it is. */
  readonly from: TraceContext | undefined;
}

/** The answer to a send. */
export interface SentResult {
  readonly messageId: string;
  readonly queue: number;
  readonly state: string;
}

/** A message that is about to be handled. Of its body only the size is for telling. */
export interface HandledFacts {
  readonly message: {
    readonly messageId: string;
    readonly topic: string;
    readonly queue: number;
    readonly offset: string;
    readonly key: string | undefined;
    readonly tag: string | undefined;
    readonly messageGroup: string | undefined;
    readonly traceparent: string | undefined;
    readonly tracestate: string | undefined;
    readonly baggage: string | undefined;
    readonly bytes: { readonly byteLength: number };
  };
  readonly group: string;
  readonly attempt: number;
}

/** What became of it. `kind` "succeeded" is good, and so is what has no `error`. */
export interface HandledOutcome {
  readonly kind: string;
  readonly error?: unknown;
}

/** How far a group of this process is behind, over all queues of a topic. */
export interface LagReading {
  readonly topic: string;
  readonly group: string;
  /** Published and not settled; null when the store cannot tell. */
  readonly lag: number | null;
  readonly deadLetters: number;
}

/** What there is to measure in a running instance. */
export interface Measured {
  readonly events: Pick<Events, 'on'>;
  /** Asks the store. Rejects when it does not answer. */
  lags(): Promise<LagReading[]>;
  /** Messages that wait for their confirm. */
  buffered(): number;
  /** What the user called the topics of a subscription: a pattern of topics, or the pattern of a Nest handler. */
  declaredTopic(topic: string, group: string): string;
}

/**
 * Traces and metrics, of whatever kind. A message is traced by the W3C trace context in its header.
 *
 * None of these may throw; what `run` answers or throws is answered or thrown unchanged.
 */
export interface Telemetry {
  /** The trace context of the code that runs now, for what it sends. */
  current(): TraceContext | undefined;

  /** Around a send, from the call to its confirm. `run` takes the trace context that the message is to carry. */
  sending<R extends SentResult>(
    sent: SentFacts,
    run: (context: TraceContext | undefined) => Promise<R>,
  ): Promise<R>;

  /** Around one attempt: body decoded, guards, pipes, handler, and what stands around it. `run` neither throws nor rejects. */
  handling<O extends HandledOutcome>(
    delivery: HandledFacts,
    run: () => O | Promise<O>,
  ): O | Promise<O>;

  /** Around the handler of a batch. */
  handlingBatch<R>(deliveries: readonly HandledFacts[], run: () => Promise<R>): Promise<R>;

  /** Begin to measure. The returned function ends it. */
  measure(measured: Measured): () => void;
}
