// One process that places orders in database transactions with messages, and looks after those of others; to be killed.
// argv: Redis URL, JSON of { namespace, database, name, how, lanes, slow, settings, control }
//   how      settings.transactions; control: 'publish-after-commit' or 'select-only', what must not be done
//   lanes    so many transactions at once, one after the other, until it is told to stop; 0: none
//   slow     share of transactions that wait between their last statement and COMMIT, for slowMs
//   once     one transaction with this key, RIVULET_KILL_AT or RIVULET_STOP_AT in it (see `at`)
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { pgParticipant } from '../../../dist/participants/pg.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const {
  namespace,
  database,
  name,
  transactions,
  control,
  lanes = 0,
  slow = 0,
  slowMs = 0,
  once,
} = JSON.parse(json);
const { RIVULET_KILL_AT: killAt, RIVULET_STOP_AT: stopAt } = process.env;

/** Dies or stands still here, if this is the point. */
function at(point) {
  if (point === killAt) process.kill(process.pid, 'SIGKILL');
  if (point === stopAt) process.kill(process.pid, 'SIGSTOP');
}

const never = new Promise(() => {});
/** Both halves of this process's first transaction are stored. */
let halfStored;
const halvesStored = new Promise((resolve) => {
  let left = 2;
  halfStored = () => --left === 0 && resolve();
});
/** The moves that count are those behind the COMMIT of this process, not those it does for others. */
let isCommitted = false;
const pool = new pg.Pool({ connectionString: database, max: Math.max(lanes, 2) + 2 });
const real = pgParticipant(pool);
const participant = Object.assign(Object.create(real), {
  name: real.name,
  run: async (body, options) => {
    at('before BEGIN');
    const result = await real.run(async (tx) => {
      const value = await body(tx);
      at('marker and half stored');
      if (Math.random() < slow) await wait(slowMs);
      // Once COMMIT is written: before its answer has been read.
      setImmediate(() => at('COMMIT sent'));
      return value;
    }, options);
    isCommitted = true;
    at('COMMIT answered');
    return result;
  },
  mark: async (tx, marker) => {
    if ([killAt, stopAt].includes('half stored, no marker')) await halvesStored;
    at('half stored, no marker');
    await real.mark(tx, marker);
    at('marker stored, no half');
  },
  // What a checker does that RocketMQ's samples show: it looks, and decides nothing.
  ...(control === 'select-only' && {
    decide: async (ids) => {
      const { rows } = await pool.query("SELECT id::text FROM rivulet_tx WHERE v = 'C'");
      const committed = new Set(rows.map(({ id }) => id));
      return new Map(ids.map((id) => [id, committed.has(id) ? 'commit' : 'rollback']));
    },
  }),
});

// A URL, or the nodes of a cluster.
const connection = url.includes(',') ? { cluster: url.split(',') } : url;
const stores = new RedisStores({ connection, namespace });
const { halves } = stores;
Object.defineProperty(stores, 'halves', {
  value: new Proxy(halves, {
    get: (of, move) => {
      const method = of[move].bind(of);
      if (!['prepare', 'commit', 'publish'].includes(move)) return method;
      return async (...args) => {
        if (move === 'prepare' && killAt === 'marker stored, no half') await never;
        const answer = method(...args);
        if (isCommitted) setImmediate(() => at(`${String(move)} sent`));
        const reply = await answer;
        if (move === 'prepare') halfStored();
        else if (isCommitted) at(`${String(move)} answered`);
        return reply;
      };
    },
  }),
});

const rivulet = new Rivulet({
  stores,
  settings: {
    topics: { queues: 2 },
    transactions: { participants: [participant], ...transactions },
  },
});

async function place(key) {
  const insert = (tx) => tx.query('INSERT INTO orders VALUES ($1)', [key]);
  const send = async () => {
    await rivulet.producer.send('orders', key, { key });
    await rivulet.producer.send('audit', key, { key });
  };
  if (control === 'publish-after-commit') {
    await real.run(insert);
    return send();
  }
  return rivulet.transactions.run(async (tx) => {
    at('in the body');
    await insert(tx);
    await send();
    at('after the body');
  });
}

const stopping = new AbortController();
async function placeOn(lane) {
  for (let n = 0; !stopping.signal.aborted; n++) {
    // What is expected here is in the database: an error says that it is not, or that nobody knows.
    await place(`${name}:${lane}:${n}`).catch(() => wait(20));
  }
}

rivulet.events.on('checked', ({ resolution }) => tell({ checked: resolution }));
await rivulet.open(30_000);
// Known before the first transaction, as in an application that runs for a while.
for (const topic of ['orders', 'audit']) await rivulet.topics.get(topic);
tell({ ready: true });
const working = Array.from({ length: lanes }, (_, lane) => placeOn(lane));
if (once !== undefined)
  place(once).then(
    () => tell({ placed: once }),
    (error) => tell({ failed: once, code: error.code ?? error.name }),
  );
process.once('SIGTERM', () => {
  stopping.abort();
  void Promise.all(working)
    .then(() => rivulet.stop())
    .then(() => pool.end())
    .then(() => process.exit(0));
});

function tell(what) {
  if (process.connected) process.send(what);
}
