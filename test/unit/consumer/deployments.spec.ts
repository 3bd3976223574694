import { tags } from 'nestjs-rivulet';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

const GROUPS = ['a', 'b', 'c'];
const ORDERED: Partial<TestSubscription> = { ordered: true };
const IDEMPOTENT = { idempotent: true };
const SLOW_RETRY = { retry: { backoff: () => 3_000 } };
const LIMITED = { rateLimit: { max: 50, perMs: 1_000 } };

/** What a version of an application says about its handler. */
type Version = Partial<TestSubscription>;

describe('a new version of a handler, rolled out beside the old one and back', () => {
  let bed: TestBed;
  let sent: number;
  let handled: string[];
  let running: TestBed[];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 2 } } });
    sent = 0;
    handled = [];
    running = [];
  });
  afterEach(async () => {
    for (const member of running) await member.close();
    await bed.close();
  });

  /** Every fifth message fails once. */
  const start = async (version: Version): Promise<TestBed> => {
    const member = await bed.sibling();
    running.push(member);
    await member.subscribe({
      ...{ topic: 'orders', group: 'billing', retry: { backoff: () => 50 }, ...version },
      handler: ({ message, attempt }) => {
        if (attempt === 1 && Number(message.key) % 5 === 0) throw new Error('not at first');
        handled.push(`${message.messageGroup}${message.key}`);
      },
    });
    return member;
  };
  const stop = async (member: TestBed): Promise<void> => {
    await member.close();
    running.splice(running.indexOf(member), 1);
  };
  const send = async (): Promise<void> => {
    for (let i = 0; i < 10; i++, sent++)
      for (const messageGroup of GROUPS)
        await bed.publish('orders', sent, { key: String(sent), messageGroup });
    await bed.advance(100);
  };

  it.each<[string, Version, Version]>([
    ['more at once', { concurrency: 1 }, { concurrency: 20 }],
    ['more at once, in order', { ...ORDERED, concurrency: 1 }, { ...ORDERED, concurrency: 20 }],
    ['a pattern', {}, { topic: '*' }],
    ['a pattern, in order', ORDERED, { ...ORDERED, topic: '*' }],
    ['idempotent', {}, IDEMPOTENT],
    ['idempotent, in order', ORDERED, { ...ORDERED, ...IDEMPOTENT }],
    ['other pauses', {}, SLOW_RETRY],
    ['other pauses, in order', ORDERED, { ...ORDERED, ...SLOW_RETRY }],
    ['a rate limit', {}, LIMITED],
    ['a start that counts for new groups', {}, { from: 'latest' }],
  ])('handles each message once, and keeps what order there is: %s', async (_, before, after) => {
    const old = await start(before);
    await send();
    const young = await start(after);
    await send();
    await stop(old);
    await send();
    const again = await start(before);
    await send();
    await stop(young);
    await send();
    await bed.advance(60_000);
    const numbers = GROUPS.map((group) =>
      handled.filter((name) => name.startsWith(group)).map((name) => Number(name.slice(1))),
    );
    const all = Array.from({ length: sent }, (__, i) => i);
    const kept = before.ordered ? numbers : numbers.map((each) => each.toSorted((x, y) => x - y));
    expect(kept).toEqual(GROUPS.map(() => all));
    await stop(again);
  });

  it('with another filter is let in by what it says itself, and so is the way back', async () => {
    const changing = { allowFilterChange: true };
    const old = await start({});
    await expect(start({ filter: tags('paid') })).rejects.toThrow(/set allowFilterChange/);
    await start({ filter: tags('paid'), ...changing });
    await stop(old);
    await expect(start({})).rejects.toThrow(/set allowFilterChange/);
    await start(changing);
  });

  it('in a group of another name handles all that is kept, and the old group keeps its own', async () => {
    const old = await start({});
    await send();
    await bed.advance(1_000);
    await stop(old);
    await send();
    const before = handled.length;
    await start({ group: 'charging' });
    await bed.advance(1_000);
    expect(handled).toHaveLength(before + GROUPS.length * sent);
    expect(
      (await bed.stores.deliveries.lag({ topic: 'orders', queue: 0, group: 'billing' }))
        .undelivered,
    ).toBeGreaterThan(0);
  });
});
