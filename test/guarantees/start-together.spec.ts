import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, publishMany, within } from '../helpers/workload.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('handles every message although everybody starts at once on an empty Redis', async () => {
  const processes = Array.from({ length: 8 }, (_, i) =>
    // They disagree about a new topic: one of them decides. Patient, so that a busy machine looks like no death.
    connect(redis.url, 'together', { topics: { queues: 1 + (i % 4) } }),
  );
  const handled = new Handled();
  for (const [i, one] of processes.entries())
    for (const group of ['billing', 'mail'])
      one.subscribe({
        topic: 'orders',
        group,
        origin: `${group} of ${i}`,
        handler: (delivery) => {
          if (group === 'billing') handled.note(delivery);
        },
      });
  const sends = processes.map(async (one, i) => {
    const [keys] = await Promise.all([
      publishMany(one, 50, { prefix: `p${i}-` }),
      i % 2 ? one.consume() : one.open().then(() => one.consume()),
    ]);
    return keys;
  });
  const keys = (await within(60_000, 'the start', Promise.all(sends))).flat();
  await within(60_000, 'all messages', handled.all(keys)).catch(() => {});
  const { settings } = await new MessageAdmin({ rivulet: processes[0]! }).describeTopic('orders');
  console.log(
    `start-together processes=8 queues=${settings.queues} sent=${keys.length} handled=${handled.times.size} missing=${handled.missing(keys).length} twice=${handled.repeated}`,
  );
  expect(keys).toHaveLength(400);
  expect(handled.missing(keys)).toEqual([]);
  expect(handled.repeated).toBe(0);
  await Promise.all(processes.map((one) => one.stop(2_000)));
});

it('goes on although the topic is deleted under its producers and consumers again and again', async () => {
  const rivulet = connect(redis.url, 'deleted');
  const handled = new Handled();
  rivulet.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'billing',
    handler: (delivery) => handled.note(delivery),
  });
  await rivulet.consume();
  const admin = new MessageAdmin({ rivulet });
  const enough = new AbortController();
  let sent = 0;
  let refused = 0;
  const traffic = Promise.all(
    Array.from({ length: 10 }, async (_, producer) => {
      for (let n = 0; !enough.signal.aborted; n++)
        await rivulet.producer
          .send('orders', n, { key: `${producer}-${n}`, messageGroup: `g${producer}` })
          .then(
            () => (sent += 1),
            () => (refused += 1),
          );
    }),
  );
  for (let i = 1; i <= 10; i++) {
    // Traffic has found its way into the topic that was made anew.
    const before = sent;
    while (sent < before + 200)
      await within(60_000, `sends after deletion ${i}`, rivulet.events.next('published'));
    await admin.deleteTopic('orders', { force: true });
  }
  enough.abort();
  await within(60_000, 'the sends under way', traffic);
  const keys = await publishMany(rivulet, 40, { prefix: 'after' });
  await within(60_000, 'what was sent afterwards', handled.all(keys)).catch(() => {});
  console.log(
    `deleted-topic deletions=10 sent=${sent} refused=${refused} after=${keys.length} missing-after=${handled.missing(keys).length} twice=${handled.repeated}`,
  );
  expect(keys).toHaveLength(40);
  expect(handled.missing(keys)).toEqual([]);
  expect(refused).toBe(0);
  await rivulet.stop(2_000);
});
