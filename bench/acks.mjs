// What a confirm costs by its acks: node --expose-gc bench/acks.mjs (after npm run build). One server, and one replica of it.
import { MessageProducer } from '../dist/index.js';
import { findRedis, startRedis } from '../tools/with-redis.mjs';
import { bodyAt } from './bodies.mjs';
import { inParallel } from './clock.mjs';
import { openApp, TOPIC } from './rivulet.mjs';

const LEVELS = [
  { name: 'memory', persistence: 'aof-everysec', acks: 'memory' },
  { name: 'replicas: 1', persistence: 'aof-everysec', acks: { replicas: 1 } },
  { name: 'disk, appendfsync always', persistence: 'aof-always', acks: 'disk' },
  // Up to a second for each confirm.
  {
    ...{ name: 'disk, appendfsync everysec', persistence: 'aof-everysec', acks: 'disk' },
    runs: [
      { inFlight: 200, messages: 4_000 },
      { inFlight: 2_000, messages: 40_000 },
      { inFlight: 1, messages: 20 },
    ],
  },
];
const RUNS = [
  { inFlight: 200, messages: 20_000 },
  { inFlight: 1, messages: 500 },
];

const binary = findRedis();
for (const { name, persistence, acks, runs = RUNS } of LEVELS) {
  const server = await startRedis(binary, { persistence });
  const args = ['--replicaof', '127.0.0.1', String(server.port), '--repl-diskless-sync-delay', '0'];
  const replica = await startRedis(binary, { args });
  const app = await openApp({ connection: server.url, consume: false, producer: { acks } }).catch(
    (error) => console.log(`${name}: ${error.message}`),
  );
  if (!app) {
    await Promise.all([server.stop(), replica.stop()]);
    continue;
  }
  const producer = app.get(MessageProducer);
  const send = (i) => producer.send(TOPIC, bodyAt(i));
  await inParallel({ count: 5_000, inFlight: 200 }, send);
  for (const { inFlight, messages } of runs) {
    const start = performance.now();
    await inParallel({ count: messages, inFlight }, send);
    const tookMs = performance.now() - start;
    const perSecond = Math.round((messages / tookMs) * 1_000);
    const eachUs = Math.round((tookMs * 1_000 * inFlight) / messages);
    console.log(
      `${name}: ${inFlight} in flight, ${perSecond} messages/s, a confirm after ${eachUs} µs`,
    );
  }
  await app.close();
  await Promise.all([server.stop(), replica.stop()]);
}
