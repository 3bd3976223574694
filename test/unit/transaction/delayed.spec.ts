import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const DELAY_MS = 300;
/** A notice that is lost costs as much as the poll. */
const PUNCTUAL_MS = 1_100;

describe('a delayed message of a transaction', () => {
  let bed: TestBed;
  let handled: [body: unknown, at: number][];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    handled = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => void handled.push([body, bed.clock.now()]),
    });
    await bed.advance(5_000);
  });
  afterEach(() => bed.close());

  const gone = (): Promise<never> => Promise.reject(new StoreUnavailableError('no answer'));
  const transact = (delayMs: number): Promise<unknown> =>
    bed.rivulet.transactions.run(() => bed.publish('orders', 'a', { delayMs }));

  it('is handled on time although its commit reached the store later than it was noted for', async () => {
    const { halves } = bed.stores;
    const commit = halves.commit.bind(halves);
    halves.commit = gone;
    await transact(DELAY_MS);
    await bed.advance(1_500);
    halves.commit = commit;
    const back = bed.clock.now();
    await bed.advance(DELAY_MS + PUNCTUAL_MS);
    expect(handled).toEqual([['a', expect.any(Number)]]);
    expect(handled[0]![1]).toBeGreaterThanOrEqual(back + DELAY_MS);
  });

  it('is handled on time although the notice of it was lost', async () => {
    const { agenda } = bed.stores;
    const note = agenda.note.bind(agenda);
    agenda.note = gone;
    await transact(10_000);
    await bed.advance(100);
    agenda.note = note;
    await bed.advance(9_000);
    expect(handled).toEqual([]);
    await bed.advance(900 + PUNCTUAL_MS);
    expect(handled).toHaveLength(1);
  });

  it('is handled on time when the back-check commits it', async () => {
    const own = await bed.sibling({ settings: { topics: { queues: 1 } } });
    own.stores.halves.commit = gone;
    await own.rivulet.transactions.run(() => own.publish('orders', 'b', { delayMs: DELAY_MS }));
    await bed.advance(50);
    own.crash();
    const checked = bed.rivulet.events.next('checked');
    await bed.advance(120_000);
    await checked;
    expect(handled.map(([body]) => body)).toEqual(['b']);
  });
});
