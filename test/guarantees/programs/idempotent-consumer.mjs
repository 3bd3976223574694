// One process with an idempotent handler, to be killed. Each effect is counted in Redis; the parent is told, too.
// argv: Redis URL, JSON of { namespace, topic, group, dieOf, dieAt }
// dieAt: 'before-complete' | 'after-complete' | undefined, for the message with the key dieOf
import { Redis } from 'ioredis';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, topic, group, dieOf, dieAt } = JSON.parse(json);
const effects = new Redis(url);
const stores = new RedisStores({ connection: url, namespace, blockMs: 500 });
const { complete } = stores.dedup;
stores.dedup.complete = (ref, done, asker) => {
  if (ref.key === dieOf && dieAt === 'before-complete') process.kill(process.pid, 'SIGKILL');
  complete.call(stores.dedup, ref, done, {
    completed: (reply) => {
      if (ref.key === dieOf && dieAt === 'after-complete') process.kill(process.pid, 'SIGKILL');
      asker.completed(reply);
    },
    completeFailed: (error) => asker.completeFailed(error),
  });
};
const rivulet = new Rivulet({
  stores,
  settings: {
    heartbeatMs: 200,
    deadAfterMs: 800,
    consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 500, claimLeaseMs: 1_500 },
  },
});
rivulet.subscribe({
  topic,
  group,
  origin: 'idempotent-consumer.mjs',
  idempotent: { key: (message) => message.key },
  handler: async ({ message, attempt }) => {
    await effects.hincrby(`${namespace}-effects`, message.key, 1);
    await tell({ handled: message.key, attempt });
  },
});
rivulet.events.on('duplicate', ({ dedupKey }) => void tell({ duplicate: dedupKey }));
await rivulet.consume();
await tell({ ready: true });
process.once('SIGTERM', () => {
  effects.disconnect();
  void rivulet.stop().then(leave);
});
