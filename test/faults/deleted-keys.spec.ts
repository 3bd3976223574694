import type { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { seed as newSeed } from '../helpers/random.js';
import { Traffic } from '../helpers/traffic.js';
import { countEvents, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

const QUEUES = 4;

const server = useOperatedRedis();

function instance(namespace: string): Rivulet {
  const rivulet = server.connect(namespace, { ...IMPATIENT, topics: { queues: 1 } });
  return rivulet;
}

it('goes on in order, and loses nothing, while its keys are deleted one after the other', async () => {
  const seed = newSeed();
  const traffic = await Traffic.start({ seed, directUrl: server.url, namespace: 'deleted' });
  const keys = new Keys({ namespace: 'deleted' });
  const queues = Array.from({ length: QUEUES }, (_, queue) => ({ topic: 'orders', queue }));
  const ordered = queues.map((ref) => keys.groupQueue({ ...ref, group: 'ledger' }));
  const unordered = queues.map((ref) => keys.groupQueue({ ...ref, group: 'billing' }));
  const classes: [string, string[]][] = [
    ['lease', ordered.map(({ lease }) => lease)],
    ['lanes', ordered.map(({ lanes }) => lanes)],
    ['roster', [keys.roster({ topic: 'orders', group: 'ledger' })]],
    ['members', [keys.members]],
    ['retry', unordered.map(({ retry }) => retry)],
    ['suspects', unordered.map(({ suspects }) => suspects)],
    ['attempts', unordered.map(({ attempts }) => attempts)],
    ['sessions', queues.map((ref) => keys.queue(ref).sessions)],
    ['all of these', []],
  ];
  classes.at(-1)![1].push(...classes.flatMap(([, names]) => names));
  traffic.history.broken();
  for (const [, names] of classes) {
    // A key that stands for a moment only may be hit at another time.
    for (let times = 0; times < 5; times++) await server.operator.del(...names);
    await traffic.healed();
  }
  const ending = await traffic.finish();
  tellFigures('deleted-keys', { seed, classes: classes.length, ...figuresOf(ending) });
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
});

it('handles what waited for a retry although the note of it was deleted', async () => {
  const rivulet = instance('waited');
  const handled = new Handled();
  rivulet.subscribe({
    ...{ topic: 'orders', group: 'billing', origin: 'billing' },
    retry: { backoff: () => 2_000 },
    handler: (delivery) => {
      if (delivery.attempt === 1 && delivery.message.key!.startsWith('again'))
        throw new Error('again');
      handled.note(delivery);
    },
  });
  await rivulet.consume();
  const seen = countEvents(rivulet, 'retried');
  const waiting = publishMany(rivulet, 8, { prefix: 'again' });
  while (seen.retried.length < 8) await rivulet.events.next('retried');
  const { retry } = new Keys({ namespace: 'waited' }).groupQueue({
    topic: 'orders',
    queue: 0,
    group: 'billing',
  });
  expect(await server.operator.zcard(retry)).toBe(8);
  await server.operator.del(retry);
  await within(60_000, 'what had waited', handled.all(await waiting));
});

it('gives an ordered queue a higher fencing token than ever although its lease was deleted', async () => {
  const tokens: bigint[] = [];
  const handled = new Handled();
  const rivulet = instance('fence');
  rivulet.subscribe({
    ...{ topic: 'orders', group: 'ledger', ordered: true, origin: 'ledger' },
    handler: (delivery) => {
      tokens.push(BigInt(delivery.fencingToken!));
      handled.note(delivery);
    },
  });
  await rivulet.consume();
  await within(60_000, 'before', handled.all(await publishMany(rivulet, 4, { prefix: 'before' })));
  const { lease } = new Keys({ namespace: 'fence' }).groupQueue({
    topic: 'orders',
    queue: 0,
    group: 'ledger',
  });
  expect(await server.operator.del(lease)).toBe(1);
  await within(60_000, 'after', handled.all(await publishMany(rivulet, 4, { prefix: 'after' })));
  expect(tokens.at(-1)).toBeGreaterThan(tokens[0]!);
  expect(tokens).toEqual(tokens.toSorted((a, b) => Number(a - b)));
});

it('says which deliveries XGROUP DELCONSUMER took out of its hands, and goes on', async () => {
  const rivulet = instance('delconsumer');
  const handled = new Handled();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  rivulet.subscribe({
    ...{ topic: 'orders', group: 'billing', origin: 'billing', concurrency: 4 },
    retry: { backoff: () => 50 },
    handler: async (delivery) => {
      if (delivery.message.key!.startsWith('held')) await released;
      handled.note(delivery);
    },
  });
  await rivulet.consume();
  const seen = countEvents(rivulet, 'settle-refused', 'delivered');
  const held = await publishMany(rivulet, 2, { prefix: 'held' });
  while (seen.delivered.length < 2) await rivulet.events.next('delivered');
  const { log } = new Keys({ namespace: 'delconsumer' }).queue({ topic: 'orders', queue: 0 });
  const consumers = (await server.operator.xinfo('CONSUMERS', log, 'billing')) as [
    string,
    string,
  ][];
  for (const [, name] of consumers)
    await server.operator.xgroup('DELCONSUMER', log, 'billing', name);
  release();
  await within(60_000, 'what was in hand', handled.all(held));
  while (seen['settle-refused'].length < 2) await rivulet.events.next('settle-refused');
  expect(seen['settle-refused'].map(({ key }) => key).toSorted()).toEqual(['held0', 'held1']);
  await within(60_000, 'after', handled.all(await publishMany(rivulet, 8, { prefix: 'after' })));
});
