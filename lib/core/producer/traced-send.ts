import type { SendOptions } from '../message/message.js';
import type { SentFacts } from '../runtime/telemetry.js';
import { type TraceContext, traceContextOf } from '../runtime/trace-context.js';

/** What tracing is told of a send. */
export function sentFacts(topic: string, options: SendOptions | null): SentFacts {
  const { key, tag, messageGroup } = options ?? {};
  return { topic, key, tag, messageGroup, from: traceContextOf(options ?? {}) };
}

/** The options of a send that carries where it was. What is no object is left as it is, to be refused as such. */
export function carrying(context: TraceContext | undefined, options: SendOptions): SendOptions {
  const isNone = typeof options !== 'object' || options === null;
  if (context === undefined || isNone) return options;
  const { traceparent, tracestate, baggage } = context;
  return {
    ...options,
    traceparent,
    ...(tracestate !== undefined && { tracestate }),
    ...(baggage !== undefined && { baggage }),
  };
}
