import {
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { describeError } from '../core/consumer/outcome.js';
import type { TraceContext } from '../core/runtime/trace-context.js';
import type {
  HandledFacts,
  HandledOutcome,
  SentFacts,
  SentResult,
} from '../core/runtime/telemetry.js';
import { errorType, handledAttributes, operation, sentAttributes } from './attributes.js';
import { carriedBy, contextOf, senderOf, withBaggage } from './span-context.js';

/** How the span of a handler belongs to that of the sender. */
export type Relation = 'parent' | 'link';

/** Spans around sends and handlers. */
export class Spans {
  private readonly tracer: Tracer;
  private readonly relation: Relation;

  constructor(options: { tracer: Tracer; relation: Relation }) {
    this.tracer = options.tracer;
    this.relation = options.relation;
  }

  async sending<R extends SentResult>(
    sent: SentFacts,
    run: (context: TraceContext | undefined) => Promise<R>,
  ): Promise<R> {
    // What the sender gives itself is where it is: it knows better than the context it runs in.
    const given = sent.from && senderOf(sent.from);
    const parent = given ? withBaggage(contextOf(given), sent.from ?? {}) : context.active();
    const options = { kind: SpanKind.PRODUCER, attributes: sentAttributes(sent) };
    const { span, within } = this.start(`send ${sent.topic}`, options, parent);
    try {
      const result = await context.with(within, () => run(carriedBy(within)));
      span.setAttributes({
        'messaging.message.id': result.messageId,
        'messaging.rivulet.message.state': result.state,
      });
      // Of a half message, and of one that waits for its time, it is where it will be.
      span.setAttribute('messaging.destination.partition.id', String(result.queue));
      return result;
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  handling<O extends HandledOutcome>(
    delivery: HandledFacts,
    run: () => O | Promise<O>,
  ): O | Promise<O> {
    const { message } = delivery;
    const sender = senderOf(message);
    const isChild = sender && this.relation === 'parent';
    const options: SpanOptions = {
      kind: SpanKind.CONSUMER,
      attributes: handledAttributes(delivery),
      root: !isChild,
      ...(sender && { links: [{ context: sender }] }),
    };
    // Not the active context: the end of another message may have begun this one.
    const parent = withBaggage(isChild ? contextOf(sender) : ROOT_CONTEXT, message);
    const { span, within } = this.start(`process ${message.topic}`, options, parent);
    const outcome = context.with(within, run);
    const end = (ended: O): O => {
      span.setAttribute('messaging.rivulet.outcome', ended.kind);
      if (ended.error !== undefined) fail(span, ended.error);
      span.end();
      return ended;
    };
    return outcome instanceof Promise ? outcome.then(end) : end(outcome);
  }

  async handlingBatch<R>(deliveries: readonly HandledFacts[], run: () => Promise<R>): Promise<R> {
    const [first] = deliveries;
    const topic = first?.message.topic ?? '';
    const senders = deliveries.map(({ message }) => senderOf(message));
    const options: SpanOptions = {
      kind: SpanKind.CONSUMER,
      attributes: {
        ...operation('process'),
        'messaging.destination.name': topic,
        ...(first && { 'messaging.consumer.group.name': first.group }),
        'messaging.batch.message_count': deliveries.length,
      },
      root: true,
      links: senders.flatMap((sender) => (sender ? [{ context: sender }] : [])),
    };
    const { span, within } = this.start(`process ${topic}`, options, ROOT_CONTEXT);
    try {
      return await context.with(within, run);
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  private start(name: string, options: SpanOptions, parent: Context) {
    const span = this.tracer.startSpan(name, options, parent);
    return { span, within: trace.setSpan(parent, span) };
  }
}

/** Whatever it is that was thrown: the delivery is settled by what comes after this. */
function fail(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute('error.type', errorType(error));
  try {
    const isError = error instanceof Error;
    span.recordException(isError ? error : String(error));
    if (isError) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  } catch {
    span.recordException(describeError(error)); // it has no text, or will not be read
  }
}
