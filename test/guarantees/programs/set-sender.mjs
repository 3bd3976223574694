// One process that sends sets of messages, and completes those of others; to be killed.
// argv: Redis URL, JSON of { namespace, set }; RIVULET_KILL_AT: "<move> <n> sent" or "<move> <n> answered", see below
import { Rivulet } from '../../../dist/core/rivulet.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { tell } from '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, set } = JSON.parse(json);
const killAt = process.env.RIVULET_KILL_AT;
const dieAt = (point) => {
  if (point === killAt) process.kill(process.pid, 'SIGKILL');
};

const stores = new RedisStores({ connection: url, namespace });
const { halves } = stores;
const times = {};
Object.defineProperty(stores, 'halves', {
  value: new Proxy(halves, {
    get: (of, move) => {
      const method = of[move].bind(of);
      if (!set || !['prepare', 'publish', 'commit'].includes(move)) return method;
      return async (...args) => {
        const n = (times[move] = (times[move] ?? 0) + 1);
        const answer = method(...args);
        // Once it is written: before its answer has been read.
        setImmediate(() => dieAt(`${String(move)} ${n} sent`));
        const reply = await answer;
        dieAt(`${String(move)} ${n} answered`);
        return reply;
      };
    },
  }),
});

const rivulet = new Rivulet({ stores, settings: { transactions: { checkAfterMs: 2_000 } } });
rivulet.events.on('checked', ({ resolution }) => void tell({ resolution }));
await rivulet.open(30_000);
for (const topic of ['orders', 'audit', 'mails']) await rivulet.topics.get(topic);
await tell('ready');
if (set) await tell({ sent: await rivulet.sets.send(set) });
