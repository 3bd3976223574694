import {
  type Context,
  createTraceState,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import type { TraceContext } from '../core/runtime/trace-context.js';

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

/** The span that a context is in, and its baggage, as a message carries them. Undefined outside of any, and without an SDK. */
export function carriedBy(context: Context): TraceContext | undefined {
  const span = trace.getSpanContext(context);
  if (!span || !isSpanContextValid(span)) return undefined;
  const flags = (span.traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0');
  const traceparent = `00-${span.traceId}-${span.spanId}-${flags}`;
  const tracestate = span.traceState?.serialize() || undefined;
  return { traceparent, tracestate, baggage: baggageOf(context) };
}

/** Written by the propagator that the SDK was given: one without baggage lets none out. */
function baggageOf(context: Context): string | undefined {
  if (!propagation.getBaggage(context)) return undefined;
  const carrier: { baggage?: string } = {};
  propagation.inject(context, carrier);
  return carrier.baggage;
}

/** Where the sender was. Undefined when the message says nothing, or nothing that can be read. */
export function senderOf(message: Partial<TraceContext>): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(message.traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  const { tracestate } = message;
  const span: SpanContext = {
    traceId,
    spanId,
    traceFlags: parseInt(flags!, 16),
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(span) ? span : undefined;
}

/** A context with nothing in it but that span. */
export function contextOf(span: SpanContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, span);
}

/** The context with the baggage of a message, as the propagator of the SDK reads it. */
export function withBaggage(context: Context, { baggage }: Partial<TraceContext>): Context {
  return baggage === undefined ? context : propagation.extract(context, { baggage });
}
