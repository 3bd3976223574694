// A process that is told to stop, and must be gone by itself afterwards: nothing may keep it alive.
// argv: Redis URL, JSON of { namespace, drainMs, hangs }
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, drainMs, hangs } = JSON.parse(json);
// Left alone, a silent socket, a send and a request would be given up long after the test.
const { hostname: host, port } = new URL(url);
const connection = { host, port: Number(port), socketTimeout: 600_000 };
const rivulet = new Rivulet({
  stores: new RedisStores({ connection, namespace }),
  settings: { heartbeatMs: 200, deadAfterMs: 1_000, producer: { sendTimeoutMs: 600_000 } },
});
let inHand = 0;
rivulet.subscribe({
  topic: 'orders',
  group: 'billing',
  origin: 'leaver.mjs',
  concurrency: 8,
  handler: async ({ message }) => {
    inHand += 1;
    process.send({ started: message.key });
    if (hangs) await new Promise(() => {});
  },
});
await rivulet.consume();
process.send({ ready: true });

process.on('message', (what) => {
  if (what === 'stop') void stop();
});

async function stop() {
  // In every state a send, a delayed one and a request can be in.
  const sends = [
    rivulet.producer.send('orders', 1, { key: 'late' }),
    rivulet.producer.send('elsewhere', 1, { delayMs: 60_000 }),
    rivulet.requester.request('questions', 'anybody?', { timeoutMs: 600_000 }),
  ];
  const settled = Promise.allSettled(sends);
  const begunAt = performance.now();
  await rivulet.stop(drainMs);
  const stoppedMs = performance.now() - begunAt;
  const ended = await settled;
  process.send({ stoppedMs, inHand, sends: ended.map(({ status }) => status) }, leave);
}
