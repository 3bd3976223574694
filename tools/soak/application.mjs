// A process of the application that soaks: it sends in every way there is, and handles.
// argv: Redis URL, JSON of { namespace, file, lanes }; lanes of each kind, 0: it only handles
// Its parent says { do: 'load' | 'quiet' | 'trim' | 'sample' | 'stall' | 'stop' } and is told what was answered and handled.
import { setTimeout as wait } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { createClient } from '@libsql/client';
import { Rivulet } from '../../dist/core/rivulet.js';
import { libsqlParticipant } from '../../dist/participants/libsql.js';
import { RedisStores } from '../../dist/redis/redis-stores.js';

// Whoever started it may be gone before it could say so.
const orphaned = () => process.exit();
process.once('disconnect', orphaned);

const [url, json] = process.argv.slice(2);
const { namespace, file, lanes } = JSON.parse(json);
const client = createClient({ url: `file:${file}` });
const rivulet = new Rivulet({
  stores: new RedisStores({ connection: url, namespace, blockMs: 500 }),
  settings: {
    ...{ heartbeatMs: 500, deadAfterMs: 2_500, requestTimeoutMs: 4_000 },
    producer: { sendTimeoutMs: 5_000 },
    // Short, so that Redis is empty again at the end.
    topics: { queues: 4, retentionMs: 1_000, dedupWindowMs: 1_000 },
    consumer: { blockMs: 500, renewMs: 500, swallowedAfterMs: 1_500, claimLeaseMs: 3_000 },
    ordered: { leaseMs: 3_000, renewMs: 500, selfStopMs: 2_000, rebalanceDelayMs: 500 },
    // SQLite has one writer: whoever only handles leaves it alone.
    transactions: {
      participants: lanes > 0 ? [libsqlParticipant(client)] : [],
      checkAfterMs: 1_000,
    },
  },
});

/** What was answered and handled since the parent was last told. */
let news = { answered: [], handled: [] };
let told = Promise.resolve();
let telling = false;
const counted = { requests: 0, requestsLost: 0, duplicates: 0, rolledBack: 0 };
/** Why sends were not confirmed. */
const codes = {};

const retry = { maxAttempts: 1_000, backoff: () => 50 };
const handle = async ({ message, attempt }) => {
  await wait(Math.random() * 5);
  if (attempt === 1 && Math.random() < 0.02) throw new Error('again');
  news.handled.push(message.key);
  // Settled only once it is told: a process that is killed in between would have handled in vain.
  await tellSoon();
};
const kinds = {
  plain: { options: {} },
  ordered: { options: { ordered: true } },
  delayed: { options: {} },
  idempotent: { options: { idempotent: { key: ({ key }) => key, ttlMs: 1_500 } } },
  transactional: { options: {} },
};
for (const [topic, { options }] of Object.entries(kinds))
  rivulet.subscribe({
    ...{ topic, group: topic, origin: 'soak', concurrency: 16, retry, handler: handle },
    ...options,
  });
rivulet.subscribe({
  ...{ topic: 'request', group: 'request', origin: 'soak', concurrency: 16, reply: true },
  handler: ({ body }) => ({ answer: body }),
});
rivulet.events.on('duplicate', () => (counted.duplicates += 1));

const { producer } = rivulet;
/** How one message of each kind is sent. Rejects when it was not, or when nobody knows. */
const send = {
  plain: (key) => producer.send('plain', { key }, { key }),
  ordered: (key, lane) => producer.send('ordered', { key }, { key, messageGroup: lane }),
  delayed: (key) =>
    producer.send('delayed', { key }, { key, delayMs: Math.round(100 + Math.random() * 900) }),
  idempotent: async (key) => {
    await producer.send('idempotent', { key }, { key });
    // Once more, as somebody does who did not get the answer.
    if (Math.random() < 0.3) await producer.send('idempotent', { key }, { key }).catch(() => {});
  },
  transactional: (key) =>
    rivulet.transactions.run(async (tx) => {
      await tx.execute({ sql: 'INSERT INTO soaked VALUES (?)', args: [key] });
      await producer.send('transactional', { key }, { key });
      if (Math.random() < 0.1) throw new RolledBack();
    }),
};
class RolledBack extends Error {
  code = 'ROLLED_BACK';
}

let loading = new AbortController();
let working = Promise.resolve();
/** Each lane goes on where it was. */
const seqs = new Map();

function load() {
  loading = new AbortController();
  const each = Object.keys(send).flatMap((kind) =>
    Array.from({ length: lanes }, (_, i) => sendOn(kind, `${kind}:${i}`)),
  );
  working = Promise.all([...each, ...Array.from({ length: lanes }, askOn)]);
}

async function sendOn(kind, lane) {
  while (!loading.signal.aborted) {
    const seq = (seqs.get(lane) ?? 0) + 1;
    seqs.set(lane, seq);
    const key = `${lane}:${seq}`;
    const answer = await send[kind](key, lane).then(() => 'confirmed', outcomeOf);
    news.answered.push([key, answer]);
    void tellSoon();
    await wait(Math.random() * 60);
  }
}

function outcomeOf({ code, name }) {
  codes[code ?? name] = (codes[code ?? name] ?? 0) + 1;
  if (code === 'ROLLED_BACK') counted.rolledBack += 1;
  return ['ROLLED_BACK', 'SEND_FAILED', 'FLOW_BLOCKED'].includes(code) ? 'failed' : 'unknown';
}

async function askOn() {
  while (!loading.signal.aborted) {
    const question = Math.random();
    counted.requests += 1;
    await rivulet.requester.request('request', question).then(
      ({ answer }) => answer === question || Promise.reject(new Error('another answer')),
      () => (counted.requestsLost += 1),
    );
    await wait(Math.random() * 60);
  }
}

/** What this process holds, without garbage. */
function sample() {
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  // What V8 keeps mapped goes up and down with the load; the rest of the process does not.
  const native = rss - getHeapStatistics().total_physical_size;
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const { messages: held } = producer.held;
  return { rss, native, heapUsed, external, resources, held, codes, ...counted };
}

const orders = {
  load: () => load(),
  quiet: async () => {
    loading.abort();
    await working;
  },
  trim: async () => {
    for (const topic of await rivulet.stores.topics.list())
      for (let queue = 0; queue < 4; queue++)
        while ((await rivulet.stores.log.trim({ topic, queue }, 10_000)) > 0);
  },
  sample,
  stall: ({ ms }) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  },
  stop: async () => {
    await rivulet.stop(5_000);
    client.close();
    return sample();
  },
};

/** What came in one turn goes out together. Resolves once it is written. */
function tellSoon() {
  if (telling) return told;
  telling = true;
  told = new Promise((resolve) => {
    setImmediate(() => {
      telling = false;
      process.send({ news }, resolve);
      news = { answered: [], handled: [] };
    });
  });
  return told;
}

if (lanes > 0) await client.execute('CREATE TABLE IF NOT EXISTS soaked (id text PRIMARY KEY)');
await rivulet.consume();
process.on('message', (order) => void obey(order));
async function obey(order) {
  const result = await orders[order.do](order);
  process.send({ done: order.id, result });
  if (order.do !== 'stop') return;
  // What is left open must keep it alive, and be seen.
  process.off('disconnect', orphaned);
  process.disconnect();
}
process.send({ ready: true });
