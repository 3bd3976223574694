/**
 * Where a sender was, as W3C writes it: `traceparent` says in which span, `tracestate` what tracing systems add to that,
 * `baggage` what the application wants to have along. The three travel together, or only the first.
 */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
}

/** Of a message. Undefined when it says nothing of where it comes from. */
export function traceContextOf(message: Partial<TraceContext>): TraceContext | undefined {
  const { traceparent, tracestate, baggage } = message;
  return traceparent === undefined ? undefined : { traceparent, tracestate, baggage };
}
