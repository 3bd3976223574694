import { setTimeout as wait } from 'node:timers/promises';
import { Crew } from '../helpers/crew.js';
import { tellFigures } from '../helpers/figures.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { describeWith, sharedServer } from '../helpers/servers.js';
import { Shop } from '../helpers/shop.js';

/** `npm run test:cluster` takes longer. */
const CHAOS_MS = Number(process.env['RIVULET_CHAOS_MS'] ?? 2_000);
const PROCESSES = 2;

describeWith('postgres')('transactions whose topics lie on several nodes', () => {
  it(
    'lose, invent and double nothing while processes and back ends are killed',
    async () => {
      const seed = newSeed();
      const random = seededRandom(seed);
      const [redisUrl, serverUrl] = await Promise.all([
        sharedServer('cluster'),
        sharedServer('postgres'),
      ]);
      const shop = await Shop.openOwn({ redisUrl, serverUrl, namespace: `cluster_${seed}` });
      const transactions = { store: 'half', checkAfterMs: 300, halfTimeoutMs: 500 };
      const crew = new Crew(shop, { slow: 0.02, slowMs: 300, transactions });
      await Promise.all(Array.from({ length: PROCESSES }, () => crew.grow()));
      const broken = { processes: 0, backEnds: 0 };
      const until = performance.now() + CHAOS_MS;
      while (broken.processes === 0 || broken.backEnds === 0 || performance.now() < until) {
        await wait(100 + random() * 300);
        if (broken.processes <= broken.backEnds) {
          broken.processes += 1;
          await crew.killOne(random);
          await crew.grow();
        } else {
          broken.backEnds += 1;
          await shop.killBackEnd();
        }
      }
      await crew.stop();
      await shop.settle();
      const differences = await shop.differences();
      const { size } = await shop.orders();
      const { lost, ghosts, doubled } = differences;
      tellFigures('cluster-transactions', {
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
});
