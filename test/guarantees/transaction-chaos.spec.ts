import { setTimeout as wait } from 'node:timers/promises';
import { tellFigures } from '../helpers/figures.js';
import { startPostgres } from '../helpers/postgres.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Shop } from '../helpers/shop.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { Crew } from '../helpers/crew.js';

/** How long things break, for each way; `npm run test:chaos` takes longer. */
const CHAOS_MS = Number(process.env['RIVULET_CHAOS_MS'] ?? 2_500);
/** A server of a database needs seconds to come back. */
const IS_LONG = CHAOS_MS >= 20_000;
const PROCESSES = 3;
const SLOW = { slow: 0.02, slowMs: 600 };
const IMPATIENT = { checkAfterMs: 300, halfTimeoutMs: 200 };

type Server = Awaited<ReturnType<typeof startPostgres>>;
let redis: Server;
let postgres: Server;
let wire: TcpProxy;
beforeAll(async () => {
  redis = await startRedis({ persistence: 'aof-always' });
  postgres = await startPostgres();
  wire = await TcpProxy.inFrontOf(Number(new URL(postgres.url).port));
});
afterAll(async () => {
  await wire.close();
  await redis.stop();
  await postgres.stop();
});

it.each(['half', 'outbox'])(
  'loses, invents and doubles nothing while everything breaks: messages wait in the %s',
  async (store) => {
    const seed = newSeed();
    const random = seededRandom(seed);
    const shop = await Shop.openOwn({
      redisUrl: redis.url,
      serverUrl: postgres.url,
      wirePort: wire.port,
      namespace: `chaos_${store}`,
    });
    const crew = new Crew(shop, { ...SLOW, transactions: { store, ...IMPATIENT } });
    await Promise.all(Array.from({ length: PROCESSES }, () => crew.grow()));
    const broken = {
      processes: 0,
      'back ends': 0,
      wires: 0,
      'Redis stalls': 0,
      'Redis kills': 0,
      servers: 0,
    };
    const faults: Record<keyof typeof broken, () => Promise<unknown>> = {
      processes: async () => {
        await crew.killOne(random);
        await crew.grow();
      },
      'back ends': () => shop.killBackEnd(),
      wires: async () => wire.cutNow(),
      'Redis stalls': async () => {
        await redis.kill('SIGSTOP');
        await wait(200 + random() * 1_300);
        await redis.kill('SIGCONT');
      },
      'Redis kills': async () => {
        await redis.kill();
        await redis.restart();
      },
      servers: async () => {
        await postgres.kill();
        await postgres.restart();
      },
    };
    const likely: [keyof typeof broken, number][] = [
      ['processes', 0.45],
      ['back ends', 0.3],
      ['wires', 0.1],
      ['Redis stalls', 0.1],
      ['Redis kills', IS_LONG ? 0.03 : 0.05],
      ['servers', IS_LONG ? 0.02 : 0],
    ];
    // One of each first, whatever chance says.
    const first: (keyof typeof broken)[] = [
      'back ends',
      'processes',
      'wires',
      'Redis stalls',
      'Redis kills',
    ];
    const until = performance.now() + CHAOS_MS;
    while (first.length > 0 || performance.now() < until) {
      await wait(100 + random() * 300);
      let chance = random();
      const [chosen] = likely.find(([, share]) => (chance -= share) < 0) ?? likely[0]!;
      const fault = first.shift() ?? chosen;
      broken[fault] += 1;
      await faults[fault]();
    }
    await crew.stop();
    await shop.settle();

    const differences = await shop.differences();
    const { size } = await shop.orders();
    const { lost, ghosts, doubled } = differences;
    tellFigures(`transaction-chaos-${store}`, {
      ...{ seed, confirmed: size, ...broken },
      ...{ lost: lost.length, ghosts: ghosts.length, doubled: doubled.length },
    });
    expect(differences).toEqual({ lost: [], ghosts: [], doubled: [] });
    expect(size).toBeGreaterThan(50);
    expect(crew.fallen).toEqual([]);
    await shop.close();
  },
  CHAOS_MS + 240_000,
);
