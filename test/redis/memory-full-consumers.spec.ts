import { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { newNamespace, openStores } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

/** What is sent before may be consumed in any way, also by a process that starts then. */
describe('consumers, when Redis is out of memory', () => {
  const own = ownServer();
  let namespace: string;
  const applications: Rivulet[] = [];
  beforeEach(() => {
    namespace = newNamespace();
  });
  afterEach(async () => {
    await Promise.all(applications.splice(0).map((application) => application.stop(1_000)));
    await own.redis.config('SET', 'maxmemory', '0');
  });

  const start = async (): Promise<Rivulet> => {
    const application = new Rivulet({ stores: await openStores(own.url, { namespace }) });
    applications.push(application);
    return application;
  };
  /** Resolves when so many different messages were acked. */
  const acks = ({ events }: Rivulet, count: number): Promise<void> =>
    new Promise((resolve) => {
      const acked = new Set<string>();
      events.on('acked', ({ messageId }) => {
        if (acked.add(messageId).size === count) resolve();
      });
    });

  it('messages are handled in order, retried and parked, and an operator lets them go on', async () => {
    const { producer, stores } = await start();
    const sent = ['stuck', 'behind it', ...Array.from({ length: 20 }, (_, i) => `m${i}`)];
    for (const [i, body] of sent.entries())
      await producer.send('orders', body, { messageGroup: i < 2 ? 'broken' : 'whole' });
    await own.redis.config('SET', 'maxmemory', '1');

    const consuming = await start();
    const handled: unknown[] = [];
    // A machine that stands still for longer than a lease may have one handled again.
    const seen = () => [...new Set(handled)];
    let isBroken = true;
    consuming.subscribe({
      ...{ topic: 'orders', group: 'billing', origin: 'test', ordered: true },
      retry: { maxAttempts: 2, backoff: { fromMs: 1, jitter: 0 } },
      handler: ({ body, attempt }) => {
        if (body === 'stuck' && isBroken) throw new Error('broken');
        if (body === 'm3' && attempt === 1) throw new Error('again');
        handled.push(body);
      },
    });
    const others = acks(consuming, 20);
    const all = acks(consuming, sent.length);
    const parked = consuming.events.next('lane-parked');
    await consuming.consume();
    await parked;
    await others;
    expect(seen()).toEqual(sent.slice(2));
    isBroken = false;
    const admin = new MessageAdmin({ rivulet: consuming });
    const [lane] = await admin.listParkedLanes('orders', 'billing');
    expect(await admin.resumeLane('orders', 'billing', lane!)).toBe(true);
    await all;
    expect(seen().slice(20)).toEqual(['stuck', 'behind it']);
    // Its queues are given back: the next owner need not wait for its lease.
    await consuming.stop(30_000);
    const ref = { topic: 'orders', queue: lane!.queue, group: 'billing' };
    expect(await stores.leases.view(ref)).toMatchObject({ owner: null });
  });

  it('limits are kept to, and an idempotent handler records what it has handled', async () => {
    const { producer } = await start();
    const bodies = Array.from({ length: 20 }, (_, i) => i);
    for (const body of bodies) await producer.send('orders', body, { key: `${body % 3}` });
    await own.redis.config('SET', 'maxmemory', '1');

    const consuming = await start();
    const handled: unknown[] = [];
    consuming.subscribe({
      ...{ topic: 'orders', group: 'billing', origin: 'test' },
      idempotent: { key: ({ messageId }) => messageId },
      rateLimit: { max: 1_000, perMs: 1_000 },
      concurrencyPer: { key: ({ key }) => key, max: 1 },
      retry: { backoff: { fromMs: 1, jitter: 0 } },
      handler: ({ body, attempt }) => {
        if (body === 3 && attempt === 1) throw new Error('again');
        handled.push(body);
      },
    });
    const all = acks(consuming, bodies.length);
    await consuming.consume();
    await all;
    expect([...new Set(handled)].sort((a, b) => Number(a) - Number(b))).toEqual(bodies);
  });
});
