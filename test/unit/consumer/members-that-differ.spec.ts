import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

const GROUP = { topic: 'orders', group: 'billing' };

describe('processes of one group with different options', () => {
  let bed: TestBed;
  let other: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    other = await bed.sibling();
  });
  afterEach(async () => {
    await other.close();
    await bed.close();
  });

  const refused: [string, Partial<TestSubscription>, Partial<TestSubscription>, RegExp][] = [
    ['order', { ordered: true }, {}, /registered as ordered without .*this handler is unordered/],
    ['no order', {}, { ordered: true }, /registered as unordered without .*handler is ordered/],
    [
      'message groups in order, or whole queues',
      { ordered: true },
      { ordered: 'queue' },
      /registered as ordered without .*this handler is ordered by queue/,
    ],
    [
      'whole queues in order, or message groups',
      { ordered: 'queue' },
      { ordered: true },
      /registered as ordered by queue .*stop the others and delete the group first/,
    ],
    ['a share, or everything', {}, { mode: 'broadcasting' }, /this handler is broadcasting/],
  ];

  it.each(refused)('are refused at the start: %s', async (_, first, second, text) => {
    await bed.subscribe({ ...GROUP, ...first });
    const joining = other.subscribe({ ...GROUP, ...second });
    await expect(joining).rejects.toBeInstanceOf(InvalidOptionsError);
    await expect(joining).rejects.toThrow(text);
  });

  it('each follow their own retry policy, with the attempts counted over all of them', async () => {
    const failing = {
      ...GROUP,
      handler: () => {
        throw new Error('no');
      },
    };
    await bed.subscribe({ ...failing, retry: { maxAttempts: 2, backoff: () => 1_000 } });
    await other.subscribe({ ...failing, retry: { maxAttempts: 5, backoff: () => 1_000 } });
    bed.rivulet.pause('orders', 'billing');
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(4_000);
    expect(await bed.deadLetters('orders', 'billing')).toEqual([]);
    other.rivulet.pause('orders', 'billing');
    bed.rivulet.resume('orders', 'billing');
    const ended = bed.settled(messageId);
    await bed.advance(4_000);
    expect(await ended).toMatchObject({ state: 'dead-lettered' });
    const [letter] = await bed.deadLetters('orders', 'billing');
    expect(letter!.attempts).toBeGreaterThan(2);
  });

  it.each([
    ['dead-lettered', {}],
    ['lane-parked', { ordered: true }],
  ] as const)(
    'give up what failed more often than they allow, and say so (%s)',
    async (event, how) => {
      const failing = {
        ...{ ...GROUP, ...how },
        handler: () => {
          throw new Error('no stock');
        },
      };
      await bed.subscribe({ ...failing, retry: { maxAttempts: 9, backoff: () => 60_000 } });
      await bed.publish('orders', 'a', { messageGroup: 'g' });
      await bed.advance(121_000);
      await bed.close();
      const givenUp = other.rivulet.events.next(event);
      await other.subscribe({ ...failing, retry: { maxAttempts: 2 } });
      await other.advance(60_000);
      expect(await givenUp).toMatchObject({
        attempt: 4,
        reason: 'failed 3 times, and no more are allowed here; last error: Error: no stock',
      });
    },
  );
});
