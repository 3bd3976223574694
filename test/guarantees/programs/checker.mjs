// One process that asks its database about overdue half messages, and dies where it is told to.
// argv: Redis URL, JSON of { namespace, file, leaseMs }; RIVULET_KILL_AT: see `points` below
import { createClient } from '@libsql/client';
import { BackCheckLoop } from '../../../dist/core/transaction/back-check-loop.js';
import { Events } from '../../../dist/core/runtime/events.js';
import { silentLogger } from '../../../dist/core/runtime/logger.js';
import { StoreTime } from '../../../dist/core/store/store-time.js';
import { systemClock } from '../../../dist/core/runtime/clock.js';
import { libsqlParticipant } from '../../../dist/participants/libsql.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';

const [url, json] = process.argv.slice(2);
const { namespace, file, leaseMs } = JSON.parse(json);
const killAt = process.env.RIVULET_KILL_AT;
const dieAt = (point) => {
  if (point === killAt) process.kill(process.pid, 'SIGKILL');
};

const stores = new RedisStores({ connection: url, namespace });
await stores.open(10_000);
const participant = libsqlParticipant(createClient({ url: `file:${file}` }));
const events = new Events({ logger: silentLogger });
events.on('checked', (facts) => process.send(facts));

const decided = {
  ...participant,
  decide: async (ids) => {
    dieAt('claimed');
    const verdicts = await participant.decide(ids);
    dieAt('decided');
    return verdicts;
  },
};
const halves = new Proxy(stores.halves, {
  get: (of, name) => {
    if (name !== 'commit' && name !== 'rollback') return of[name].bind(of);
    return async (...args) => {
      const reply = of[name](...args);
      // Once it is written: before its answer has been read.
      setImmediate(() => dieAt(`${name} sent`));
      const answer = await reply;
      dieAt(`${name} answered`);
      return answer;
    };
  },
});

const loop = new BackCheckLoop({
  halves,
  clock: systemClock,
  storeTime: new StoreTime({ clock: systemClock }),
  events,
  logger: silentLogger,
  noteRelease: () => {},
  databases: { list: () => [decided], ready: () => participant.identity() },
  methods: { names: [], ask: async () => 'unknown' },
  producerGroup: 'orders',
  inboxKeptMs: 7 * 86_400_000,
  checkAfterMs: 500,
  leaseMs: { database: leaseMs, method: leaseMs },
  onError: () => {},
});
loop.start();
process.send('ready');
process.once('disconnect', () => {
  void loop.stop().then(() => process.exit(0));
});
