import { jest } from '@jest/globals';
import {
  ClosedError,
  InvalidInputError,
  type RecurringOptions,
  SendFailedError,
  StoreUnavailableError,
} from 'nestjs-rivulet';
import { storedAt } from '../../../lib/core/message/offset.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { nextRun } from '../../../lib/cron/next-run.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const MINUTE = 60_000;

describe('a recurring send', () => {
  let bed: TestBed;
  beforeEach(async () => {
    // 2026-01-01T00:00:00Z
    bed = await TestBed.open({ settings: { topics: { queues: 1, retentionMs: 86_400_000 } } });
  });
  afterEach(() => bed.close());

  const each = (
    cron: string,
    options: Pick<RecurringOptions, 'tag' | 'key' | 'timezone'> = {},
    where = bed,
  ) => where.rivulet.recurring.set('reports', { hello: 1 }, { name: 'r', cron, ...options });
  const times = async (): Promise<string[]> =>
    (await bed.sent('reports')).map(({ offset }) =>
      new Date(storedAt(offset!)).toISOString().slice(11, 19),
    );

  it('is sent at each of its times, with what was said about it', async () => {
    const { nextAt } = await each('*/5 * * * *', { tag: 'daily', key: 'k' });
    expect(nextAt.toISOString()).toBe('2026-01-01T00:05:00.000Z');
    await bed.advance(16 * MINUTE);
    expect(await times()).toEqual(['00:05:00', '00:10:00', '00:15:00']);
    expect((await bed.sent('reports'))[0]).toMatchObject({
      tag: 'daily',
      key: 'k',
      body: { hello: 1 },
    });
  });

  it('comes each so many milliseconds, where no cron expression can say it', async () => {
    const period = { name: 'r', everyMs: 90_000 };
    // All processes mean the same times, whenever they say it.
    await bed.advance(1_000);
    const set = await bed.rivulet.recurring.set('reports', 1, period);
    expect(set).toEqual({ ...period, topic: 'reports', nextAt: new Date('2026-01-01T00:01:30Z') });
    expect(await bed.rivulet.recurring.list()).toEqual([set]);
    await bed.advance(5 * MINUTE);
    expect(await times()).toEqual(['00:01:30', '00:03:00', '00:04:30']);
    await bed.rivulet.recurring.set('reports', 1, { name: 'r', everyMs: 30_000 });
    await bed.advance(MINUTE);
    expect((await times()).slice(3)).toEqual(['00:05:30', '00:06:00']);
  });

  it('waits for a store that is away, as a send does, and no longer', async () => {
    bed.stores.goDown();
    const waiting = each('*/5 * * * *');
    await bed.advance(6_000);
    bed.stores.comeUp();
    await bed.advance(500);
    expect((await waiting).nextAt.toISOString()).toBe('2026-01-01T00:05:00.000Z');

    bed.stores.goDown();
    await Promise.all([
      expect(each('0 6 * * *')).rejects.toThrow(StoreUnavailableError),
      bed.advance(10_500),
    ]);
    bed.stores.comeUp();
  });

  it('waits for a store that is away also while handlers end', async () => {
    const set: unknown[] = [];
    let goOn = (): void => {};
    const begun = new Promise<void>((begin) => {
      bed.rivulet.subscribe({
        topic: 'orders',
        group: 'billing',
        origin: 'test',
        handler: async () => {
          begin();
          await new Promise<void>((resolve) => (goOn = resolve));
          set.push(await each('*/5 * * * *').catch((error: unknown) => error));
        },
      });
    });
    await bed.rivulet.consume();
    await bed.publish('orders', 1);
    await bed.advance(10);
    await begun;
    const stopping = bed.rivulet.stop();
    bed.stores.goDown();
    goOn();
    await bed.advance(1_000);
    bed.stores.comeUp();
    await bed.advance(1_000);
    await stopping;
    expect(set).toMatchObject([{ name: 'r', nextAt: new Date('2026-01-01T00:05:00Z') }]);
  });

  it('that waited begins with a time that is still to come', async () => {
    bed.stores.goDown();
    const waiting = each('* * * * * *');
    await bed.advance(5_500);
    bed.stores.comeUp();
    await bed.advance(500);
    expect((await waiting).nextAt.toISOString()).toBe('2026-01-01T00:00:06.000Z');
  });

  it('that waits for room keeps nothing else that is due waiting', async () => {
    await bed.stores.topics.declare('reports', { queues: 1, maxLength: 1, whenFull: 'wait' });
    await bed.publish('reports', 'it is full');
    await each('* * * * *');
    await bed.publish('orders', 'due meanwhile', { delayMs: MINUTE + 2_000 });
    await bed.advance(MINUTE + 4_000);
    expect(await bed.sent('orders')).toMatchObject([{ offset: expect.any(String) }]);
  });

  it('is kept as JSON, and refused where that would change it, whatever the codec', async () => {
    const bytes = bed.rivulet.recurring.set('reports', Buffer.of(1), {
      name: 'r',
      cron: '* * * * *',
    });
    await expect(bytes).rejects.toThrow(
      /^Recurring send "r" to topic "reports", which is kept as JSON: \$ holds bytes/,
    );
  });

  it('that is due keeps its time when a process says it again', async () => {
    await each('0 * * * *');
    await bed.rivulet.stop();
    await bed.advance(90 * MINUTE);
    const late = await bed.sibling();
    expect((await each('0 * * * *', {}, late)).nextAt.toISOString()).toBe(
      '2026-01-01T01:00:00.000Z',
    );
    await late.advance(10_000);
    expect(await times()).toEqual([expect.stringMatching(/^01:30:0/)]);
    await late.close();
  });

  describe('that is due when a new version of the application says something else', () => {
    beforeEach(async () => {
      await each('0 6 * * *', { tag: 'old' });
      const entry = (await bed.stores.recurring.find('r'))!;
      await bed.stores.recurring.put({ ...entry, nextAt: bed.clock.now() - 1 });
    });

    it('is sent as it was said, once, and then as it is said now', async () => {
      const { nextAt } = await each('*/5 * * * *', { tag: 'new' });
      expect(nextAt.toISOString()).toBe('2026-01-01T00:05:00.000Z');
      await bed.advance(10_000);
      expect(await bed.sent('reports')).toMatchObject([{ tag: 'old' }]);
      await bed.advance(5 * MINUTE);
      expect(await bed.sent('reports')).toMatchObject([{ tag: 'old' }, { tag: 'new' }]);
    });

    it('is in the way of nothing when it cannot be sent any more, and that is told', async () => {
      const told: string[] = [];
      const other = await bed.sibling({
        logger: { ...silentLogger, warn: (line) => void told.push(line) },
      });
      const entry = (await bed.stores.recurring.find('r'))!;
      await bed.stores.recurring.put({ ...entry, definition: 'damaged' });
      const { nextAt } = await each('0 7 * * *', { tag: 'new' }, other);
      expect(nextAt.toISOString()).toBe('2026-01-01T07:00:00.000Z');
      expect(told.join()).toMatch(
        /^Recurring send "r", which is being changed, was due at 2025-12-31T23:59:59\.999Z as it was until now, and could not be sent: StoreRefusedError: .* is damaged.*\. That time is passed over$/,
      );
      await other.close();
    });

    it.each([
      new SendFailedError('away', { topic: 'reports', messageId: 'm' }),
      new ClosedError('closed'),
    ])('is tried again where its send failed for a moment: %s', async (failed) => {
      jest.spyOn(bed.rivulet.producer, 'send').mockRejectedValueOnce(failed);
      const changing = each('0 7 * * *', { tag: 'new' });
      await bed.advance(1_000);
      await changing;
      expect(await bed.sent('reports')).toMatchObject([{ tag: 'old' }]);
    });

    it('is no part of a transaction that says something else', async () => {
      const run = bed.rivulet.transactions.run(async () => {
        await each('0 7 * * *', { tag: 'new' });
        throw new Error('undone');
      });
      await expect(run).rejects.toThrow('undone');
      expect(await bed.sent('reports')).toMatchObject([{ tag: 'old' }]);
    });
  });

  it('may come each second', async () => {
    await each('*/2 * * * * *');
    await bed.advance(6_500);
    expect(await times()).toEqual(['00:00:02', '00:00:04', '00:00:06']);
  });

  it('is sent once each time, however many processes say it and are there', async () => {
    const others = [await bed.sibling(), await bed.sibling()];
    for (const where of [bed, ...others]) await each('* * * * *', {}, where);
    await bed.advance(2.5 * MINUTE);
    for (const where of others) await each('* * * * *', {}, where);
    await bed.advance(2 * MINUTE);
    expect(await times()).toEqual(['00:01:00', '00:02:00', '00:03:00', '00:04:00']);
    for (const where of others) await where.close();
  });

  it('is sent once when two take it from the agenda', async () => {
    const other = await bed.sibling();
    await each('0 1 * * *');
    const entry = (await bed.stores.recurring.find('r'))!;
    await bed.stores.recurring.put({ ...entry, nextAt: bed.clock.now() - 1 });
    const both = await Promise.all([bed, other].map(({ rivulet }) => rivulet.recurring.fire('r')));
    expect(new Set(both)).toEqual(new Set([Date.UTC(2026, 0, 1, 1)]));
    expect(await times()).toHaveLength(1);
    await other.close();
  });

  it('comes once, late, for the times that passed while nobody ran', async () => {
    await each('* * * * *');
    await bed.close();
    bed.clock.set(bed.clock.now() + 10 * MINUTE);
    const later = await bed.sibling();
    await later.advance(1_500);
    expect(await later.sent('reports')).toHaveLength(1);
    await later.advance(MINUTE);
    expect(await later.sent('reports')).toHaveLength(2);
    await later.close();
  });

  it('goes by the time zone, over a change of the clocks, too', () => {
    const berlin = { cron: '30 8 * * *', timezone: 'Europe/Berlin' };
    const after = (time: string) => new Date(nextRun(berlin, Date.parse(time))!).toISOString();
    expect(after('2026-03-28T00:00:00Z')).toBe('2026-03-28T07:30:00.000Z');
    expect(after('2026-03-28T12:00:00Z')).toBe('2026-03-29T06:30:00.000Z');
  });

  it('can be listed, changed and cancelled', async () => {
    const { recurring } = bed.rivulet;
    await each('0 6 * * *');
    await each('0 7 * * *', { timezone: 'Asia/Tokyo' });
    expect(await recurring.list()).toEqual([
      {
        name: 'r',
        topic: 'reports',
        cron: '0 7 * * *',
        timezone: 'Asia/Tokyo',
        nextAt: new Date('2026-01-01T22:00:00Z'),
      },
    ]);
    expect(await recurring.cancel('r')).toBe(true);
    expect(await recurring.cancel('r')).toBe(false);
    bed.clock.set(Date.UTC(2026, 0, 5));
    await bed.advance(5_000);
    expect(await bed.sent('reports')).toEqual([]);
  });

  it('says when it is not what it was, as two versions side by side have it', async () => {
    const said: string[] = [];
    const other = await bed.sibling({
      logger: { ...silentLogger, log: (line) => void said.push(line) },
    });
    await each('0 6 * * *', {}, other);
    await each('0 6 * * *', {}, other);
    expect(said.filter((line) => line.includes('"r"'))).toEqual([]);
    await bed.rivulet.recurring.set('audits', 1, { name: 'r', everyMs: 90_000 });
    await each('0 6 * * *', {}, other);
    await each('0 6 * * *', { tag: 'new' }, other);
    expect(said.filter((line) => line.includes('"r"'))).toEqual([
      'Recurring send "r" was changed: at "0 6 * * *" in UTC to topic "reports", until now each 90000 ms to topic "audits". A process that starts with the earlier version brings that back.',
      expect.stringContaining('in UTC to topic "reports", with another body or options. A process'),
    ]);
    await other.close();
  });

  it('is sent again when the store could not take it', async () => {
    await each('* * * * *');
    await bed.advance(50_000);
    bed.stores.goDown();
    await bed.advance(20_000);
    bed.stores.comeUp();
    await bed.advance(20_000);
    expect(await bed.sent('reports')).toHaveLength(1);
  });

  it('survives the loss of the agenda', async () => {
    await each('*/3 * * * *');
    await bed.stores.agenda.take({ limit: 100, leaseMs: 3_600_000 });
    await bed.advance(4 * MINUTE);
    expect(await times()).toEqual(['00:03:00']);
  });

  it.each<[RecurringOptions | object, RegExp]>([
    [{ name: 'r', cron: '61 * * * *' }, /cron "61 \* \* \* \*" in UTC: .*minute/],
    [{ name: 'r', cron: 'soon' }, /cron "soon" in UTC/],
    [{ name: 'r', cron: '* * * * *', timezone: 'Mars/X' }, /in Mars\/X: .*[Tt]imezone/],
    [{ name: 'r', cron: '0 0 30 2 *' }, /has no time to come/],
    [
      { name: '', cron: 5 },
      /name must be 1 to 120 .*; cron must be text \(or give everyMs\), got: 5/,
    ],
    [{ name: 'r' }, /cron must be text \(or give everyMs\), got: undefined/],
    [{ name: 'r', everyMs: 999 }, /everyMs must be an integer from 1000 to/],
    [{ name: 'r', everyMs: '5s' }, /everyMs must be an integer/],
    [{ name: 'r', everyMs: NaN }, /everyMs must be an integer/],
    [{ name: 'r', everyMs: 5_000, cron: '* * * * *' }, /cron and everyMs contradict each other/],
    [{ name: 'r', everyMs: 5_000, timezone: 'UTC' }, /timezone says nothing about everyMs/],
    [{ name: 'r', every: 5_000 }, /unknown option "every", did you mean "everyMs"/],
    [{ name: 'r', cron: '* * * * *', dedupId: 'x' }, /unknown option "dedupId"/],
    [{ name: 'r', cron: '* * * * *', ttlMs: -1 }, /ttlMs must be/],
  ])('is refused when it cannot be meant: %j', async (options, problem) => {
    const set = bed.rivulet.recurring.set('reports', 1, options as RecurringOptions);
    await expect(set).rejects.toThrow(InvalidInputError);
    await expect(set).rejects.toThrow(problem);
    await expect(
      bed.rivulet.recurring.set('reports', Buffer.from('x'), { name: 'r', cron: '* * * * *' }),
    ).rejects.toThrow(/bytes/);
    expect(await bed.stores.recurring.list()).toEqual([]);
  });

  it('needs somebody who reads cron expressions', async () => {
    const rivulet = new Rivulet({
      stores: new MemoryStores({ clock: bed.clock }),
      clock: bed.clock,
    });
    await expect(
      rivulet.recurring.set('reports', 1, { name: 'r', cron: '* * * * *' }),
    ).rejects.toThrow(/give the option nextRun/);
  });
});
