import { encodeFrame, type Header } from '../../lib/core/message/wire-format.js';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import { tellFigures } from '../helpers/figures.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { countEvents, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

const SOON_MS = 60_000;

const server = useOperatedRedis();
let namespaces = 0;
afterEach(() => server.operator.flushall());

interface Scene {
  rivulet: Rivulet;
  handled: Handled;
  keys: Keys;
  admin: MessageAdmin;
}

/** Consumes `orders` in the groups `billing` and `mail`, and has handled a few messages. */
async function scene(queues = 4): Promise<Scene> {
  const namespace = `damage${++namespaces}`;
  const rivulet = server.connect(namespace, { ...IMPATIENT, topics: { queues } });
  const handled = new Handled();
  for (const group of ['billing', 'mail'])
    rivulet.subscribe({
      topic: 'orders',
      group,
      origin: group,
      retry: { backoff: () => 50 },
      handler: (delivery) => {
        if (group === 'billing') handled.note(delivery);
      },
    });
  await rivulet.consume();
  const first = await publishMany(rivulet, 8, { prefix: 'before' });
  await within(SOON_MS, 'the first messages', handled.all(first));
  return { rivulet, handled, keys: new Keys({ namespace }), admin: new MessageAdmin({ rivulet }) };
}

/** Everything works: messages of all queues are sent and handled. */
async function expectToWork(here: Scene, prefix: string, queues = 4): Promise<void> {
  const confirmed = await publishMany(here.rivulet, queues * 3, { prefix });
  expect(confirmed).toHaveLength(queues * 3);
  await expectHandled(here, confirmed);
}

async function expectHandled({ handled }: Scene, keys: string[]): Promise<void> {
  await within(SOON_MS, 'handling', handled.all(keys)).catch(() => {});
  expect(handled.missing(keys)).toEqual([]);
}

const queue = (number: number) => ({ topic: 'orders', queue: number });

describe('entries nobody can read', () => {
  it('become dead letters with their bytes, one by one, and stop nobody', async () => {
    const here = await scene();
    const { rivulet, keys } = here;
    const letters = countEvents(rivulet, 'dead-lettered', 'message-held', 'message-lost');
    const { log } = keys.queue(queue(1));
    const writeId = (target: Buffer, at: number): void => void target.fill(7, at, at + 16);
    const header: Header = { tag: 't', key: 'k', properties: { a: 1 } };
    const whole = encodeFrame(header, 'body', writeId);
    const bad: (string | Buffer)[][] = [
      ['name', 'Ada', 'raw', Buffer.from([0, 255, 10])],
      ['rv', ''],
      ['b', 'body', 'rv', whole],
      Array.from({ length: 2_400 }, (_, i) => `f${i}`),
      ['rv', Buffer.alloc(100_000)],
    ];
    for (let length = 1; length < whole.length; length += 3)
      bad.push(['rv', whole.subarray(0, length)]);
    // Our header with a body that is no JSON, and one of a codec nobody has.
    bad.push(['rv', encodeFrame({}, '{', writeId)]);
    bad.push(['rv', encodeFrame({ codec: 'avro' }, 'x', writeId)]);
    const done = within(
      SOON_MS,
      'all dead letters of both groups',
      new Promise<void>((resolve) => {
        rivulet.events.on('dead-lettered', () => {
          if (letters['dead-lettered'].length === bad.length * 2) resolve();
        });
      }),
    );
    for (const fields of bad) await server.operator.call('xadd', log, '*', ...fields);
    await expectToWork(here, 'beside');
    await done;

    const { letters: kept } = await here.admin.listDeadLetters('orders', 'billing', { limit: 100 });
    tellFigures('malformed-entries', {
      ...{ entries: bad.length, deadLetters: kept.length, held: letters['message-held'].length },
      lost: letters['message-lost'].length,
    });
    expect(kept).toHaveLength(bad.length);
    expect(kept.map(({ entry }) => entry)).toContainEqual({
      kind: 'foreign',
      fields: [
        [Buffer.from('name'), Buffer.from('Ada')],
        [Buffer.from('raw'), Buffer.from([0, 255, 10])],
      ],
    });
    const sizes = kept.map(({ entry }) => (entry.kind === 'foreign' ? entry.fields.length : 0));
    expect(sizes).toContain(1_200);
    expect((await here.admin.describeGroup('orders', 'billing')).total).toMatchObject({ lag: 0 });
  });

  it('are held when a newer library wrote them, with an alarm, and stop nobody', async () => {
    const here = await scene();
    const held = within(SOON_MS, 'the alarm', here.rivulet.events.next('message-held'));
    const newer = Buffer.concat([Buffer.of(2), Buffer.alloc(30, 1)]);
    const { log } = here.keys.queue(queue(0));
    const offset = await server.operator.xadd(log, '*', 'rv', newer);
    expect(await held).toMatchObject({ version: 2, offset });
    await expectToWork(here, 'beside');
    const { total } = await here.admin.describeGroup('orders', 'billing');
    expect(total).toMatchObject({ waiting: 1, deadLetters: 0, lag: 1 });
  });

  it('are counted as lost when they were deleted in flight', async () => {
    const here = await scene(1);
    const { rivulet, keys } = here;
    let end = (): void => {};
    rivulet.subscribe({
      topic: 'orders',
      group: 'slow',
      origin: 'slow',
      concurrency: 1,
      retry: { backoff: () => 10 },
      handler: async ({ attempt }) => {
        await new Promise<void>((resolve) => (end = resolve));
        if (attempt === 1) throw new Error('again');
      },
      from: 'latest',
    });
    await rivulet.consume();
    const delivered = within(
      SOON_MS,
      'the delivery',
      rivulet.events.next('delivered', ({ group }) => group === 'slow'),
    );
    const lost = within(SOON_MS, 'the alarm', rivulet.events.next('message-lost'));
    const { offset } = await rivulet.producer.send('orders', 'a', { key: 'gone' });
    await delivered;
    await server.operator.xdel(keys.queue(queue(0)).log, offset!);
    end();
    expect(await lost).toMatchObject({ group: 'slow', offset });
    await expectToWork(here, 'after', 1);
  });
});

describe('what is destroyed while it is used', () => {
  it('comes back after FLUSHALL, with an alarm: everything sent afterwards is handled', async () => {
    const here = await scene();
    const seen = countEvents(here.rivulet, 'group-recreated');
    await server.operator.flushall();
    await expectToWork(here, 'after');
    await expectToWork(here, 'later');
    tellFigures('flushall', {
      ...{ alarms: seen['group-recreated'].length, handled: here.handled.times.size },
    });
    expect(await here.admin.listTopics()).toEqual(['orders']);
  });

  it('goes on after FLUSHALL although the topic had been made with more queues than the default', async () => {
    const namespace = `damage${++namespaces}`;
    const rivulet = server.connect(namespace);
    await rivulet.open();
    const admin = new MessageAdmin({ rivulet });
    await admin.createTopic('orders', { queues: 7 });
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      handler: (delivery) => handled.note(delivery),
    });
    await rivulet.consume();
    const here = { rivulet, handled, admin, keys: new Keys({ namespace }) };
    await expectToWork(here, 'before', 7);
    await server.operator.flushall();
    await expectToWork(here, 'after', 7);
    // Queues that are no more are asked now and then, not without end.
    const calls = async (): Promise<number> =>
      Number(
        /cmdstat_xreadgroup:calls=(\d+)/.exec(await server.operator.info('commandstats'))?.[1],
      );
    const before = await calls();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await calls()) - before).toBeLessThan(50);
  });

  it('goes on where the group began when XGROUP DESTROY took its progress', async () => {
    const here = await scene();
    const recreated = within(SOON_MS, 'the alarm', here.rivulet.events.next('group-recreated'));
    for (let n = 0; n < 4; n++)
      await server.operator.xgroup('DESTROY', here.keys.queue(queue(n)).log, 'billing');
    expect(await recreated).toMatchObject({ group: 'billing' });
    await expectToWork(here, 'after');
  });

  it('loses what was in a deleted log, says so, and goes on', async () => {
    const here = await scene();
    const recreated = within(SOON_MS, 'the alarm', here.rivulet.events.next('group-recreated'));
    await server.operator.del(here.keys.queue(queue(2)).log);
    await recreated;
    await expectToWork(here, 'after');
  });

  it.each(['sessions', 'meta', 'scheduled', 'due', 'only'] as const)(
    'goes on without its %s',
    async (key) => {
      const here = await scene();
      for (let n = 0; n < 4; n++) await server.operator.del(here.keys.queue(queue(n))[key]);
      await expectToWork(here, 'after');
      await expectToWork(here, 'later');
    },
  );

  it.each(['retry', 'suspects', 'attempts', 'dead'] as const)(
    'goes on without the %s of a group',
    async (key) => {
      const here = await scene();
      for (let n = 0; n < 4; n++)
        await server.operator.del(here.keys.groupQueue({ ...queue(n), group: 'billing' })[key]);
      await expectToWork(here, 'after');
    },
  );

  it('goes on without the registry', async () => {
    const here = await scene();
    const { meta, groups } = here.keys.topic('orders');
    await server.operator.del(here.keys.topics, meta, groups, here.keys.members);
    await expectToWork(here, 'after');
  });

  it('releases what is scheduled without the agenda, once anything else is scheduled in the queue', async () => {
    const here = await scene();
    const early = await publishMany(here.rivulet, 8, { prefix: 'early', delayMs: 1_500, queue: 1 });
    const { agenda, versions, counter } = here.keys.agenda;
    await server.operator.del(agenda, versions, counter);
    const late = await publishMany(here.rivulet, 8, { prefix: 'late', delayMs: 1_600, queue: 1 });
    await expectHandled(here, [...early, ...late]);
  });
});

describe('a key of the wrong type', () => {
  it('in place of a log stops this queue only, with an alarm, until it is removed', async () => {
    const here = await scene();
    const { rivulet, keys } = here;
    const { log } = keys.queue(queue(2));
    const faulted = within(SOON_MS, 'the alarm', rivulet.events.next('queue-faulted'));
    await server.operator.multi().del(log).set(log, 'oops').exec();
    expect(await faulted).toMatchObject({ topic: 'orders', queue: 2 });

    const sends = await Promise.allSettled(
      [0, 1, 2, 3].map((n) =>
        rivulet.producer.send('orders', n, { queue: n, key: `q${n}`, timeoutMs: 2_000 }),
      ),
    );
    expect(sends.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(sends[2]).toMatchObject({ reason: { code: 'SEND_FAILED' } });
    await expectHandled(here, ['q0', 'q1', 'q3']);
    await server.operator.del(log);
    await expectToWork(here, 'after');
  });

  it.each(['retry', 'suspects', 'attempts', 'dead'] as const)(
    'in place of the %s of a group stops neither other groups nor other queues',
    async (name) => {
      const here = await scene();
      const { rivulet, handled, keys } = here;
      const key = keys.groupQueue({ ...queue(1), group: 'mail' })[name];
      await server.operator.multi().del(key).set(key, 'oops').exec();
      // `handled` notes what the other group handles.
      await expectToWork(here, 'during');
      expect(handled.repeated).toBe(0);
      await server.operator.del(key);
      await expectToWork(here, 'after');
      const mail = async (): Promise<number | null> =>
        (await here.admin.describeGroup('orders', 'mail')).total.lag;
      while ((await mail()) !== 0) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(rivulet.producer.held.messages).toBe(0);
    },
  );

  it.each(['sessions', 'meta', 'scheduled', 'due'] as const)(
    'in place of the %s fails sends to this queue for good, and no others',
    async (name) => {
      const here = await scene();
      const { rivulet, handled, keys } = here;
      const key = keys.queue(queue(1))[name];
      await server.operator.multi().del(key).set(key, 'oops').exec();
      const sends = await Promise.allSettled(
        [0, 1, 2, 3].map((n) =>
          rivulet.producer.send('orders', n, {
            queue: n,
            key: `q${n}`,
            timeoutMs: 2_000,
            ...(name === 'scheduled' || name === 'due' ? { delayMs: 50 } : {}),
          }),
        ),
      );
      expect(sends.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
      ]);
      await expectHandled(here, ['q0', 'q2', 'q3']);
      await server.operator.del(key);
      await expectToWork(here, 'after');
      expect(handled.times.has('q1')).toBe(false);
    },
  );

  it.each(['agenda', 'members'] as const)('in place of the %s stops no delivery', async (name) => {
    const here = await scene();
    const key = name === 'agenda' ? here.keys.agenda.agenda : here.keys.members;
    await server.operator.multi().del(key).set(key, 'oops').exec();
    await expectToWork(here, 'during');
    await server.operator.del(key);
    await expectToWork(here, 'after');
  });
});
