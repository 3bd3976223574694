import { setTimeout as wait } from 'node:timers/promises';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { mongoDatabase, type MongoDatabase } from '../helpers/mongo.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { describeWith } from '../helpers/servers.js';
import { ShopFloor } from '../helpers/shop-floor.js';

const PROGRAM = new URL('./programs/mongo-transactor.mjs', import.meta.url);
/** How long things break, for each way; `npm run test:chaos` takes longer. */
const CHAOS_MS = Number(process.env['RIVULET_CHAOS_MS'] ?? 4_000);
const PROCESSES = 3;
const IMPATIENT = { checkAfterMs: 300, halfTimeoutMs: 200 };

describeWith('mongo')('transactions in MongoDB', () => {
  let redis: TestRedis;
  let database: MongoDatabase;
  beforeAll(async () => {
    redis = await startRedis({ persistence: 'aof-always' });
    database = await mongoDatabase();
    await database.query('CREATE TABLE orders (id)');
  });
  afterAll(async () => {
    await database?.drop();
    await redis?.stop();
  });

  const fleetOf = (namespace: string, more: object): Fleet => {
    const facts = { namespace, database: database.url, ...more };
    return new Fleet({ program: PROGRAM, args: [redis.url, JSON.stringify(facts)] });
  };

  /** What is there once another process has decided all that is left. Those that were at work must be gone. */
  async function afterwards(namespace: string) {
    const stores = new RedisStores({ connection: redis.url, namespace });
    await stores.open(30_000);
    const floor = new ShopFloor({ stores, topics: ['orders', 'audit'], queues: 2 });
    // What a killed checker claimed would wait for its lease to end: an operator does not.
    for (const half of await floor.halves()) await stores.halves.unpark(half, [half.id]);
    const survivor = fleetOf(namespace, { lanes: 0, transactions: IMPATIENT });
    await survivor.launch();
    await floor.whenDecided(database);
    await survivor.stop();
    const ids = (await database.query('SELECT id FROM orders')).map(({ id }) => String(id));
    const placed = new Set(ids.filter((id) => id.startsWith(`${namespace}:`)));
    const differences = await floor.differences(placed);
    await stores.close();
    return { placed: placed.size, differences };
  }

  it.each(['half', 'outbox'])(
    'lose, invent and double nothing while processes and Redis are killed: messages wait in the %s',
    async (store) => {
      const seed = newSeed();
      const random = seededRandom(seed);
      const namespace = `mongo-${store}`;
      const crew = fleetOf(namespace, { lanes: 6, transactions: { store, ...IMPATIENT } });
      await Promise.all(Array.from({ length: PROCESSES }, () => crew.launch()));
      let redisKills = 0;
      const until = performance.now() + CHAOS_MS;
      while (redisKills < 1 || performance.now() < until) {
        await wait(100 + random() * 300);
        // Some processes, then Redis, whatever chance says.
        if (crew.kills < 3 || (redisKills > 0 && random() < 0.8)) {
          await crew.killOne(random);
          await crew.launch();
        } else {
          await redis.kill();
          await redis.restart();
          redisKills += 1;
        }
      }
      await crew.stop();

      const { placed, differences } = await afterwards(namespace);
      const { lost, ghosts, doubled } = differences;
      tellFigures(`transaction-mongo-${store}`, {
        ...{ seed, confirmed: placed },
        ...{ processes: crew.kills, 'Redis kills': redisKills },
        ...{ lost: lost.length, ghosts: ghosts.length, doubled: doubled.length },
      });
      expect(differences).toEqual({ lost: [], ghosts: [], doubled: [] });
      expect(placed).toBeGreaterThan(50);
    },
    CHAOS_MS + 240_000,
  );

  // A negative control: what must not be done, in the same harness. It must lose.
  it('are seen to be lost by this test when they are published after COMMIT', async () => {
    const namespace = 'mongo-control';
    const crew = fleetOf(namespace, { lanes: 1, control: 'publish-after-commit', dieAfter: 5 });
    await crew.launch();
    while (crew.size > 0) await crew.change();
    const { placed, differences } = await afterwards(namespace);
    tellFigures(namespace, { confirmed: placed, lost: differences.lost.length });
    expect(placed).toBe(5);
    const lost = ['orders', 'audit'].map((topic) =>
      expect.stringContaining(`${topic} ${namespace}:`),
    );
    expect(differences).toEqual({ lost, ghosts: [], doubled: [] });
  });
});
