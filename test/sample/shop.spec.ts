import { Redis } from 'ioredis';
import { within } from '../helpers/workload.js';
import { documentedKeys } from './documented-keys.js';
import { isListening, ShopProcess } from './shop-process.js';

interface Step {
  what: string;
  topic: string;
  group: string;
  detail: string;
}

describe('the sample shop', () => {
  let shop: ShopProcess;
  let url: string;
  let redisUrl: string;

  beforeAll(async () => {
    shop = new ShopProcess();
    redisUrl = (await shop.line(/ at redis:\/\//)).match(/redis:\S+:\d+/)![0];
    url = (await shop.line(/The shop is open at/)).match(/http:\S+:\d+/)![0];
    await shop.line(/^Try next:/);
  }, 240_000);
  afterAll(() => shop.kill());

  /** What happened to the order for this item in this group, from its printed lines. */
  function journey(item: string, topic: string, group: string): string[] {
    return shop.lines
      .map((line) => line.split(/ {2,}/))
      .filter(([, order, , itsTopic, itsGroup]) => {
        return order?.startsWith(`${item}-`) && itsTopic === topic && itsGroup === group;
      })
      .map(([, , what, , , detail]) => `${what} ${detail}`);
  }

  async function call(method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  it('publishes each order once', () => {
    const published = shop.lines.filter((line) => /published +order\.placed/.test(line));
    expect(published).toHaveLength(6);
  });

  it.each([
    ['tea', 'billing'],
    ['tea', 'stock'],
    ['tea', 'mail'],
    ['lamp', 'stock'],
    ['lamp', 'mail'],
    ['vase', 'stock'],
    ['vase', 'mail'],
    ['chair', 'billing'],
    ['chair', 'mail'],
  ])('delivers the %s order to %s, which acks it', (item, group) => {
    expect(journey(item, 'order.placed', group)).toEqual([
      'delivered attempt 1',
      'acked attempt 1',
    ]);
  });

  it('reminds mail later of each order', () => {
    const scheduled = shop.lines.filter((line) => /published +review\.due +scheduled/.test(line));
    expect(scheduled).toHaveLength(6);
    expect(journey('tea', 'review.due', 'mail')).toEqual([
      'delivered attempt 1',
      'acked attempt 1',
    ]);
  });

  it('dead-letters what the pipe of stock refuses, at once', () => {
    expect(journey('chair', 'order.placed', 'stock')).toEqual([
      'delivered attempt 1',
      expect.stringMatching(/^dead-lettered attempt 1: .*a parcel holds 12 pieces/),
    ]);
  });

  it('packs the second order of mugs after the first, which is retried', () => {
    expect(journey('mug', 'order.placed', 'stock')).toEqual([
      'delivered attempt 1',
      expect.stringMatching(/^retried attempt 1: .*counting the shelf; again in \d+ ms/),
      'delivered attempt 2',
      'acked attempt 2',
      'delivered attempt 1',
      'acked attempt 1',
    ]);
  });

  it('retries what the bank does not answer until it does', () => {
    expect(journey('lamp', 'order.placed', 'billing')).toEqual([
      'delivered attempt 1',
      expect.stringMatching(/^retried attempt 1: .*the bank does not answer; again in \d+ ms/),
      'delivered attempt 2',
      expect.stringMatching(/^retried attempt 2: .*the bank does not answer; again in \d+ ms/),
      'delivered attempt 3',
      'acked attempt 3',
    ]);
  });

  it('dead-letters what billing rejects, at once', () => {
    expect(journey('vase', 'order.placed', 'billing')).toEqual([
      'delivered attempt 1',
      'dead-lettered attempt 1: blocked-card is blocked',
    ]);
  });

  it('lists dead letters over HTTP, and redrives them to their group alone', async () => {
    const letters = (await (await call('GET', '/dead-letters')).json()) as object[];
    expect(letters).toHaveLength(2);
    expect(letters).toContainEqual({
      order: expect.stringMatching(/^vase-/),
      group: 'billing',
      attempts: 1,
      reason: 'blocked-card is blocked',
    });

    await call('DELETE', '/blocked-cards/blocked-card');
    const redriven = await call('POST', '/dead-letters/redrive');
    expect(await redriven.json()).toEqual({ redriven: 2 });

    const of = (item: string, group: string): string[] => journey(item, 'order.placed', group);
    await shop.until(() => of('vase', 'billing').length === 4, 'billing had the vase again');
    expect(of('vase', 'billing').slice(2)).toEqual(['delivered attempt 1', 'acked attempt 1']);
    await shop.until(() => of('chair', 'stock').length === 4, 'stock had the chairs again');
    expect(of('chair', 'stock')[3]).toMatch(/^dead-lettered attempt 1/);
    for (const group of ['stock', 'mail']) expect(of('vase', group)).toHaveLength(2);
  });

  it('takes an order and tells its journey', async () => {
    const request = { item: 'tea', quantity: 3, card: 'any-card' };
    const placed = await call('POST', '/orders', request);
    expect(placed.status).toBe(202);
    const { id, totalCents } = (await placed.json()) as { id: string; totalCents: number };
    expect(totalCents).toBe(3 * 450);

    for (const group of ['billing', 'stock', 'mail'])
      await shop.line(new RegExp(`${id} +acked +order\\.placed +${group}`));
    const order = (await (await call('GET', `/orders/${id}`)).json()) as { journey: Step[] };
    expect(order).toMatchObject({ id, ...request, totalCents });
    // A group may have it before its confirm is back: in the journey, but not always first.
    expect(order.journey).toContainEqual(
      expect.objectContaining({ what: 'published', topic: 'order.placed' }),
    );
    expect(await (await call('GET', '/journey')).json()).toHaveProperty(id);
  });

  it.each([
    ['an item nobody sells', { item: 'moon', quantity: 1, card: 'x' }, /we do not sell/],
    ['half a lamp', { item: 'lamp', quantity: 0.5, card: 'x' }, /quantity: must be a whole number/],
  ])('refuses an order for %s', async (_what, request, reason) => {
    const refused = await call('POST', '/orders', request);
    expect(refused.status).toBe(400);
    expect(await refused.text()).toMatch(reason);
  });

  it('leaves no key in Redis that docs/redis-keys.md does not describe', async () => {
    const redis = new Redis(redisUrl);
    const documented = documentedKeys();
    const strangers: string[] = [];
    const seen = new Set<RegExp>();
    for (const key of await redis.keys('*')) {
      const type = await redis.type(key);
      if (type === 'none') continue; // expired since it was listed
      const known = documented.find((doc) => doc.pattern.test(key) && doc.type === type);
      if (known) seen.add(known.pattern);
      else strangers.push(`${key} (${type})`);
    }
    redis.disconnect();
    expect(strangers).toEqual([]);
    expect(seen.size).toBeGreaterThan(10);
  });

  it('ends on SIGTERM, with everything it started', async () => {
    const code = await within(60_000, 'the end of the shop', shop.stop('SIGTERM'));
    expect(code).toBe(0);
    expect(shop.isAnyoneLeft).toBe(false);
    expect(await isListening(url)).toBe(false);
    expect(await isListening(redisUrl)).toBe(false);
  });
});
