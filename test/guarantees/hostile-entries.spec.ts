import type { Rivulet } from '../../lib/core/rivulet.js';
import type { SubscribeOptions } from '../../lib/core/subscriptions.js';
import { encodeFrame } from '../../lib/core/message/wire-format.js';
import { Keys } from '../../lib/redis/keys.js';
import { Random } from '../contract/random.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { countEvents, Handled, publishMany, within } from '../helpers/workload.js';

/** RIVULET_HOSTILE=10000 for the long form, RIVULET_SEED for other bytes. */
const ENTRIES = Number(process.env['RIVULET_HOSTILE'] ?? 300);
const SEED = Number(process.env['RIVULET_SEED'] ?? 20_261_126);
const SOON_MS = 60_000;

/** Every way of consuming; the group is called like it. */
const WAYS: Record<string, Partial<SubscribeOptions>> = {
  plain: {},
  ordered: { ordered: true },
  idempotent: { idempotent: true },
  broadcasting: { mode: 'broadcasting', from: 'earliest' },
};

const server = useOperatedRedis();

/** A message of ours with bytes that are not: never a newer version, which would be held. */
function hostileFrame(random: Random, number: number): Buffer {
  const frame = encodeFrame(
    {
      tag: 't',
      key: `hostile${number}`,
      messageGroup: random.pick(['g', '__proto__', 'x'.repeat(5_000)]),
      properties: { a: 1 },
      replyTo: random.pick([undefined, '__proto__', 'x}:y{z', '\u0000']),
      ttlMs: random.pick([undefined, 86_400_000]),
      codec: random.pick([undefined, 'constructor', 'bytes']),
    },
    '{"a":1}',
    (target, at) => void target.fill(number % 256, at, at + 16),
  );
  for (let left = random.between(0, 3); left > 0; left--)
    frame[random.between(1, frame.length - 1)] = random.between(0, 255);
  return random.chance(0.2) ? frame.subarray(0, random.between(1, frame.length)) : frame;
}

it(`hostile entries between good ones: each is handled or a dead letter, in every way of consuming (seed ${SEED})`, async () => {
  const random = new Random(SEED);
  const rivulet = server.connect('hostile');
  const told = countEvents(rivulet, 'dead-lettered', 'dropped', 'queue-faulted', 'message-held');
  const handled = new Map<string, Handled>();
  for (const [group, way] of Object.entries(WAYS)) {
    handled.set(group, new Handled());
    rivulet.subscribe({
      topic: 'orders',
      group,
      origin: group,
      ...way,
      handler: (delivery) => handled.get(group)!.note(delivery),
    });
  }
  await rivulet.consume();
  const { log } = new Keys({ namespace: 'hostile' }).queue({ topic: 'orders', queue: 0 });
  const good: string[] = [];
  for (let number = 0; number < ENTRIES; number++) {
    const only = random.chance(0.1) ? ['o', random.pick(['plain', 'nobody'])] : [];
    const fields = ['rv', hostileFrame(random, number), ...only];
    await server.operator.call('xadd', log, '*', ...fields);
    if (number % 30 === 0)
      good.push(...(await publishMany(rivulet, 2, { prefix: `good${number}-`, queue: 0 })));
  }
  for (const [group, each] of handled)
    await within(SOON_MS, `the good ones in ${group}`, each.all(good));
  expect(told['queue-faulted']).toEqual([]);
  expect(told['message-held']).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  for (const group of ['plain', 'ordered', 'idempotent'])
    await within(SOON_MS, `nothing left in ${group}`, nothingLeft(rivulet, group));
  expect(told['dead-lettered'].length).toBeGreaterThan(ENTRIES / 3);
  expect(told.dropped.length).toBeGreaterThan(ENTRIES / 10);
  await rivulet.stop(5_000);
});

async function nothingLeft({ stores }: Rivulet, group: string): Promise<void> {
  for (;;) {
    const lag = await stores.deliveries.lag({ topic: 'orders', queue: 0, group });
    if (lag.undelivered === 0 && lag.inFlight === 0 && lag.waiting === 0) return;
  }
}
