// One process of a subscription with `concurrencyPer`, to be killed. What runs stands in Redis: a set for each tenant.
// argv: Redis URL, JSON of { namespace, topic, group, max, takesMs }
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, topic, group, max, takesMs } = JSON.parse(json);
const running = new Redis(url, { connectionName: `runs-${process.pid}` });
const rivulet = new Rivulet({
  stores: new RedisStores({ connection: url, namespace, blockMs: 500 }),
  settings: {
    heartbeatMs: 200,
    deadAfterMs: 800,
    consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 500, claimLeaseMs: 1_500 },
  },
});
rivulet.subscribe({
  topic,
  group,
  origin: 'per-key-consumer.mjs',
  concurrency: 8,
  concurrencyPer: { key: 'tenant', max },
  handler: async ({ message, attempt }) => {
    const set = `running-${message.properties.tenant}`;
    const me = `${process.pid} ${message.key}`;
    const [, [, atOnce]] = await running.multi().sadd(set, me).scard(set).exec();
    await running.zadd('most', 'GT', atOnce, message.properties.tenant);
    await wait(takesMs);
    await running.srem(set, me);
    await tell({ handled: message.key, attempt });
  },
});
await rivulet.consume();
await tell({ ready: true });
process.once('SIGTERM', () => {
  void rivulet.stop().then(() => {
    running.disconnect();
    leave();
  });
});
