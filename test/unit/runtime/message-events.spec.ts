import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import type { RivuletEventName } from '../../../lib/core/runtime/events.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const JOURNEY = ['published', 'delivered', 'retried', 'acked', 'dead-lettered'] as const;

describe('events', () => {
  let bed: TestBed;
  let told: { name: RivuletEventName; key: string | undefined; attempt?: number }[];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    told = [];
    for (const name of JOURNEY)
      bed.rivulet.events.on(name, (facts) => told.push({ name, ...facts }));
  });
  afterEach(() => bed.close());

  it('tell the journey of a message by its key, in order', async () => {
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      retry: { backoff: { fromMs: 1_000 } },
      handler: ({ attempt }) => {
        if (attempt === 1) throw new Error('not now');
      },
    });
    const { messageId } = await bed.publish('orders', {}, { key: 'order-1' });
    await bed.nextDelivery('billing');
    await bed.clock.advance(1_000);
    await bed.settled(messageId);

    expect(told.map(({ name, key }) => `${name} ${key}`)).toEqual([
      'published order-1',
      'delivered order-1',
      'retried order-1',
      'delivered order-1',
      'acked order-1',
    ]);
    expect(told.at(-1)).toMatchObject({ attempt: 2 });
  });

  it('name the key of a dead letter, and none where none was given', async () => {
    const handler = (): void => {
      throw new RejectMessageError('never');
    };
    await bed.subscribe({ topic: 'orders', group: 'billing', handler });
    const first = await bed.publish('orders', {}, { key: 'order-1' });
    const second = await bed.publish('orders', {});
    await bed.settled(first.messageId);
    await bed.settled(second.messageId);

    const letters = told.filter(({ name }) => name === 'dead-lettered');
    expect(letters.map(({ key }) => key)).toEqual(['order-1', undefined]);
  });
});
