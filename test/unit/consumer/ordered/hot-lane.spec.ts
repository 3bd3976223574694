import { TestBed } from '../../../../lib/testing/test-bed.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;
const FOLLOWERS = 10_000;
const HEALTHY = 10;
const EACH = 20;

describe('a hot lane whose head fails', () => {
  it('keeps ten thousand followers in order, and the healthy lanes behind them waiting for nothing', async () => {
    const bed = await TestBed.open();
    await bed.stores.topics.declare('orders', { queues: 1 });
    const hot = Array.from({ length: FOLLOWERS }, (_, n) => ['hot', n] as const);
    const rounds = Array.from({ length: EACH }, (_, n) =>
      Array.from({ length: HEALTHY }, (_, lane) => [`healthy ${lane}`, n] as const),
    );
    // All of the hot lane stands in front of the second half of the others.
    const half = EACH / 2;
    const all = [...rounds.slice(0, half).flat(), ...hot, ...rounds.slice(half).flat()];
    await Promise.all(all.map(([messageGroup, n]) => bed.publish('orders', n, { messageGroup })));
    const got = new Map<string, number[]>();
    let fails = true;
    await bed.subscribe({
      ...BILLING,
      handler: ({ message, body }) => {
        const { messageGroup } = message;
        if (messageGroup === 'hot' && fails) throw new Error('not yet');
        got.set(messageGroup!, [...(got.get(messageGroup!) ?? []), body as number]);
      },
    });
    // No pause of a retry has passed by then: whoever waited for the failing one would not be done.
    await bed.advance(900);
    const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
    expect(got.size).toBe(HEALTHY);
    for (const its of got.values()) expect(its).toEqual(numbers(EACH));
    const ref = { topic: 'orders', queue: 0, group: 'billing' };
    const { held, inFlight } = await bed.stores.deliveries.lag(ref);
    expect(held + inFlight).toBe(FOLLOWERS);
    expect(held).toBeGreaterThan(FOLLOWERS * 0.9);

    fails = false;
    got.set('hot', []);
    await bed.advance(5_000);
    expect(got.get('hot')).toHaveLength(FOLLOWERS);
    expect(got.get('hot')).toEqual(numbers(FOLLOWERS));
    await bed.close();
  });
});
