// One process of an ordered group, to be killed, frozen and cut off. Every start and end of a handler is an entry of a
// trace in another Redis, whose order is what the checker believes.
// argv: Redis URL (or nodes of a cluster), URL of the trace, JSON of { namespace, topic, group, concurrency, leastMs, handlerMs, failing, timing }
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave } from '../../helpers/parent.mjs';

const [url, traceUrl, json] = process.argv.slice(2);
const {
  namespace,
  topic,
  group,
  concurrency,
  leastMs = 0,
  handlerMs,
  failing,
  timing,
} = JSON.parse(json);
const trace = new Redis(traceUrl, { maxRetriesPerRequest: null });
// A URL, or the nodes of a cluster.
const connection = url.includes(',') ? { cluster: url.split(',') } : url;
const rivulet = new Rivulet({
  stores: new RedisStores({ connection, namespace, blockMs: 500 }),
  settings: { heartbeatMs: 200, deadAfterMs: 1_000, consumer: { blockMs: 500 }, ordered: timing },
});
const who = String(process.pid);

rivulet.subscribe({
  topic,
  group,
  origin: 'ordered.mjs',
  concurrency,
  ordered: true,
  retry: { maxAttempts: 100, backoff: () => 30 },
  handler: async ({ message, fencingToken, signal }) => {
    const [lane, seq] = message.key.split(':');
    const facts = ['group', lane, 'seq', seq, 'who', who, 'token', String(fencingToken)];
    await trace.xadd('trace', '*', 'kind', 'start', ...facts);
    await wait(leastMs + Math.random() * handlerMs);
    const ok = Math.random() >= failing;
    await trace.xadd('trace', '*', 'kind', 'end', ...facts, 'ok', ok ? '1' : '');
    // A process that was frozen learns of it with the timers that were overdue before this one.
    await wait(1);
    await new Promise((resolve) => setImmediate(resolve));
    await trace.xadd('trace', '*', 'kind', 'told', ...facts, 'aborted', signal.aborted ? '1' : '');
    if (!ok) throw new Error('one of the failing ones');
    if (!signal.aborted) process.send({ handled: message.key });
  },
});
for (const name of ['queue-lost', 'settle-refused'])
  rivulet.events.on(name, () => process.send({ event: name }));
await rivulet.consume();
process.send({ ready: true });
process.once('SIGTERM', () => {
  void rivulet.stop().then(() => {
    trace.disconnect();
    leave();
  });
});
