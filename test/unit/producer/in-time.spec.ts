import { SendFailedError, type SendOptions } from 'nestjs-rivulet';
import { StoreRefusedError, StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const hang = <T>(): Promise<T> => new Promise(() => {});

/** Before a message there is sometimes something to be asked: who has subscribed, where receipts go. */
describe('a send that has to ask something first', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open();
    await bed.subscribe({ topic: 'orders', group: 'billing' });
  });
  afterEach(() => bed.close());

  /** What becomes of it, and after how many milliseconds. */
  async function send(options: SendOptions): Promise<[what: unknown, ms: number]> {
    const began = bed.clock.monotonic();
    const ended = bed.publish('orders', 1, options).then(
      ({ state }): [unknown, number] => [state, bed.clock.monotonic() - began],
      (error: unknown): [unknown, number] => [error, bed.clock.monotonic() - began],
    );
    await bed.advance(10_000);
    return ended;
  }

  it('(a topic that is new) fails at once when the store has no memory for it', async () => {
    const refusal = new StoreRefusedError('no memory', { reason: 'OOM' });
    bed.stores.topics.declare = () => Promise.reject(refusal);
    await expect(bed.publish('new', 1)).rejects.toMatchObject({
      code: 'FLOW_BLOCKED',
      cause: refusal,
    });
  });

  const cases: [string, SendOptions, (answer: <T>() => Promise<T>) => void][] = [
    [
      'who has subscribed',
      { mandatory: true },
      (answer) => Object.assign(bed.stores.topics, { groups: answer }),
    ],
    [
      'where receipts go',
      { receipt: { groups: ['billing'], timeoutMs: 5_000 } },
      (answer) => Object.assign(bed.stores.replies, { openInbox: answer }),
    ],
  ];
  it.each(cases)('(%s) fails within its time when nobody answers', async (_, options, answered) => {
    answered(hang);
    const [error, ms] = await send({ ...options, timeoutMs: 300 });
    expect(error).toBeInstanceOf(SendFailedError);
    expect(ms).toBe(300);
  });

  it.each(cases)('(%s) is not failed by a fault that passes', async (_, options, answered) => {
    const { topics, replies } = bed.stores;
    const real = { groups: topics.groups, openInbox: replies.openInbox };
    answered(() => Promise.reject(new StoreUnavailableError('cut')));
    bed.clock.after(200, () => {
      Object.assign(topics, { groups: real.groups });
      Object.assign(replies, { openInbox: real.openInbox });
    });
    const [state] = await send({ ...options, timeoutMs: 1_000 });
    expect(state).toBe('stored');
  });
});
