import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import { decodeMessage } from '../../lib/core/message/wire-format.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { tellFigures } from '../helpers/figures.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';

const SENDS = Number(process.env['RIVULET_SENDS'] ?? 6_000);
const GROUPS = 40;
const QUEUES = 4;

let redis: TestRedis;
let proxy: TcpProxy;
beforeAll(async () => {
  redis = await startRedis();
  proxy = await TcpProxy.inFrontOf(redis.port);
});
afterAll(async () => {
  await proxy.close();
  await redis.stop();
});

type Outcome = 'resolved' | 'failed' | 'unknown';

it('stores each send once and in order, or says what it does not know, while connections are cut', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const producing = rivulet(proxy.url);
  await producing.open();
  await producing.producer.send('orders', 'warm-up', { messageGroup: 'g0', key: 'warm-up' });
  // Replies are small next to the server's facts that a new connection asks for.
  proxy.cutConnections(() =>
    random() < 0.5
      ? { direction: 'request', cutAfterBytes: Math.floor(400 + random() * 8_000) }
      : { direction: 'reply', cutAfterBytes: Math.floor(4_000 + random() * 3_000) },
  );
  proxy.cutNow();

  const outcomes = await sendAll(producing, random);
  proxy.heal();
  await producing.stop();

  const stored = await storedKeys();
  const count = (wanted: Outcome): number =>
    [...outcomes.values()].filter((outcome) => outcome === wanted).length;
  const lost = [...outcomes].filter(([key, outcome]) => outcome === 'resolved' && !stored.has(key));
  const ghosts = [...outcomes].filter(([key, outcome]) => outcome === 'failed' && stored.has(key));
  const doubled = [...stored.values()].filter((times) => times > 1);
  const reordered = await outOfOrder();
  tellFigures('cut-connection', {
    ...{ seed, sent: outcomes.size, confirmed: count('resolved'), failed: count('failed') },
    ...{ unknown: count('unknown'), cuts: proxy.cuts, lost: lost.length, ghosts: ghosts.length },
    ...{ doubled: doubled.length, reordered },
  });
  expect({ lost, ghosts, doubled, reordered }).toEqual({
    lost: [],
    ghosts: [],
    doubled: [],
    reordered: 0,
  });
  expect(outcomes.size).toBe(SENDS);
  // A slow machine puts more sends into each batch, and so has fewer of them to cut.
  expect(proxy.cuts).toBeGreaterThan(2);
});

/** Bursts per message group, without waiting in between: the order of the calls is the order that counts. */
async function sendAll(producing: Rivulet, random: () => number): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const perGroup = SENDS / GROUPS;
  await Promise.all(
    Array.from({ length: GROUPS }, async (_, group) => {
      for (let seq = 0; seq < perGroup;) {
        const burst = Array.from({ length: Math.min(10, perGroup - seq) }, () => seq++);
        await Promise.all(
          burst.map(async (n) => {
            const key = `${group}:${n}`;
            // Some give up soon, so that all three outcomes occur.
            const timeoutMs = random() < 0.1 ? 5 + Math.floor(random() * 100) : 20_000;
            outcomes.set(key, await outcomeOf(producing, { key, group: `g${group}`, timeoutMs }));
          }),
        );
      }
    }),
  );
  return outcomes;
}

async function outcomeOf(
  producing: Rivulet,
  message: { key: string; group: string; timeoutMs: number },
): Promise<Outcome> {
  const { key, group: messageGroup, timeoutMs } = message;
  try {
    await producing.producer.send(
      'orders',
      { note: 'x'.repeat(100) },
      { key, messageGroup, timeoutMs },
    );
    return 'resolved';
  } catch (error) {
    if (error instanceof SendOutcomeUnknownError) return 'unknown';
    if (error instanceof SendFailedError) return 'failed';
    throw error;
  }
}

function rivulet(url: string): Rivulet {
  return new Rivulet({ stores: new RedisStores({ connection: url, namespace: 'cut' }) });
}

async function allKeys(): Promise<string[]> {
  const stores = new RedisStores({ connection: redis.url, namespace: 'cut' });
  await stores.open(30_000);
  const keys: string[] = [];
  for (let queue = 0; queue < QUEUES; queue++) {
    const entries = await stores.log.range({
      topic: 'orders',
      queue,
      from: '-',
      to: '+',
      count: SENDS + 1,
    });
    for (const entry of entries)
      if (entry.content.kind === 'message')
        keys.push(decodeMessage(entry, entry.content.frame).key ?? '?');
  }
  await stores.close();
  return keys;
}

async function storedKeys(): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const key of await allKeys()) times.set(key, (times.get(key) ?? 0) + 1);
  return times;
}

/** Messages that stand behind a later one of their message group. */
async function outOfOrder(): Promise<number> {
  const last = new Map<string, number>();
  let count = 0;
  for (const key of await allKeys()) {
    const [group, seq] = key.split(':') as [string, string];
    if (Number(seq) < (last.get(group) ?? -1)) count += 1;
    last.set(group, Number(seq));
  }
  return count;
}
