import { tellFigures } from '../helpers/figures.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { Handled, within } from '../helpers/workload.js';

/** Long: RIVULET_SENDS=30000. */
const SENDS = Number(process.env['RIVULET_SENDS'] ?? 1_500);
const PATIENCE_MS = 60_000;
const TOPIC = 'orders.created';
/** So many sends are under way at a time. */
const IN_FLIGHT = 50;

const server = useOperatedRedis();

it('every way to consume gets each message once while its topic grows from 2 to 4 to 8 queues', async () => {
  const open = async () => {
    const process = server.connect('ways');
    await process.open();
    return process;
  };
  const [producing, a, b] = await Promise.all([open(), open(), open()]);
  await producing.stores.topics.declare(TOPIC, { queues: 2 });
  const counts = new Map<string, Handled>();
  const countOf = (way: string): Handled => {
    const known = counts.get(way) ?? new Handled();
    counts.set(way, known);
    return known;
  };
  const note = (way: string) => {
    const handled = countOf(way);
    return handled.note.bind(handled);
  };
  const of = (group: string) => ({
    topic: TOPIC,
    group,
    origin: `${group} of a test`,
    concurrency: 20,
  });
  for (const process of [a, b]) {
    process.subscribe({ ...of('unordered'), handler: note('unordered') });
    process.subscribe({ ...of('ordered'), ordered: true, handler: note('ordered') });
    process.subscribe({ ...of('pattern'), topic: 'orders.*', handler: note('pattern') });
    process.subscribeBatch({
      ...of('batch'),
      batch: { size: 20, withinMs: 50 },
      concurrency: 2,
      handler: (deliveries) => deliveries.forEach(note('batch')),
    });
    const way = `broadcast ${process === a ? 'a' : 'b'}`;
    const mode = 'broadcasting' as const;
    process.subscribe({ ...of('broadcast'), mode, from: 'earliest', handler: note(way) });
  }
  await Promise.all([a.consume(), b.consume()]);
  const keys = Array.from({ length: SENDS }, (_, i) => String(i));
  let isOver = false;
  const pull = async (): Promise<void> => {
    const handled = countOf('by-hand');
    while (!isOver) {
      const call = { topic: TOPIC, group: 'by-hand', waitMs: 200 };
      for (const received of await b.pulls.receive(call)) {
        handled.note(received);
        await b.pulls.ack(received.receipt);
      }
    }
  };
  const pulling = pull();

  let next = 0;
  let confirmed = 0;
  const sendSome = async (): Promise<void> => {
    while (next < SENDS) {
      const key = keys[next++]!;
      // Some of a message group, some without.
      const group = Number(key) % 3 === 0 ? {} : { messageGroup: `g${Number(key) % 100}` };
      await producing.producer.send(TOPIC, {}, { key, ...group });
      confirmed += 1;
      if (confirmed === Math.floor(SENDS / 3)) growing.push(grow(4));
      if (confirmed === Math.floor((SENDS * 2) / 3)) growing.push(grow(8));
    }
  };
  const growing: Promise<unknown>[] = [];
  const grow = (queues: number) => a.stores.topics.alter(TOPIC, { queues });
  await Promise.all(Array.from({ length: IN_FLIGHT }, sendSome));
  await Promise.all(growing);
  for (const [way, handled] of counts) await within(PATIENCE_MS, way, handled.all(keys));
  isOver = true;
  await pulling;
  const extents = await Promise.all(
    [2, 3, 4, 5, 6, 7].map((queue) => producing.stores.log.extent({ topic: TOPIC, queue })),
  );
  const inNew = extents.reduce((sum, { length }) => sum + length, 0);
  await Promise.all([producing, a, b].map((process) => process.stop()));
  const figures = [...counts].map(([way, handled]) => [
    way,
    { handled: handled.times.size, again: handled.repeated },
  ]);
  tellFigures('growth-ways', {
    sends: SENDS,
    inNew,
    ways: JSON.stringify(Object.fromEntries(figures)),
  });
  expect(inNew).toBeGreaterThan(0);
  const once = { handled: SENDS, again: 0 };
  expect(Object.fromEntries(figures)).toEqual({
    ...{ unordered: once, ordered: once, pattern: once, batch: once, 'by-hand': once },
    ...{ 'broadcast a': once, 'broadcast b': once },
  });
});
