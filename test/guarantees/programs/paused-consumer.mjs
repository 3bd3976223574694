// One process with three groups, to be killed and frozen while some of them are paused: `plain`, `ordered`, and `other`.
// argv: Redis URL, JSON of { namespace, topic, handlerMs }
import { setTimeout as wait } from 'node:timers/promises';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, topic, handlerMs } = JSON.parse(json);
const rivulet = new Rivulet({
  stores: new RedisStores({ connection: url, namespace, blockMs: 500 }),
  settings: {
    heartbeatMs: 200,
    deadAfterMs: 800,
    consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 500 },
    ordered: { leaseMs: 1_500, renewMs: 200, selfStopMs: 1_000, rebalanceDelayMs: 300 },
  },
});
for (const [group, ordered] of Object.entries({ plain: false, ordered: true, other: false }))
  rivulet.subscribe({
    ...{ topic, group, ordered, concurrency: 4, origin: 'paused-consumer.mjs' },
    handler: async ({ message, attempt }) => {
      await tell({ started: `${group} ${message.key}`, attempt });
      await wait(Math.random() * handlerMs);
      await tell({ handled: `${group} ${message.key}`, attempt });
    },
  });
for (const event of ['group-paused', 'group-resumed'])
  rivulet.events.on(event, ({ group }) => void tell({ event: `${event} ${group}` }));
await rivulet.consume();
await tell({ ready: true });
process.once('SIGTERM', () => {
  void rivulet.stop().then(leave);
});
