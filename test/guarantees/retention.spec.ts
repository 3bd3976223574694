import { Redis } from 'ioredis';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 2_000);
const QUEUES = 2;

let redis: TestRedis;
let operator: Redis;
beforeAll(async () => {
  redis = await startRedis();
  operator = new Redis(redis.url);
});
afterAll(async () => {
  operator.disconnect();
  await redis.stop();
});

/** Everything is too old at once. */
async function start(namespace: string): Promise<Rivulet> {
  const rivulet = connect(redis.url, namespace, {
    ...IMPATIENT,
    topics: { queues: QUEUES, retentionMs: 0 },
  });
  await rivulet.open();
  return rivulet;
}

async function trimAll(rivulet: Rivulet): Promise<number> {
  let removed = 0;
  for (let queue = 0; queue < QUEUES; queue++)
    for (let some = 1; some > 0; removed += some)
      some = await rivulet.stores.log.trim({ topic: 'orders', queue }, 500);
  return removed;
}

describe('retention', () => {
  it('never takes what some group has not settled, however old it is', async () => {
    const seed = newSeed();
    const random = seededRandom(seed);
    const rivulet = await start('retention');
    const handled = { fast: new Handled(), flaky: new Handled(), late: new Handled() };
    rivulet.subscribe({
      topic: 'orders',
      group: 'fast',
      origin: 'fast',
      concurrency: 50,
      handler: (delivery) => handled.fast.note(delivery),
    });
    rivulet.subscribe({
      topic: 'orders',
      group: 'flaky',
      origin: 'flaky',
      concurrency: 50,
      retry: { backoff: () => Math.floor(random() * 300) },
      handler: async (delivery) => {
        await new Promise((resolve) => setTimeout(resolve, random() * 5));
        if (delivery.attempt < 3 && random() < 0.3) throw new Error('again');
        handled.flaky.note(delivery);
      },
    });
    // A group that exists and does not read yet.
    const info = await rivulet.topics.get('orders');
    const join = { group: 'late', mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
    await rivulet.stores.topics.joinGroup(info.topic, join);
    const lost: unknown[] = [];
    rivulet.events.on('message-lost', (facts) => lost.push(facts));
    await rivulet.consume();

    let removed = 0;
    const stop = new AbortController();
    const trimming = (async () => {
      while (!stop.signal.aborted) removed += await trimAll(rivulet);
    })();
    const keys = await publishMany(rivulet, MESSAGES);
    await within(
      60_000,
      'the quick groups',
      Promise.all([handled.fast.all(keys), handled.flaky.all(keys)]),
    );
    expect(removed).toBe(0);
    rivulet.subscribe({
      topic: 'orders',
      group: 'late',
      origin: 'late',
      concurrency: 50,
      handler: (delivery) => handled.late.note(delivery),
    });
    await rivulet.consume();
    await within(60_000, 'the late group', handled.late.all(keys));
    while (removed < MESSAGES) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    await trimming;
    console.log(
      `retention seed=${seed} sent=${MESSAGES} removed=${removed} lost=${lost.length} ` +
        `missing=${[handled.fast, handled.flaky, handled.late].map((one) => one.missing(keys).length).join('/')}`,
    );
    expect(lost).toEqual([]);
    const { length } = await new MessageAdmin({ rivulet }).describeTopic('orders');
    expect(length).toBe(0);
    await rivulet.stop(2_000);
  });

  it('takes nothing of a group that was destroyed by hand and will be made again', async () => {
    const rivulet = await start('destroyed');
    const keys = new Keys({ namespace: 'destroyed' });
    const join = {
      group: 'billing',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    } as const;
    await rivulet.topics.get('orders');
    await rivulet.stores.topics.joinGroup('orders', join);
    const sent = await publishMany(rivulet, 50);
    for (let queue = 0; queue < QUEUES; queue++)
      await operator.xgroup('DESTROY', keys.queue({ topic: 'orders', queue }).log, 'billing');
    const removed = await trimAll(rivulet);
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      handler: (delivery) => handled.note(delivery),
    });
    await rivulet.consume();
    await within(60_000, 'what was not settled', handled.all(sent)).catch(() => {});
    console.log(
      `retention destroyed-group sent=50 removed=${removed} missing=${handled.missing(sent).length}`,
    );
    expect(handled.missing(sent)).toEqual([]);
    await rivulet.stop(2_000);
  });

  it('keeps dead letters, redriven messages and scheduled ones', async () => {
    const rivulet = await start('kept');
    const admin = new MessageAdmin({ rivulet });
    const handled = new Handled();
    let rejecting = true;
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      retry: { maxAttempts: 1 },
      handler: (delivery) => {
        if (rejecting) throw new Error('no');
        handled.note(delivery);
      },
    });
    await rivulet.consume();
    let letters = 0;
    const allDead = new Promise<void>((resolve) => {
      rivulet.events.on('dead-lettered', () => void (++letters === 20 && resolve()));
    });
    const keys = await publishMany(rivulet, 20);
    const scheduled = await publishMany(rivulet, 20, { prefix: 'later', delayMs: 1_000 });
    await within(60_000, 'the dead letters', allDead);
    await trimAll(rivulet);
    rejecting = false;
    const { redriven } = await admin.redriveDeadLetters('orders', 'billing', {
      onProgress: () => void trimAll(rivulet).catch(() => {}),
    });
    await within(60_000, 'redriven and scheduled ones', handled.all([...keys, ...scheduled]));
    console.log(`retention dead-letters=20 redriven=${redriven} handled=${handled.times.size}`);
    expect(redriven).toBe(20);
    await rivulet.stop(2_000);
  });
});
