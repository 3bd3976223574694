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
    bed.rivulet['consumers']['running'][0]!.recheck();
    await bed.advance(4_000);
    bed.stores.deliveries.settle = settle;
    await bed.advance(10_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(handled).toEqual(['a']);
  });
});
