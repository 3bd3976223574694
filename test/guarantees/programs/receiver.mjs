// One process that takes jobs by hand, to be killed and frozen. Tells its parent what it does.
// argv: Redis URL, JSON of { namespace, topic, group, max, invisibleMs, workMs, harm }
//   harm   { at, nth }: it dies at the how-many-th time of a point of `pointed`, or of 'acked'
import { setTimeout as wait } from 'node:timers/promises';
import { ReceiptExpiredError } from '../../../dist/core/consumer/pull/receipt.js';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';
import { pointed } from '../../helpers/pointed.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, topic, group, max, invisibleMs, workMs, harm } = JSON.parse(json);

let left = harm?.nth ?? 1;
function at(point) {
  if (point === harm?.at && --left === 0) process.kill(process.pid, 'SIGKILL');
}

const stores = new RedisStores({ connection: url, namespace, blockMs: 500 });
Object.defineProperty(stores, 'deliveries', {
  value: pointed('deliveries', stores.deliveries, at),
});
const rivulet = new Rivulet({
  stores,
  settings: { heartbeatMs: 200, deadAfterMs: 800, consumer: { swallowedAfterMs: 500 } },
});
const { pulls } = rivulet;
await rivulet.open();
await tell({ ready: true });
let isStopping = false;
process.once('SIGTERM', () => {
  isStopping = true;
  void rivulet.stop().then(leave);
});
while (!isStopping) for (const job of await receive()) await work(job);

async function receive() {
  const call = { topic, group, max, waitMs: 500, invisibleDurationMs: invisibleMs };
  const jobs = await pulls.receive(call).catch((error) => {
    if (!isStopping) throw error;
    return [];
  });
  // All of a call are in hand at once.
  for (const { message, attempt } of jobs) await tell({ started: message.key, attempt });
  return jobs;
}

async function work({ message: { key }, attempt, receipt }) {
  await wait(Math.random() * workMs);
  try {
    // Some are given back at first, the others are hidden for longer.
    const givesBack = attempt === 1 && Number(key) % 7 === 0;
    await pulls.changeInvisibleDuration(receipt, givesBack ? 0 : invisibleMs);
    if (givesBack) return;
    await pulls.ack(receipt);
    await tell({ handled: key, attempt });
    at('acked');
  } catch (error) {
    if (error instanceof ReceiptExpiredError) await tell({ refused: key });
    else if (!isStopping) throw error;
  }
}
