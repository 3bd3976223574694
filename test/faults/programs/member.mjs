// One process that sends and consumes, and is harmed at a point of its own. Tells its parent what it does.
// argv: Redis URL, JSON of
//   namespace, settings   as of the library
//   consumes              { group, ordered, concurrency, maxAttempts, handlerMs, onExhausted }; none: it only sends
//   failing               key → how many attempts fail
//   sends                 [{ key, lane, dedupId, delayMs }], at once and one after the other in each lane
//   pauseMs               longest pause between two sends of a lane. Default none
//   harm                  { at: '<port>.<method> called|sent|answered' | 'handler ended', nth, signal }
//   stall                 { ms }: its first handler blocks the thread
import { setTimeout as wait } from 'node:timers/promises';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';
import { pointed } from '../../helpers/pointed.mjs';

const [url, json] = process.argv.slice(2);
const {
  namespace,
  settings,
  consumes,
  failing = {},
  sends = [],
  pauseMs = 0,
  harm,
  stall,
} = JSON.parse(json);

/** One clock for all processes of a machine, which nobody sets. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

let left = harm?.nth ?? 1;
/** Harms this process, if this is the point. */
function at(point) {
  if (point === harm?.at && --left === 0) process.kill(process.pid, harm.signal ?? 'SIGKILL');
}

const stores = new RedisStores({ connection: url, namespace, blockMs: 500 });
for (const port of ['log', 'deliveries', 'leases', 'schedule', 'dedup'])
  Object.defineProperty(stores, port, { value: pointed(port, stores[port], at) });
const rivulet = new Rivulet({ stores, settings });

let hasStalled = false;
function block(ms) {
  hasStalled = true;
  const until = performance.now() + ms;
  while (performance.now() < until);
}

async function handle({ message, attempt, signal }) {
  await tell({ started: message.key, attempt });
  if (stall && !hasStalled) {
    block(stall.ms);
    // A timer that is set right after counts from before the stall, and would run before those that were due in it.
    await wait(1);
  }
  await wait(Math.random() * consumes.handlerMs);
  if (attempt <= (failing[message.key] ?? 0)) throw new Error('one of the failing ones');
  await tell({ handled: message.key, attempt, aborted: signal.aborted, atMs: now() });
  at('handler ended');
}

if (consumes) {
  const { group, ordered, concurrency, maxAttempts, onExhausted } = consumes;
  rivulet.subscribe({
    ...{ topic: 'orders', group, concurrency, origin: 'member.mjs', handler: handle },
    ...(ordered ? { ordered, onExhausted } : {}),
    retry: { maxAttempts, backoff: () => 50 },
  });
  rivulet.events.on('dead-lettered', ({ reason }) => void tell({ deadLettered: reason }));
  rivulet.events.on('settle-refused', ({ key }) => void tell({ refused: key }));
}
await (consumes ? rivulet.consume() : rivulet.open());
await tell({ ready: true });

for (const lane of groupedByLane().values()) void sendInOrder(lane);

function groupedByLane() {
  const groups = new Map();
  for (const send of sends) groups.set(send.lane, [...(groups.get(send.lane) ?? []), send]);
  return groups;
}

async function sendInOrder(lane) {
  for (const [seq, { key, lane: messageGroup, ...options }] of lane.entries()) {
    await tell({ sending: key, lane: messageGroup, seq, atMs: now() });
    const answer = await rivulet.producer
      .send('orders', { key }, { key, messageGroup, ...options })
      .then(() => 'confirmed')
      .catch(({ code }) => (code === 'SEND_OUTCOME_UNKNOWN' ? 'unknown' : 'failed'));
    await tell({ answered: key, answer });
    if (pauseMs > 0) await wait(Math.random() * pauseMs);
  }
}

process.once('SIGTERM', () => {
  void rivulet.stop().then(leave);
});
