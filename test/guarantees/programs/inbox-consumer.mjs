// One process whose handler writes a bill and sends it, in a transaction with its inbox; to be killed.
// argv: Redis URL, JSON of { namespace, kind, database, diesAt }: the point at which it dies, in its third transaction
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';
import { openDatabase } from './databases.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, kind, database, diesAt } = JSON.parse(json);
const { participant: real, insert, close } = await openDatabase(kind, database);

let left = 3;
const at = (point) => {
  if (point === diesAt && --left === 0) process.kill(process.pid, 'SIGKILL');
};
const participant = Object.assign(Object.create(real), {
  name: real.name,
  run: async (body, options) => {
    const result = await real.run(async (tx) => {
      const value = await body(tx);
      // Once COMMIT is written: before its answer has been read.
      setImmediate(() => at('COMMIT sent'));
      return value;
    }, options);
    at('COMMIT answered');
    return result;
  },
});
const stores = new RedisStores({ connection: url, namespace, blockMs: 500 });
const { complete } = stores.dedup;
stores.dedup.complete = (ref, done, asker) =>
  complete.call(stores.dedup, ref, done, {
    completed: (reply) => {
      at('recorded');
      asker.completed(reply);
    },
    completeFailed: (error) => asker.completeFailed(error),
  });

const rivulet = new Rivulet({
  stores,
  settings: {
    heartbeatMs: 200,
    deadAfterMs: 800,
    consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 500, claimLeaseMs: 1_500 },
    transactions: { participants: [participant], checkAfterMs: 300 },
  },
});
rivulet.subscribe({
  topic: 'orders',
  group: 'billing',
  origin: 'inbox-consumer.mjs',
  idempotent: { key: (message) => message.key, participant: participant.name },
  // A database may end a transaction that met another one.
  retry: { backoff: { fromMs: 100, toMs: 500 } },
  handler: async ({ message: { key }, attempt }) => {
    await insert(rivulet.transactions.current(), key);
    await rivulet.producer.send('bills', key, { key });
    at('written');
    await tell({ handled: key, attempt });
  },
});
rivulet.events.on('duplicate', ({ dedupKey }) => void tell({ duplicate: dedupKey }));
// Told before it can die.
await tell({ ready: true });
await rivulet.consume();
process.once('SIGTERM', () => {
  void rivulet.stop().then(close).then(leave);
});
