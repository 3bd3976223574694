import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { Crew } from '../helpers/crew.js';
import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { waitForServer } from '../helpers/servers.js';
import { Shop } from '../helpers/shop.js';

// Negative controls of transaction-chaos.spec.ts: what must not be done, in the same harness. They must lose.

let redis: TestRedis;
let database: TestDatabase;
waitForServer('postgres');
beforeEach(async () => {
  redis = await startRedis();
  database = await postgresDatabase();
});
afterEach(async () => {
  await database.drop();
  await redis.stop();
});

function open(namespace: string): Promise<Shop> {
  return Shop.open({ redisUrl: redis.url, databaseUrl: database.url, namespace });
}

describe('the tests of transactions see what is lost by those', () => {
  it('that publish after COMMIT', async () => {
    const random = seededRandom(newSeed());
    const shop = await open('control_publish');
    const crew = new Crew(shop, { control: 'publish-after-commit' });
    let lost: string[] = [];
    let kills = 0;
    for (; lost.length === 0 && kills < 50; kills++) {
      await crew.grow();
      await wait(300);
      await crew.killOne(random);
      ({ lost } = await shop.differences());
    }
    const { size } = await shop.orders();
    console.log(
      `control publish-after-commit committed=${size} killed: processes=${kills} lost=${lost.length}`,
    );
    expect(lost.length).toBeGreaterThan(0);
    await shop.close();
  });

  it('that look into the database instead of deciding', async () => {
    const shop = await open('control_select');
    const crew = new Crew(shop, {
      slow: 0.02,
      slowMs: 600,
      control: 'select-only',
      transactions: { store: 'half', checkAfterMs: 300, halfTimeoutMs: 200 },
    });
    const child = await crew.grow();
    // Nobody was killed: whoever is rolled back here is at work.
    for (;;) {
      const [told] = (await once(child, 'message')) as [{ checked?: string }];
      if (told.checked === 'rollback') break;
    }
    await crew.stop();
    await shop.settle();
    const { lost } = await shop.differences();
    const { size } = await shop.orders();
    console.log(`control select-only committed=${size} lost=${lost.length}`);
    expect(lost.length).toBeGreaterThan(0);
    await shop.close();
  });
});
