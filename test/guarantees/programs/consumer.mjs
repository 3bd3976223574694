// One consumer process, to be killed. Tells its parent what its handler starts and ends.
// argv: Redis URL, JSON of { namespace, topic, group, concurrency, handlerMs, maxAttempts, poison, death }
import { setTimeout as wait } from 'node:timers/promises';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, topic, group, concurrency, handlerMs, maxAttempts, poison, death } =
  JSON.parse(json);
/** What a poison message does to its process. */
const deaths = {
  killed: () => process.kill(process.pid, 'SIGKILL'),
  exits: () => process.exit(1),
  aborts: () => process.abort(),
  'runs out of memory': () => {
    const kept = [];
    for (;;) kept.push(Array.from({ length: 1_000_000 }, (_, i) => ({ i })));
  },
  'throws where nobody catches': () =>
    setTimeout(() => {
      throw new Error('poison');
    }),
  'rejects where nobody handles it': () => void Promise.reject(new Error('poison')),
};
const rivulet = new Rivulet({
  stores: new RedisStores({ connection: url, namespace }),
  settings: {
    heartbeatMs: 200,
    deadAfterMs: 800,
    consumer: { swallowedAfterMs: 500, renewMs: 500 },
  },
});
rivulet.subscribe({
  topic,
  group,
  origin: 'consumer.mjs',
  concurrency,
  retry: { maxAttempts, backoff: () => 50 },
  handler: async ({ message, attempt }) => {
    // Awaited: a start that is not told before the crash would not be counted.
    await tell({ started: message.key, attempt });
    if (message.key === poison) {
      deaths[death]();
      await new Promise(() => {});
    }
    await wait(Math.random() * handlerMs);
    await tell({ handled: message.key, attempt });
  },
});
rivulet.events.on('dead-lettered', ({ reason }) => void tell({ deadLettered: reason }));
await rivulet.consume();
await tell({ ready: true });
process.once('SIGTERM', () => {
  void rivulet.stop().then(leave);
});
