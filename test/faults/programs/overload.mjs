// One process that sends more than it can, and awaits nothing. It handles what it sent, with failures, once it is told
// 'consume', and sends no more once it is told 'hush'. Tells its parent what it does, and how much memory it has.
// argv: Redis URL, JSON of { namespace, database, bytes, settings, handlerMs }
import { setTimeout as wait } from 'node:timers/promises';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { openDatabase } from '../../guarantees/programs/databases.mjs';
import { leave } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, database, bytes, settings, handlerMs } = JSON.parse(json);
const LANES = 10;
/** Each is sent by itself, and handled by one group. */
const WAYS = {
  plain: {},
  ordered: { ordered: true },
  idempotent: { idempotent: true },
  transactional: {},
};

const { participant, insert, close } = await openDatabase('libsql', database);
const stores = new RedisStores({ connection: url, namespace, blockMs: 500 });
const rivulet = new Rivulet({
  stores,
  settings: { ...settings, transactions: { participants: [participant] } },
});
const body = Buffer.alloc(bytes);
let isSending = true;

for (const [topic, way] of Object.entries(WAYS))
  rivulet.subscribe({
    ...{ topic, group: 'billing', origin: topic, concurrency: 4, ...way },
    retry: { maxAttempts: 1_000, backoff: { fromMs: 50, toMs: 50, jitter: 0 } },
    async handler({ message, attempt }) {
      await wait(handlerMs);
      if (attempt === 1 && message.key.endsWith('3')) throw new Error('one of the failing ones');
      tell({ handled: message.key, attempt });
    },
  });
rivulet.events.on('dead-lettered', ({ reason }) => tell({ deadLettered: reason }));
await rivulet.open();
tell({ ready: true });
const watching = setInterval(() => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  tell({ live: heapUsed + external });
}, 200);

const flooding = Object.keys(WAYS).map((topic) =>
  topic === 'transactional' ? placeOrders() : flood(topic),
);
process.on('message', (told) => {
  if (told === 'consume') void rivulet.consume();
  else isSending = false;
});
process.once('SIGTERM', () => void end());

async function end() {
  clearInterval(watching);
  await Promise.all(flooding);
  await rivulet.stop();
  await close();
  leave();
}

/** Awaits none of its sends. */
async function flood(topic) {
  const seqs = Array.from({ length: LANES }, () => 0);
  for (let n = 0; isSending; n++) {
    const lane = n % LANES;
    const place = topic === 'ordered' ? { lane: `lane${lane}`, seq: seqs[lane]++ } : {};
    const options = topic === 'ordered' ? { messageGroup: place.lane } : {};
    const key = `${topic}-${n}`;
    void answered(key, place, rivulet.producer.send(topic, body, { key, ...options }));
    if (n % 4 === 0) await wait(20);
  }
}

async function placeOrders() {
  for (let n = 0; isSending; n++) {
    const key = `transactional-${n}`;
    const placed = rivulet.transactions.run(async (tx) => {
      await insert(tx, key);
      await rivulet.producer.send('transactional', body, { key });
    });
    await answered(key, {}, placed);
    await wait(50);
  }
}

async function answered(key, place, answer) {
  tell({ sending: key, ...place });
  try {
    await answer;
    tell({ answered: key, answer: 'confirmed' });
  } catch ({ code }) {
    tell({ answered: key, answer: code === 'SEND_OUTCOME_UNKNOWN' ? 'unknown' : 'failed', code });
  }
}

function tell(what) {
  process.send(what);
}
