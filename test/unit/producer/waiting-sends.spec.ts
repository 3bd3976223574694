import type { SendOptions } from '../../../lib/core/message/message.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const BODY = 'x'.repeat(1_000);
/** Each counts for its bytes and a KiB: so many wait, and no more. */
const FIT = 10;
const MOST_BYTES = FIT * 2_200;

describe('sends that nobody awaits', () => {
  let bed: TestBed;
  let refused: number;
  beforeEach(async () => {
    refused = 0;
    const producer = { maxBufferedMessages: 1, maxWaitingBytes: MOST_BYTES };
    bed = await TestBed.open({ settings: { producer } });
    await bed.publish('orders', 'known');
    bed.rivulet.events.on('publish-failed', ({ error }) => {
      if (error.name === 'ProducerBufferFullError') refused += 1;
    });
  });
  afterEach(() => bed.close());

  const sendAll = (topic: string, count: number, options: SendOptions = {}) =>
    Promise.allSettled(Array.from({ length: count }, () => bed.publish(topic, BODY, options)));
  const ways: [what: string, topic: string, options: SendOptions][] = [
    ['for room', 'orders', {}],
    ['for their topic', 'unknown', {}],
  ];

  it.each(ways)(
    'wait %s, as many as may, and further ones fail at once',
    async (_, topic, options) => {
      bed.stores.goDown();
      const sends = sendAll(topic, 50, options);
      await bed.advance(1);
      expect(refused).toBeGreaterThan(50 - FIT - 3);
      expect(refused).toBeLessThan(50);
      bed.stores.comeUp();
      await bed.advance(5_000);
      const stored = (await sends).filter(({ status }) => status === 'fulfilled');
      expect(stored).toHaveLength(50 - refused);
      // There is room again once they are stored.
      const before = refused;
      expect(await sendAll(topic, FIT / 2)).toHaveLength(FIT / 2);
      expect(refused).toBe(before);
    },
  );

  it('wait for who has subscribed, as many as may', async () => {
    bed.stores.goDown();
    const sends = sendAll('orders', 50, { mandatory: true, timeoutMs: 300 });
    await bed.advance(1_000);
    const codes = (await sends).map((send) => (send as { reason: { code: string } }).reason.code);
    expect(codes.filter((code) => code === 'SEND_FAILED')).toHaveLength(
      Math.floor(MOST_BYTES / 1_024),
    );
    expect(new Set(codes)).toEqual(new Set(['SEND_FAILED', 'PRODUCER_BUFFER_FULL']));
  });

  it('that gave up waiting leave their place to others', async () => {
    bed.stores.goDown();
    for (let round = 0; round < 3; round++) {
      const sends = sendAll('orders', FIT / 2, { timeoutMs: 100 });
      await bed.advance(200);
      await sends;
    }
    expect(refused).toBe(0);
  });

  it('that give up while there is no room leave their place to others', async () => {
    bed.stores.goDown();
    const holding = sendAll('orders', 1, { timeoutMs: 60_000 });
    for (let round = 0; round < 3; round++) {
      const sends = sendAll('orders', FIT / 2, { timeoutMs: 100 });
      await bed.advance(200);
      await sends;
    }
    expect(refused).toBe(0);
    bed.stores.comeUp();
    await bed.advance(5_000);
    expect(await holding).toMatchObject([{ status: 'fulfilled' }]);
  });

  it('may be one, however large it is', async () => {
    bed.stores.goDown();
    const holding = sendAll('orders', 1);
    const large = bed.publish('orders', 'x'.repeat(2 * MOST_BYTES));
    bed.stores.comeUp();
    await bed.advance(5_000);
    expect(await large).toMatchObject({ state: 'stored' });
    expect(await holding).toMatchObject([{ status: 'fulfilled' }]);
  });
});
