// One process of a subscription with a rate limit, to be killed and frozen. Each start is an entry of the stream `starts`,
// whose ids are times of Redis.
// argv: Redis URL, JSON of { namespace, topic, group, concurrency, rateLimit }
import { Redis } from 'ioredis';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, topic, group, concurrency, rateLimit } = JSON.parse(json);
const starts = new Redis(url);
const rivulet = new Rivulet({
  stores: new RedisStores({ connection: url, namespace, blockMs: 500 }),
  settings: {
    heartbeatMs: 200,
    deadAfterMs: 800,
    consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 500 },
  },
});
rivulet.subscribe({
  ...{ topic, group, concurrency, rateLimit, origin: 'limited-consumer.mjs' },
  handler: async ({ message, attempt }) => {
    await starts.xadd('starts', '*', 'key', message.key);
    await tell({ handled: message.key, attempt });
  },
});
await rivulet.consume();
await tell({ ready: true });
process.once('SIGTERM', () => {
  void rivulet.stop().then(() => {
    starts.disconnect();
    leave();
  });
});
