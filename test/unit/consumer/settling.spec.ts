import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a delivery whose settle is on its way', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => bed.close());

  it('is not handed out again by the search for lost replies', async () => {
    const handled: unknown[] = [];
    let end = (): void => {};
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: async ({ body }) => {
        handled.push(body);
        await new Promise<void>((resolve) => (end = resolve));
      },
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    await bed.advance(8_000);
    // The store takes no settle for a while; every other call works.
    const { settle } = bed.stores.deliveries;
    bed.stores.deliveries.settle = () => Promise.reject(new Error('no settles today'));
    end();
    await bed.advance(1);
    bed.rivulet['parts'].consumers['running'][0]!.recheck();
    await bed.advance(4_000);
    bed.stores.deliveries.settle = settle;
    await bed.advance(10_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(handled).toEqual(['a']);
  });
});

it('a logger that throws costs no slot, and ends nothing else', async () => {
  const clock = new ManualClock();
  const fail = (): never => {
    throw new Error('the disk is full');
  };
  const logger = { error: fail, warn: fail, log: fail, debug: fail };
  const rivulet = new Rivulet({ stores: new MemoryStores({ clock }), clock, logger });
  const handled: unknown[] = [];
  rivulet.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'test',
    concurrency: 1,
    retry: { maxAttempts: 2, backoff: { fromMs: 100, jitter: 0 } },
    handler: ({ body, attempt }) => {
      handled.push(`${String(body)} ${attempt}`);
      if (body === 'bad') throw new Error('no');
    },
  });
  await rivulet.consume();
  await rivulet.producer.send('orders', 'bad');
  await clock.advance(50);
  await rivulet.producer.send('orders', 'good');
  await clock.advance(1_000);
  expect(handled).toEqual(['bad 1', 'good 1', 'bad 2']);
  const stopped = rivulet.stop();
  await clock.advance(1_000);
  await stopped;
  expect(clock.armed).toBe(0);
});
