import {
  context,
  createTraceState,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { openTelemetry, type OpenTelemetryOptions } from 'nestjs-rivulet/opentelemetry';
import type { Delivery } from '../../../lib/core/consumer/subscription.js';
import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import type { HandledFacts, Telemetry } from '../../../lib/core/runtime/telemetry.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { Sdk } from './sdk.js';

/** Where a sender of another system was. */
const FROM = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=x',
};
const TRACEPARENT = FROM.traceparent;

describe('openTelemetry, traces', () => {
  let sdk: Sdk;
  let bed: TestBed;
  const open = async (options: OpenTelemetryOptions = {}): Promise<TestBed> => {
    const { tracerProvider, meterProvider } = sdk;
    bed = await TestBed.open({
      telemetry: openTelemetry({ tracerProvider, meterProvider, ...options }),
    });
    return bed;
  };
  beforeEach(() => void (sdk = new Sdk()));
  afterEach(async () => {
    await bed?.close();
    await sdk.close();
  });

  it('make a span of each request, also when its topic and the way back are known', async () => {
    await open();
    await bed.subscribe({ topic: 'prices', group: 'prices', reply: true, handler: () => 100 });
    for (const number of [1, 2, 3]) {
      const asked = bed.rivulet.requester.request('prices', { number });
      await bed.advance(10);
      await asked;
    }
    const sends = sdk.spans('send prices');
    expect(sends).toHaveLength(3);
    expect(sdk.spans('process prices').map((span) => span.parentSpanContext?.spanId)).toEqual(
      sends.map((span) => span.spanContext().spanId),
    );
  });

  it('tell of what has no text, and hold nothing up', async () => {
    await open();
    const unreadable = Object.defineProperty(new Error(), 'message', {
      get() {
        throw new Error('not even that');
      },
    });
    for (const thrown of [Object.create(null) as object, Symbol('odd'), unreadable]) {
      const group = `throws-${typeof thrown}-${String(thrown instanceof Error)}`;
      await bed.subscribe({
        topic: 'orders',
        group,
        retry: { maxAttempts: 1 },
        handler: () => {
          throw thrown;
        },
      });
      const { messageId } = await bed.publish('orders', 1);
      expect(await bed.settled(messageId, group)).toMatchObject({ state: 'dead-lettered' });
    }
    const ended = sdk.spans('process orders').map(({ status }) => status.code);
    expect(new Set(ended)).toEqual(new Set([SpanStatusCode.ERROR]));
  });

  it('hold nothing up, and change nothing, when the SDK fails', async () => {
    const lines: string[] = [];
    const logger = { error: (line: string) => lines.push(line), warn() {}, log() {}, debug() {} };
    const { tracerProvider, meterProvider } = sdk;
    const failing = {
      getTracer: () => ({
        ...tracerProvider.getTracer('failing'),
        startSpan: (name: string) => {
          const span = sdk.tracer.startSpan(name);
          const fail = (): never => {
            throw new Error('a processor of spans failed');
          };
          return name.startsWith('process') ? fail() : Object.assign(span, { end: fail });
        },
      }),
    } as never;
    bed = await TestBed.open({
      logger,
      telemetry: openTelemetry({ tracerProvider: failing, meterProvider }),
    });
    const handled: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => void handled.push(body),
    });
    await bed.subscribe({
      topic: 'orders',
      group: 'slow',
      handler: async ({ body }) => void handled.push(await Promise.resolve(body)),
    });
    for (const body of [1, 2]) {
      const { messageId } = await bed.publish('orders', body);
      for (const group of ['billing', 'slow'])
        expect(await bed.settled(messageId, group)).toMatchObject({ state: 'acked' });
    }
    expect(handled).toEqual([1, 1, 2, 2]);
    expect(lines).toEqual([expect.stringContaining('a processor of spans failed')]);
  });

  it('let a message go without a trace when nobody can tell which it is', async () => {
    const lines: string[] = [];
    const logger = { error: (line: string) => lines.push(line), warn() {}, log() {}, debug() {} };
    const { tracerProvider, meterProvider } = sdk;
    const telemetry: Telemetry = {
      ...openTelemetry({ tracerProvider, meterProvider }),
      current() {
        throw new Error('a propagator failed');
      },
      sending: (_sent, run) => run(undefined),
    };
    bed = await TestBed.open({ logger, telemetry });
    await bed.publish('orders', 1);
    expect(await bed.sent('orders')).toMatchObject([{ traceparent: undefined }]);
    expect(lines).toEqual([expect.stringContaining('a propagator failed')]);
  });

  it('make one trace of a send, its handlers, and what those send', async () => {
    await open();
    const inHandler: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: async () => {
        inHandler.push(trace.getActiveSpan()?.spanContext().spanId);
        await bed.rivulet.producer.send('invoices', {});
      },
    });
    await bed.subscribe({ topic: 'invoices', group: 'mail' });
    const { messageId } = await sdk.tracer.startActiveSpan('POST /orders', async (request) => {
      const sent = await bed.publish('orders', { card: '4111' }, { key: 'k1', tag: 'new' });
      request.end();
      return sent;
    });
    await bed.settled(messageId);
    await bed.advance(10);

    const [request] = sdk.spans('POST /orders');
    const [send] = sdk.spans('send orders');
    const [handle] = sdk.spans('process orders');
    const [sendOn] = sdk.spans('send invoices');
    const [mail] = sdk.spans('process invoices');
    const chain = [request, send, handle, sendOn, mail].map((span) => ({
      parent: span?.parentSpanContext?.spanId,
      trace: span?.spanContext().traceId,
    }));
    const { traceId } = request!.spanContext();
    expect(chain).toEqual(
      [undefined, request, send, handle, sendOn].map((parent) => ({
        parent: parent?.spanContext().spanId,
        trace: traceId,
      })),
    );
    expect(inHandler).toEqual([handle!.spanContext().spanId]);
    expect([send!.kind, handle!.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER]);
    expect(handle!.links.map((link) => link.context.spanId)).toEqual([send!.spanContext().spanId]);
    expect(send!.attributes).toEqual({
      'messaging.system': 'rivulet',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders',
      'messaging.destination.partition.id': expect.any(String),
      'messaging.message.id': messageId,
      'messaging.rivulet.message.state': 'stored',
      'messaging.rivulet.message.key': 'k1',
      'messaging.rivulet.message.tag': 'new',
    });
    expect(handle!.attributes).toMatchObject({
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': 'billing',
      'messaging.message.id': messageId,
      'messaging.message.body.size': 15,
      'messaging.rivulet.message.attempt': 1,
      'messaging.rivulet.outcome': 'succeeded',
    });
    const attributes = [send, handle, sendOn, mail].map((span) => span!.attributes);
    expect(JSON.stringify(attributes)).not.toContain('4111');
  });

  it('tell a failed attempt and its retry apart, in the trace of the send', async () => {
    await open();
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ attempt }) => {
        if (attempt === 1) throw new TypeError('declined');
        throw new RejectMessageError('for good');
      },
    });
    await bed.publish('orders', {});
    await bed.advance(60_000);

    const [send] = sdk.spans('send orders');
    const attempts = sdk.spans('process orders');
    expect(attempts.map(({ attributes, status }) => ({ ...attributes, ...status }))).toEqual([
      expect.objectContaining({
        'messaging.rivulet.message.attempt': 1,
        'messaging.rivulet.outcome': 'failed',
        'error.type': 'TypeError',
        code: SpanStatusCode.ERROR,
        message: 'declined',
      }),
      expect.objectContaining({
        'messaging.rivulet.message.attempt': 2,
        'messaging.rivulet.outcome': 'rejected',
        code: SpanStatusCode.ERROR,
      }),
    ]);
    for (const { parentSpanContext } of attempts)
      expect(parentSpanContext?.spanId).toBe(send!.spanContext().spanId);
  });

  it('tell a send that fails, and throw its error unchanged', async () => {
    await open();
    const error = await bed.publish('no topic!', {}).catch((thrown: unknown) => thrown);
    const [send] = sdk.spans('send no topic!');
    expect((error as Error).message).toContain('topic must be');
    expect(send!.status.code).toBe(SpanStatusCode.ERROR);
    expect(send!.attributes['error.type']).toBe('INVALID_INPUT');
    await expect(bed.rivulet.producer.send('orders', {}, null as never)).rejects.toThrow(
      'Send to topic "orders"',
    );
  });

  it('carry the trace through a delay, an ordered group and a transaction', async () => {
    await open();
    await bed.subscribe({ topic: 'orders', group: 'ledger', ordered: true });
    await sdk.tracer.startActiveSpan('request', async (request) => {
      await bed.publish('orders', 1, { messageGroup: 'a', delayMs: 5_000 });
      await bed.rivulet.transactions.run(() =>
        bed.rivulet.producer.send('orders', 2, { messageGroup: 'a' }),
      );
      request.end();
    });
    await bed.advance(10_000);
    const { traceId } = sdk.spans('request')[0]!.spanContext();
    const handled = sdk.spans('process orders');
    expect(handled.map((span) => span.spanContext().traceId)).toEqual([traceId, traceId]);
    expect(
      sdk
        .spans('send orders')
        .map(({ attributes }) => attributes['messaging.rivulet.message.state']),
    ).toEqual(['scheduled', 'half']);
  });

  it('begin a trace for each handler with relation "link"', async () => {
    await open({ relation: 'link' });
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const { messageId } = await bed.publish('orders', {});
    await bed.settled(messageId);
    const [send] = sdk.spans('send orders');
    const [handle] = sdk.spans('process orders');
    expect(handle!.parentSpanContext).toBeUndefined();
    expect(handle!.spanContext().traceId).not.toBe(send!.spanContext().traceId);
    expect(handle!.links.map((link) => link.context.spanId)).toEqual([send!.spanContext().spanId]);
  });

  it('link a batch to each of its messages, and its sends to the batch', async () => {
    await open();
    bed.rivulet.subscribeBatch({
      topic: 'orders',
      group: 'olap',
      origin: 'test',
      batch: { size: 2, withinMs: 1_000 },
      handler: () => bed.rivulet.producer.send('loaded', {}),
    });
    await bed.rivulet.consume();
    await Promise.all([bed.publish('orders', 1), bed.publish('orders', 2)]);
    await bed.advance(10);
    const [batch, more] = sdk.spans('process orders');
    expect(more).toBeUndefined();
    expect(batch!.attributes['messaging.batch.message_count']).toBe(2);
    expect(batch!.links.map((link) => link.context.spanId).toSorted()).toEqual(
      sdk
        .spans('send orders')
        .map((span) => span.spanContext().spanId)
        .toSorted(),
    );
    expect(sdk.spans('send loaded')[0]!.parentSpanContext?.spanId).toBe(
      batch!.spanContext().spanId,
    );
  });

  it('continue the trace that the sender gave itself', async () => {
    await open();
    await bed.publish('orders', {}, { traceparent: TRACEPARENT });
    const [send] = sdk.spans('send orders');
    expect(send!.parentSpanContext).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
    });
  });

  it('carry the tracestate of the code that sends, also where it gives none', async () => {
    await open();
    const outer = trace.wrapSpanContext({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.SAMPLED,
      traceState: createTraceState('vendor=y'),
    });
    await context.with(trace.setSpan(context.active(), outer), () => bed.publish('orders', {}));
    const [sent] = await bed.sent('orders');
    expect(sent).toMatchObject({
      traceparent: expect.stringContaining('0af7651916cd43dd8448eb211c80319c'),
      tracestate: 'vendor=y',
    });
  });

  it.each([{ relation: 'parent' }, { relation: 'link' }] as const)(
    'take nothing from where they begin, which may be at the end of another message, with %p',
    async (options) => {
      const telemetry = openTelemetry({ tracerProvider: sdk.tracerProvider, ...options });
      const foreign = propagation.createBaggage({ tenant: { value: 'of another' } });
      const tenant = () => propagation.getBaggage(context.active())?.getEntry('tenant')?.value;
      const facts = {
        group: 'billing',
        attempt: 1,
        message: { topic: 'orders', bytes: Buffer.of() } as unknown as HandledFacts['message'],
      };
      const seen = await context.with(
        propagation.setBaggage(context.active(), foreign),
        async () => {
          let one: string | undefined;
          await telemetry.handling(facts, () => {
            one = tenant();
            return { kind: 'succeeded' };
          });
          return [one, await telemetry.handlingBatch([facts], async () => tenant()), tenant()];
        },
      );
      expect(seen).toEqual([undefined, undefined, 'of another']);
    },
  );

  it.each([{ relation: 'parent' }, { relation: 'link' }] as const)(
    'carry tracestate and baggage to the handler, and to what that sends, with %p',
    async (options) => {
      await open(options);
      const seen: unknown[] = [];
      const look = (): void => {
        const inside = context.active();
        seen.push([
          trace.getSpanContext(inside)?.traceState?.serialize(),
          propagation.getBaggage(inside)?.getEntry('tenant')?.value,
        ]);
      };
      await bed.subscribe({
        topic: 'orders',
        group: 'billing',
        retry: { maxAttempts: 2, backoff: () => 1_000 },
        handler: async ({ attempt }) => {
          if (attempt === 1) throw new Error('not yet');
          look();
          await bed.rivulet.producer.send('invoices', {});
        },
      });
      await bed.subscribe({ topic: 'invoices', group: 'mail', handler: look });
      const tenant = propagation.createBaggage({ tenant: { value: 'a b' } });
      await context.with(propagation.setBaggage(context.active(), tenant), () =>
        bed.publish('orders', {}, { delayMs: 5_000 }),
      );
      await bed.advance(10_000);
      expect(seen).toEqual([
        [undefined, 'a b'],
        [undefined, 'a b'],
      ]);
      seen.length = 0;
      await bed.publish('invoices', {}, { ...FROM, baggage: 'tenant=c' });
      await bed.advance(10);
      expect(seen).toEqual([[options.relation === 'parent' ? 'vendor=x' : undefined, 'c']]);
    },
  );

  it('let out no baggage where the propagator of the SDK has none', async () => {
    await open();
    propagation.disable();
    const seen: unknown[] = [];
    const handler = ({ message }: Delivery) => void seen.push(message.traceparent, message.baggage);
    await bed.subscribe({ topic: 'orders', group: 'billing', handler });
    const secret = propagation.createBaggage({ secret: { value: 'x' } });
    await context.with(propagation.setBaggage(context.active(), secret), () =>
      bed.publish('orders', {}),
    );
    await bed.advance(10);
    expect(seen).toEqual([expect.any(String), undefined]);
  });

  it('leave baggage behind for which the header has no room, and send the message', async () => {
    await open();
    const seen: unknown[] = [];
    const handler = ({ message }: Delivery) => void seen.push(message.traceparent, message.baggage);
    await bed.subscribe({ topic: 'orders', group: 'billing', handler });
    const baggage = `tenant=${'c'.repeat(8_000)}`;
    await bed.publish('orders', {}, { ...FROM, baggage, properties: { long: 'x'.repeat(12_000) } });
    await bed.advance(10);
    expect(seen).toEqual([expect.any(String), undefined]);
  });

  it('hand on the trace of a message without an SDK', async () => {
    bed = await TestBed.open({ telemetry: openTelemetry() });
    context.disable();
    propagation.disable();
    const seen: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: () => bed.rivulet.producer.send('invoices', {}),
    });
    await bed.subscribe({
      topic: 'invoices',
      group: 'mail',
      handler: ({ message: { traceparent, tracestate, baggage } }) =>
        void seen.push({ traceparent, tracestate, baggage }),
    });
    await bed.publish('orders', {}, { ...FROM, baggage: 'tenant=c' });
    await bed.advance(10);
    expect(seen).toEqual([{ ...FROM, baggage: 'tenant=c' }]);
  });

  it('refuse options that nobody means, all at once', () => {
    const wrong = { relation: 'child', lags: true, lag: 1 } as object as OpenTelemetryOptions;
    expect(() => openTelemetry(wrong)).toThrow(InvalidOptionsError);
    expect(() => openTelemetry(wrong)).toThrow(
      /did you mean "lag"\?[\s\S]*relation must be[\s\S]*lag must be/,
    );
    expect(() => openTelemetry(null as never)).toThrow('options must be an object, got: null');
  });
});
