import { RejectMessageError } from '../../../../lib/core/consumer/handler-errors.js';
import type { SubscriptionOptions } from '../../../../lib/core/consumer/subscription.js';
import { tags } from '../../../../lib/core/filter/message-filter.js';
import type { RivuletEventName } from '../../../../lib/core/runtime/events.js';
import { WIRE_VERSION } from '../../../../lib/core/message/wire-format.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;
const QUEUE = { topic: 'orders', queue: 0 };
const MESSAGES = 12;
const MALFORMED = Buffer.from([WIRE_VERSION, 0xff, 0xff]);

describe('the owner of a queue who misses every nth reply', () => {
  let bed: TestBed;
  let told: { event: string; key: string | undefined; offset: string }[];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { ordered: { laneBuffer: 3 } } });
    await bed.stores.topics.declare('orders', { queues: 1 });
    told = [];
  });
  afterEach(() => bed.close());

  const listen = (...names: RivuletEventName[]): void => {
    for (const event of names)
      bed.rivulet.events.on(event, (facts) => {
        const { key, offset } = facts as { key: string | undefined; offset: string };
        told.push({ event, key, offset });
      });
  };
  /** Every nth change is made, and not answered. */
  const loseEvery = (n: number): void => {
    const { leases } = bed.stores;
    let calls = 0;
    const losing = <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) =>
      function (...args) {
        if (++calls % (n + 1) === n) bed.stores.loseReplies(1);
        return call.apply(leases, args);
      };
    leases.step = losing(leases.step);
    leases.stepHeld = losing(leases.stepHeld);
  };
  const subscribe = (options: Partial<SubscriptionOptions>): Promise<void> =>
    bed.subscribe({ ...BILLING, handler: () => undefined, ...options });
  const keys = Array.from({ length: MESSAGES }, (_, i) => `m${i}`);
  const publish = async (options: (i: number) => object = () => ({})): Promise<void> => {
    for (const [i, key] of keys.entries())
      await bed.publish('orders', key, { key, messageGroup: `g${i % 2}`, ...options(i) });
  };
  const toldOf = (event: string): unknown[] =>
    told.filter((each) => each.event === event).map(({ key }) => key);

  it.each([1, 2, 3, 5])('tells of each message once that it was acked (%i)', async (n) => {
    listen('acked');
    loseEvery(n);
    await publish();
    await subscribe({});
    await bed.advance(20_000);
    expect(toldOf('acked').toSorted()).toEqual(keys.toSorted());
  });

  it.each([1, 2, 3, 5])(
    'tells of each message once that it did not pass the filter (%i)',
    async (n) => {
      listen('acked', 'filtered');
      loseEvery(n);
      await publish((i) => ({ tag: i % 3 === 0 ? 'wanted' : 'other' }));
      await subscribe({ filter: tags('wanted') });
      await bed.advance(20_000);
      const wanted = keys.filter((_, i) => i % 3 === 0);
      expect(toldOf('acked').toSorted()).toEqual(wanted.toSorted());
      expect(toldOf('filtered').toSorted()).toEqual(
        keys.filter((key) => !wanted.includes(key)).toSorted(),
      );
    },
  );

  it.each([1, 2, 3, 5])('tells of each malformed message once (%i)', async (n) => {
    listen('dead-lettered');
    loseEvery(n);
    await subscribe({ ordered: n % 2 === 0 ? 'queue' : true });
    const offsets = keys.map(() => bed.stores.tamper.addMessage(QUEUE, MALFORMED));
    await bed.advance(20_000);
    expect(told.map(({ offset }) => offset).toSorted()).toEqual(offsets.toSorted());
    expect(await bed.deadLetters('orders', 'billing')).toHaveLength(MESSAGES);
  });

  it.each([1, 2, 3, 5])('tells of each message once that was rejected (%i)', async (n) => {
    listen('dead-lettered');
    loseEvery(n);
    await publish();
    await subscribe({
      handler: () => {
        throw new RejectMessageError('never');
      },
    });
    await bed.advance(20_000);
    expect(toldOf('dead-lettered').toSorted()).toEqual(keys.toSorted());
  });

  it('sends the receipt of a message that did not pass the filter, whose settle was not answered', async () => {
    loseEvery(1);
    await subscribe({ filter: tags('wanted') });
    const receipt = { groups: ['billing'], timeoutMs: 10_000 };
    const sending = bed.rivulet.producer.send('orders', {}, { messageGroup: 'g', receipt });
    await bed.advance(5_000);
    expect(await sending).toMatchObject({ outcomes: { billing: { state: 'filtered' } } });
  });
});
