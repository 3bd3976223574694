import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { Traffic } from '../helpers/traffic.js';

const SECONDS = Number(process.env['RIVULET_NETWORK_SECONDS'] ?? 1);
const SCENE = { left: 0, deadLetters: 0, ...FLAWLESS };

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Traffic that passes a proxy in both roles. */
async function behindProxy(
  namespace: string,
  harm: (proxy: TcpProxy, traffic: Traffic) => unknown,
) {
  const seed = newSeed();
  const proxy = await TcpProxy.inFrontOf(redis.port);
  const through = { producerUrl: proxy.url, consumerUrl: proxy.url };
  const traffic = await Traffic.start({ seed, directUrl: redis.url, namespace, ...through });
  traffic.history.broken();
  await harm(proxy, traffic);
  proxy.heal();
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures(namespace, { seed, ...figuresOf(ending), asked: proxy.asked });
  await proxy.close();
  return ending;
}

it('notices connections that are open in one direction only, while new ones work', async () => {
  const endings = await Promise.all(
    (['request', 'reply'] as const).map((direction) =>
      behindProxy(`one-way-${direction}`, async (proxy, traffic) => {
        proxy.swallowExisting(direction);
        // The hole stays; sends and deliveries find a way around it.
        await traffic.whenNewsFlow();
      }),
    ),
  );
  for (const ending of endings) expect(ending).toMatchObject(SCENE);
});

it('loses its way neither in delays, nor in replies that come byte by byte, nor in those that end in between', async () => {
  const random = seededRandom(newSeed());
  const ending = await behindProxy('bad-line', async (proxy) => {
    proxy.holdUp({ delayMs: () => random() * 40 });
    await pass(SECONDS * 1_000);
    // A delay for each byte would leave no reply whole in time.
    proxy.holdUp({ delayMs: () => 0, pieceBytes: 1 });
    await pass(SECONDS * 1_000);
    proxy.holdUp({ delayMs: () => random() * 5, pieceBytes: 200 });
    proxy.cutConnections(() => ({ direction: 'reply', cutAfterBytes: 4_000 + random() * 4_000 }));
    proxy.cutNow();
    await pass(SECONDS * 1_000);
  });
  expect(ending).toMatchObject(SCENE);
});

it('asks for connections ever more rarely while they are refused, and holds no more than its buffer', async () => {
  let connections = 0;
  let attempts = 0;
  let seconds = 0;
  let heldBytes = 0;
  const before = process.memoryUsage().rss;
  const ending = await behindProxy('refused', async (proxy) => {
    connections = proxy.asked;
    proxy.refuse();
    // The first attempts come fast on purpose: a server that restarts is back in a moment.
    await pass(SECONDS * 1_000);
    const [from, fromMs] = [proxy.asked, performance.now()];
    await pass(SECONDS * 1_000);
    attempts = proxy.asked - from;
    seconds = (performance.now() - fromMs) / 1_000;
    heldBytes = process.memoryUsage().rss - before;
  });
  tellFigures('refused-attempts', {
    ...{ connections, perConnectionAndSecond: (attempts / connections / seconds).toFixed(2) },
    rssGrowthMb: Math.round(heldBytes / 1e6),
  });
  expect(ending).toMatchObject(SCENE);
  // The pause between two attempts grows to two seconds, within the first four.
  expect(attempts / connections / seconds).toBeLessThanOrEqual(SECONDS < 10 ? 4 : 1);
}, 240_000);
