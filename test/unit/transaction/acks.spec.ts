import type { Acks } from '../../../lib/core/message/acks.js';
import { AcksMissedError, StoreRefusedError } from '../../../lib/core/message/errors.js';
import { type AcksWanted, NO_DISK_ACKS } from '../../../lib/core/store/message-log.js';
import type { SetMessage } from '../../../lib/core/transaction/message-set.js';
import type { TransactionSettings } from '../../../lib/core/transaction/transaction-settings.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { inQueues } from './in-queues.js';

const ONE = { replicas: 1 } as const;
const MISSED = '0 of 1 replicas confirmed it in time';

type Move = 'prepare' | 'commit' | 'publish';

/** How far messages must be stored that are not simply sent. */
describe('acks of', () => {
  let bed: TestBed;
  let lines: string[];
  /** Each move of halves: what it waited for, and for how many transactions. */
  let moves: [Move, AcksWanted | undefined, number][];
  /** Moves that the replicas do not confirm. */
  let missing: Move[];

  async function open(
    transactions: Partial<TransactionSettings> = {},
    acks: Acks = 'memory',
  ): Promise<void> {
    lines = [];
    const note = (line: string): void => void lines.push(line);
    const logger = { log: note, warn: note, error: note, debug: () => undefined };
    const settings = { transactions, producer: { acks }, topics: { queues: 2 } };
    bed = await TestBed.open({ settings, logger });
    await bed.rivulet.topics.get('orders');
    [moves, missing] = [[], []];
    const { halves } = bed.stores;
    const [prepare, commit, publish] = [halves.prepare, halves.commit, halves.publish];
    halves.prepare = (call) =>
      moved('prepare', { ...call, size: call.halves.length }, prepare.call(halves, call));
    halves.publish = (call) =>
      moved('publish', { ...call, size: call.halves.length }, publish.call(halves, call));
    halves.commit = (queue, ids) =>
      moved('commit', { ...queue, size: ids.length }, commit.call(halves, queue, ids));
  }
  /** It is carried out in any case. */
  async function moved<Reply>(
    move: Move,
    { acks, size }: { acks?: AcksWanted | undefined; size: number },
    carriedOut: Promise<Reply>,
  ): Promise<Reply> {
    moves.push([move, acks, size]);
    const reply = await carriedOut;
    if (acks && missing.includes(move))
      throw new AcksMissedError('it is there', { missed: MISSED });
    return reply;
  }
  afterEach(() => bed.close());

  const order = (body: string, acks?: Acks): Promise<unknown> =>
    bed.rivulet.transactions.run(() =>
      bed.publish('orders', body, { queue: 0, ...(acks && { acks }) }),
    );
  const levels = (): [Move, number | undefined][] =>
    moves.map(([move, acks]) => [move, acks?.replicas]);

  describe('a transaction', () => {
    it('are reached by its half before COMMIT, within halfTimeoutMs; its commit need not wait', async () => {
      await open();
      await order('a', ONE);
      await bed.advance(1);
      expect(moves).toEqual([
        ['prepare', { disk: false, replicas: 1, timeoutMs: 200 }, 1],
        ['commit', undefined, 1],
      ]);
      expect(await inQueues(bed)).toEqual(['a']);
    });

    it('are those of the producer, unless a message says another level', async () => {
      await open({}, { replicas: 2, timeoutMs: 50 });
      await order('a');
      await order('b', 'memory');
      expect(await order('c', 'disk')).toMatchObject({ state: 'half', acks: 'memory' });
      expect(moves.filter(([move]) => move === 'prepare').map(([, acks]) => acks)).toEqual([
        { disk: false, replicas: 2, timeoutMs: 50 },
        undefined,
        { disk: true, replicas: 0, timeoutMs: 200 },
      ]);
    });

    it('are the strongest of its messages, in all its queues', async () => {
      await open();
      await bed.rivulet.transactions.run(async () => {
        await bed.publish('orders', 'a', { queue: 0 });
        await bed.publish('orders', 'b', { queue: 1, acks: { replicas: 1, timeoutMs: 20 } });
        await bed.publish('orders', 'c', { queue: 1, acks: { replicas: 3, timeoutMs: 10 } });
      });
      const both = { disk: false, replicas: 3, timeoutMs: 20 };
      expect(moves.filter(([move]) => move === 'prepare')).toEqual([
        ['prepare', both, 1],
        ['prepare', both, 1],
      ]);
    });

    it('hold up no other transaction of the same turn that asks for less', async () => {
      await open();
      await Promise.all([order('a', ONE), order('b'), order('c', ONE), order('d')]);
      expect(moves.filter(([move]) => move === 'prepare')).toEqual(
        expect.arrayContaining([
          ['prepare', undefined, 2],
          ['prepare', expect.objectContaining({ replicas: 1 }), 2],
        ]),
      );
    });

    it('that are missed let its messages wait in the database; they are visible once', async () => {
      await open();
      missing = ['prepare'];
      const kept = bed.rivulet.events.next('outbox-kept');
      await order('a', ONE);
      expect(await kept).toMatchObject({ messages: 1 });
      await bed.advance(60_000);
      expect(levels()).toEqual([
        ['prepare', 1],
        ['publish', 1],
      ]);
      expect(await inQueues(bed)).toEqual(['a']);
      expect(bed.database.waiting).toEqual([]);
    });

    it('that are missed roll it back, if that is wanted, and it says what was missed', async () => {
      await open({ whenBrokerDown: 'fail' });
      missing = ['prepare'];
      await expect(order('a', ONE)).rejects.toMatchObject({
        code: 'BROKER_UNAVAILABLE',
        message: expect.stringContaining(`could not be stored: ${MISSED}. It is safe to repeat`),
      });
      await bed.advance(60_000);
      expect(await inQueues(bed)).toEqual([]);
    });

    it('that no server can tell roll it back: nothing waits for what never comes', async () => {
      await open();
      bed.stores.halves.prepare = () =>
        Promise.reject(new StoreRefusedError('no disk here', { reason: NO_DISK_ACKS }));
      await expect(order('a', 'disk')).rejects.toMatchObject({
        code: 'SEND_FAILED',
        message: expect.stringMatching(/was not stored: no disk here/),
      });
      expect(bed.database.waiting).toEqual([]);
    });
  });

  describe('the outbox', () => {
    it('are reached before a row is removed: until then its messages are visible, and it stays', async () => {
      await open({ store: 'outbox' });
      missing = ['publish'];
      const stuck: string[] = [];
      bed.rivulet.events.on('outbox-stuck', ({ error }) => stuck.push(error.message));
      await order('a', ONE);
      await order('b', { replicas: 1, timeoutMs: 300 });
      await order('c');
      await bed.advance(60_000);
      expect(await inQueues(bed)).toEqual(['a', 'b', 'c']);
      expect(bed.database.waiting).toHaveLength(2);
      expect(stuck).toHaveLength(1);
      expect(lines.filter((line) => line.includes('are published, but 0 of 1'))).toHaveLength(1);
      missing = [];
      await bed.advance(60_000);
      expect(bed.database.waiting).toEqual([]);
      expect(await inQueues(bed)).toEqual(['a', 'b', 'c']);
    });

    it('are waited for by the first rows of a look, not by each', async () => {
      await open({ store: 'outbox', maxRelayBytes: 200 });
      bed.stores.goDown();
      for (const body of ['a', 'b', 'c', 'd']) await order(body, ONE);
      missing = ['publish'];
      moves = [];
      await bed.advance(10_000);
      bed.stores.comeUp();
      await bed.advance(900);
      expect(moves.map(([, acks]) => acks?.timeoutMs)).toEqual([4_900, 1, 1, 1]);
    });

    it('that no server can tell are told, and hold up nothing else', async () => {
      await open({ store: 'outbox' });
      const publish = bed.stores.halves.publish.bind(bed.stores.halves);
      bed.stores.halves.publish = (call) =>
        call.acks?.disk
          ? Promise.reject(new StoreRefusedError('no disk here', { reason: NO_DISK_ACKS }))
          : publish(call);
      const stuck = bed.rivulet.events.next('outbox-stuck');
      bed.stores.goDown();
      await order('a', 'disk');
      await order('b');
      bed.stores.comeUp();
      await bed.advance(10_000);
      expect(await stuck).toMatchObject({ error: { message: 'no disk here' } });
      expect(await inQueues(bed)).toEqual(['b']);
      expect(bed.database.waiting).toHaveLength(1);
    });
  });

  describe('a transaction without a database', () => {
    const named = { name: 'place-order', queue: 0, acks: ONE };
    const answered = () =>
      bed.rivulet.checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    const run = (work: () => Promise<unknown>): Promise<unknown> =>
      bed.rivulet.halfFirst.run(work, { topic: 'orders', body: 'a', options: named });

    it('are reached by its half before it runs, and by its commit, which says so', async () => {
      await open();
      answered();
      const half = await bed.rivulet.halfFirst.prepare('orders', 'a', named);
      expect(levels()).toEqual([['prepare', 1]]);
      expect(await half.commit()).toMatchObject({ state: 'stored', acks: ONE });
      expect(levels()).toEqual([
        ['prepare', 1],
        ['commit', 1],
      ]);
    });

    it('that its half misses are told, it does not run, and the half is dropped', async () => {
      await open();
      answered();
      missing = ['prepare'];
      let ran = false;
      await expect(run(async () => (ran = true))).rejects.toMatchObject({
        code: 'SEND_FAILED',
        message: expect.stringMatching(/was not stored: 0 of 1 .* The transaction was not run/),
      });
      expect(ran).toBe(false);
      await bed.advance(1);
      expect(await bed.stores.halves.count({ topic: 'orders', queue: 0 })).toMatchObject({
        waiting: 0,
      });
    });

    it('that its commit misses are an error that says the message is visible', async () => {
      await open();
      answered();
      const half = await bed.rivulet.halfFirst.prepare('orders', 'a', named);
      missing = ['commit'];
      await expect(half.commit()).rejects.toMatchObject({
        code: 'ACKS_MISSED',
        missed: MISSED,
        message: expect.stringMatching(/topic "orders" queue 0 is visible, but 0 of 1 replicas/),
      });
      missing = [];
      expect(await half.commit()).toMatchObject({ state: 'stored', acks: ONE });
      expect(await inQueues(bed)).toEqual(['a']);
    });

    it('that its commit misses do not change what it returns, and are logged', async () => {
      await open();
      answered();
      missing = ['commit'];
      expect(await run(async () => 'done')).toBe('done');
      expect(lines.join()).toMatch(/is visible, but 0 of 1 replicas confirmed it in time/);
      expect(await inQueues(bed)).toEqual(['a']);
    });
  });

  describe('a set', () => {
    const SET: readonly SetMessage[] = [
      { topic: 'orders', body: 'a', queue: 0 },
      { topic: 'orders', body: 'b', queue: 1, acks: ONE },
    ];
    const sendAll = () => bed.rivulet.sets.send(SET, { timeoutMs: 1_000 });

    it('are reached by its halves before the decision, and by that; then nothing has to wait', async () => {
      await open();
      expect(await sendAll()).toMatchObject([{ acks: 'memory' }, { acks: ONE }]);
      expect(levels()).toEqual([
        ['prepare', 1],
        ['publish', 1],
        ['commit', undefined],
      ]);
    });

    it('that a half misses are an error, and nothing was sent', async () => {
      await open();
      missing = ['prepare'];
      await expect(sendAll()).rejects.toMatchObject({
        code: 'SEND_FAILED',
        message: expect.stringMatching(/^No message of set .* was stored: 0 of 1 replicas/),
      });
      await bed.advance(60_000);
      expect(await inQueues(bed)).toEqual([]);
    });

    it('that the decision misses leave the rest to the back-check, and the error says what is so', async () => {
      await open();
      missing = ['publish'];
      await expect(sendAll()).rejects.toMatchObject({
        code: 'SEND_OUTCOME_UNKNOWN',
        message: expect.stringMatching(
          /^Set .* is stored in the memory of the server, but 0 of 1 replicas .* unless the server fails now\. All of its 2 messages/,
        ),
      });
      expect(await inQueues(bed)).toEqual(['a']);
      await bed.advance(60_000);
      expect(await inQueues(bed)).toEqual(['a', 'b']);
    });
  });
});
