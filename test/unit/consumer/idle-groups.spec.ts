import { IdleGroups } from '../../../lib/core/consumer/idle-groups.js';
import {
  DEFAULT_IDLE_GROUPS,
  type IdleGroupSettings,
} from '../../../lib/core/consumer/idle-group-settings.js';
import { Events } from '../../../lib/core/runtime/events.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;
/** Seven days from the join to the first look after that. */
const NOTED_MS = 7 * DAY_MS + MINUTE_MS;

describe('a group that nobody consumes', () => {
  const clock = new ManualClock();
  const happened: unknown[] = [];
  const said: string[] = [];
  let stores: MemoryStores;
  let watches: IdleGroups[] = [];

  beforeEach(async () => {
    stores = new MemoryStores({ clock });
    happened.length = said.length = 0;
    await stores.topics.declare('orders', { queues: 2 });
    for (const [group, mode] of [
      ['billing', 'unordered'],
      ['audit', 'ordered'],
      ['try-1', 'unordered'],
      ['cache', 'broadcasting'],
    ] as const)
      await stores.topics.joinGroup('orders', { group, mode, filterDigest: '', from: 'earliest' });
  });
  afterEach(async () => {
    await Promise.all(watches.splice(0).map((watch) => watch.stop()));
  });

  /** A process that uses the topic, and consumes in these groups. */
  const run = (settings: Partial<IdleGroupSettings>, ...consuming: string[]): IdleGroups => {
    const logger = { ...silentLogger, warn: (line: string) => void said.push(line) };
    const events = new Events({ logger });
    for (const name of ['group-idle', 'group-expired'] as const)
      events.on(name, (facts) => happened.push([name, facts.group, facts.idleMs]));
    const watch = new IdleGroups({
      ...{ stores, clock, events, logger, settings: { ...DEFAULT_IDLE_GROUPS, ...settings } },
      topicsInUse: () => ['orders'],
      joined: () => consuming.map((group) => ({ topic: 'orders', group })),
      onError: (error) => said.push(String(error)),
    });
    watches.push(watch);
    watch.start();
    return watch;
  };
  const groups = async (): Promise<string[]> =>
    (await stores.topics.groups('orders')).map(({ group }) => group).toSorted();

  it('is told of after seven days, once, and stays', async () => {
    run({}, 'billing', 'try-1');
    await clock.advance(7 * DAY_MS);
    expect(happened).toEqual([]);
    await clock.advance(DAY_MS);
    expect(happened).toEqual([['group-idle', 'audit', NOTED_MS]]);
    expect(said).toEqual([
      expect.stringMatching(/^orders\/audit has had no member for 7 days: 0 messages wait for it/),
    ]);
    expect(await groups()).toEqual(['audit', 'billing', 'cache', 'try-1']);
  });

  it('is told of again after it had a member', async () => {
    const consuming = run({}, 'billing', 'audit');
    run({}, 'try-1');
    await clock.advance(HOUR_MS);
    await consuming.stop();
    await clock.advance(8 * DAY_MS);
    expect(happened.map((each) => (each as string[])[1])).toEqual(['audit', 'billing']);
    const back = run({}, 'billing', 'audit');
    await clock.advance(HOUR_MS);
    await back.stop();
    await clock.advance(8 * DAY_MS);
    expect(happened).toHaveLength(4);
  });

  it('goes where that is wanted, once for all processes', async () => {
    run({ expire: true }, 'billing');
    run({ expire: true }, 'billing');
    await clock.advance(8 * DAY_MS);
    expect(happened).toEqual([
      ['group-expired', 'audit', NOTED_MS],
      ['group-expired', 'try-1', NOTED_MS],
    ]);
    expect(said[0]).toMatch(/orders\/audit had no member for 7 days and was removed/);
    expect(await groups()).toEqual(['billing', 'cache']);
  });

  it('is decided about one by one', async () => {
    run(
      { expire: ({ topic, group }) => topic === 'orders' && group.startsWith('try-') },
      'billing',
    );
    await clock.advance(8 * DAY_MS);
    expect(happened).toEqual([
      ['group-idle', 'audit', NOTED_MS],
      ['group-expired', 'try-1', NOTED_MS],
    ]);
    expect(await groups()).toEqual(['audit', 'billing', 'cache']);
  });

  it('is not meant while a member is listed, although nobody notes it', async () => {
    const older = stores.sibling();
    await older.members.beat('m-older');
    await older.leases.acquire(
      { topic: 'orders', queue: 0, group: 'audit' },
      { owner: 'm-older', leaseMs: 9 * DAY_MS },
    );
    run({ expire: true }, 'billing', 'try-1');
    await clock.advance(8 * DAY_MS);
    expect(await groups()).toContain('audit');
  });

  it('goes on being looked for when the store, or the decision, fails', async () => {
    run({ expire: decideBadly() }, 'billing', 'try-1');
    await clock.advance(8 * DAY_MS);
    expect(said).toEqual([
      'Error: cannot decide',
      expect.stringMatching(/orders\/audit had no member for 7 days and was removed/),
    ]);
  });

  /** Fails the first time. */
  function decideBadly(): () => boolean {
    let calls = 0;
    return () => {
      if (calls++ === 0) throw new Error('cannot decide');
      return true;
    };
  }

  it('stays when the decision is a promise, which says neither yes nor no', async () => {
    const decides = (() => Promise.reject(new Error('too late'))) as never;
    run({ expire: decides }, 'billing', 'try-1');
    await clock.advance(7 * DAY_MS + 30 * MINUTE_MS);
    expect(await groups()).toContain('audit');
    expect(said[0]).toMatch(/idleGroups\.expire.*must answer at once, and answered a promise/);
  });

  it('is decided about although the decision about another fails', async () => {
    const decide = ({ group }: { group: string }): boolean => {
      if (group === 'audit') throw new Error('cannot decide');
      return true;
    };
    run({ expire: decide }, 'billing');
    await clock.advance(7 * DAY_MS + 30 * MINUTE_MS);
    expect(await groups()).toEqual(['audit', 'billing', 'cache']);
  });

  it('stays when somebody joins while it is decided about', async () => {
    const join = { mode: 'ordered', filterDigest: '', from: 'earliest' } as const;
    const joining: Promise<unknown>[] = [];
    const expire = ({ group }: { group: string }): boolean => {
      if (group === 'audit') joining.push(stores.topics.joinGroup('orders', { group, ...join }));
      return true;
    };
    run({ expire }, 'billing');
    await clock.advance(7 * DAY_MS + 30 * MINUTE_MS);
    expect(await Promise.all(joining)).toMatchObject([{ state: 'joined', created: false }]);
    expect(await groups()).toEqual(['audit', 'billing', 'cache']);
    expect(happened).toEqual([['group-expired', 'try-1', NOTED_MS]]);
  });

  it('is none while a job comes for some seconds now and then: it goes on where it was', async () => {
    const idleGroups = { afterMs: 30 * MINUTE_MS, expire: true };
    const bed = await TestBed.open({ settings: { idleGroups } });
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const handled: unknown[] = [];
    for (let run = 0; run < 4; run++) {
      const job = await bed.sibling({ settings: { idleGroups } });
      await job.subscribe({
        ...{ topic: 'orders', group: 'audit' },
        handler: ({ body }) => void handled.push(body),
      });
      await job.advance(20_000);
      await job.close();
      await bed.publish('orders', run);
      await bed.advance(25 * MINUTE_MS);
    }
    expect(handled).toEqual([0, 1, 2]);
    await bed.close();
  });

  it('no longer keeps messages from being trimmed when it is gone', async () => {
    const bed = await TestBed.open({
      settings: {
        idleGroups: { afterMs: 30 * MINUTE_MS, expire: true },
        topics: { queues: 1, retentionMs: MINUTE_MS },
      },
    });
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const other = await bed.sibling();
    await other.subscribe({ topic: 'orders', group: 'audit' });
    await other.close();
    await bed.publish('orders', { id: 1 });
    const length = async (): Promise<number> =>
      (await bed.stores.log.extent({ topic: 'orders', queue: 0 })).length;
    await bed.advance(10 * MINUTE_MS);
    expect(await length()).toBe(1);
    const expired = bed.rivulet.events.next('group-expired');
    await bed.advance(24 * MINUTE_MS);
    expect(await expired).toMatchObject({ topic: 'orders', group: 'audit', lag: 1 });
    expect(await length()).toBe(0);
    await bed.close();
  });

  it('has a limit that a restart does not exceed', async () => {
    const open = (idleGroups: object) => TestBed.open({ settings: { idleGroups } });
    await expect(open({ afterMs: 1_000 })).rejects.toThrow(
      /idleGroups\.afterMs must be an integer of at least 1800000/,
    );
    await expect(open({ expire: 'yes' })).rejects.toThrow(
      /idleGroups\.expire must be true, false or a function/,
    );
    await expect(open({ expires: true })).rejects.toThrow(/did you mean "expire"/);
  });
});
