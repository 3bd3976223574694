import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { countEvents, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

const QUEUES = 2;
const HIGHEST = '18446744073709551615-18446744073709551615';
const IN_A_YEAR = `${Date.now() + 365 * 86_400_000}-0`;

const server = useOperatedRedis();

describe.each([
  ['unordered', {}],
  ['ordered', { ordered: true }],
])('an entry of another program in a log, %s', (name, mode) => {
  async function scene(namespace: string) {
    const rivulet = server.connect(namespace, { ...IMPATIENT, topics: { queues: QUEUES } });
    const handled = new Handled();
    rivulet.subscribe({
      ...{ topic: 'orders', group: 'billing', origin: 'billing', ...mode },
      handler: (delivery) => handled.note(delivery),
    });
    await rivulet.consume();
    await within(
      60_000,
      'before',
      handled.all(await publishMany(rivulet, 4, { prefix: 'before' })),
    );
    const { log } = new Keys({ namespace }).queue({ topic: 'orders', queue: 0 });
    return { rivulet, handled, log };
  }

  it('that is dated a year ahead is a dead letter, and the queue goes on behind it', async () => {
    const { rivulet, handled, log } = await scene(`year-${name}`);
    const seen = countEvents(rivulet, 'dead-lettered');
    await server.operator.xadd(log, IN_A_YEAR, 'name', 'Ada');
    const after = await publishMany(rivulet, 8, { prefix: 'after' });
    expect(after).toHaveLength(8);
    await within(60_000, 'after', handled.all(after));
    const delayed = await publishMany(rivulet, 4, { prefix: 'late', delayMs: 300 });
    await within(60_000, 'what was delayed', handled.all(delayed));
    expect(seen['dead-lettered']).toHaveLength(1);
    const admin = new MessageAdmin({ rivulet });
    expect((await admin.describeGroup('orders', 'billing')).total).toMatchObject({ lag: 0 });
  });

  it('that took the highest id there is fails sends to this queue at once, and no others', async () => {
    const { rivulet, handled, log } = await scene(`highest-${name}`);
    await server.operator.xadd(log, HIGHEST, 'name', 'Ada');
    const sends = await Promise.allSettled(
      [0, 100].flatMap((delayMs) =>
        Array.from({ length: QUEUES }, (_, queue) =>
          rivulet.producer.send('orders', {}, { key: `q${queue}d${delayMs}`, queue, delayMs }),
        ),
      ),
    );
    expect(sends.map(({ status }) => status)).toEqual([
      ...['rejected', 'fulfilled', 'rejected', 'fulfilled'],
    ]);
    for (const { reason } of sends.filter(
      ({ status }) => status === 'rejected',
    ) as PromiseRejectedResult[])
      expect(reason).toMatchObject({
        code: 'SEND_FAILED',
        message: expect.stringContaining('the highest id there is'),
      });
    await within(60_000, 'the other queue', handled.all(['q1d0', 'q1d100']));
    expect([...handled.times.keys()].filter((key) => key.startsWith('q0'))).toEqual([]);
  });
});
