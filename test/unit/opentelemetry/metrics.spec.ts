import { openTelemetry } from 'nestjs-rivulet/opentelemetry';
import { tags } from '../../../lib/core/filter/message-filter.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { Sdk } from './sdk.js';

describe('openTelemetry, metrics', () => {
  let sdk: Sdk;
  let bed: TestBed;
  beforeEach(async () => {
    sdk = new Sdk();
    const { tracerProvider, meterProvider } = sdk;
    bed = await TestBed.open({ telemetry: openTelemetry({ tracerProvider, meterProvider }) });
  });
  afterEach(async () => {
    await bed.close();
    await sdk.close();
  });

  it('count sends, attempts, and what became of them', async () => {
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      filter: tags('paid'),
      retry: { maxAttempts: 2 },
      handler: ({ body }) => {
        if (body === 'bad') throw new RangeError('too much');
      },
    });
    for (const [body, tag] of [
      ['good', 'paid'],
      ['bad', 'paid'],
      ['other', 'new'],
    ] as const)
      await bed.publish('orders', body, { tag });
    await bed.publish('orders', 1n).catch(() => undefined);
    await bed.advance(60_000);

    expect(await sdk.measured('messaging.client.sent.messages')).toEqual({ orders: 3 });
    expect(await sdk.measured('messaging.client.operation.duration')).toEqual({
      orders: 3,
      'orders CODEC': 1,
    });
    expect(await sdk.measured('messaging.client.consumed.messages')).toEqual({
      'orders billing': 3,
    });
    expect(await sdk.measured('messaging.process.duration')).toEqual({
      'orders billing': 1,
      'orders billing RangeError': 2,
    });
    expect(await sdk.measured('messaging.rivulet.settled')).toEqual({
      'orders billing acked': 1,
      'orders billing retried': 1,
      'orders billing dead-lettered': 1,
      'orders billing filtered': 1,
    });
  });

  it('tell how far groups are behind, their dead letters, and what waits for a confirm', async () => {
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => {
        if (body !== 'good') throw new Error('not now');
      },
    });
    for (const body of ['good', 'bad', 'bad']) await bed.publish('orders', body);
    await bed.advance(10);
    expect(await sdk.measured('messaging.rivulet.group.lag')).toEqual({ 'orders billing': 2 });
    expect(await sdk.measured('messaging.rivulet.group.dead_letters')).toEqual({
      'orders billing': 0,
    });
    expect(await sdk.measured('messaging.rivulet.producer.buffered')).toEqual({ '': 0 });
  });

  it('tell what handlers did by the pattern that was declared', async () => {
    await bed.subscribe({ topic: 'order.*', group: 'audit' });
    for (const topic of ['order.created', 'order.paid']) await bed.publish(topic, {});
    await bed.advance(5_000);
    expect(await sdk.measured('messaging.rivulet.settled')).toEqual({ 'order.* audit acked': 2 });
    expect(await sdk.measured('messaging.process.duration')).toEqual({ 'order.* audit': 2 });
    expect(await sdk.measured('messaging.rivulet.group.lag')).toEqual({
      'order.created audit': 0,
      'order.paid audit': 0,
    });
  });

  it('count alarms', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    bed.rivulet.events.emit('group-recreated', {
      topic: 'orders',
      queue: 0,
      group: 'billing',
      from: '0-0',
    });
    expect(await sdk.measured('messaging.rivulet.alarms')).toEqual({ 'orders group-recreated': 1 });
  });

  it('forget what an instance declared when it ends', async () => {
    const { tracerProvider, meterProvider } = sdk;
    const telemetry = openTelemetry({ tracerProvider, meterProvider });
    for (const topic of ['order.*', 'order.placed']) {
      const instance = await TestBed.open({ telemetry });
      await instance.subscribe({ topic, group: 'billing' });
      const { messageId } = await instance.publish('order.placed', 1);
      await instance.advance(60_000);
      await instance.settled(messageId);
      await instance.close();
    }
    expect(await sdk.measured('messaging.rivulet.settled')).toEqual({
      'order.* billing acked': 1,
      'order.placed billing acked': 1,
    });
  });

  it('end with the instance', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await bed.publish('orders', {});
    await bed.advance(10);
    await bed.close();
    expect(await sdk.measured('messaging.rivulet.group.lag')).toEqual({});
    expect(await sdk.measured('messaging.rivulet.producer.buffered')).toEqual({});
  });
});
