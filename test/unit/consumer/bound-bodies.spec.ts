import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { boundCodec } from '../../helpers/bound-codec.js';

const BILLING = { topic: 'orders', group: 'billing' } as const;
const MINUTE = 60_000;

// Under the name of ours, which says nothing in the header of a message, too.
describe.each(['bound', 'json'])(
  'a body that its codec, called %s, binds to topic and message id',
  (name) => {
    let bed: TestBed;
    let admin: MessageAdmin;
    let codec: ReturnType<typeof boundCodec>;
    const handled: unknown[] = [];
    const handler = ({ body }: { body: unknown }): void => void handled.push(body);
    beforeEach(async () => {
      handled.length = 0;
      codec = boundCodec(name);
      const ordered = { laneBuffer: 2, queueBuffer: 4 };
      bed = await TestBed.open({ settings: { codec, ordered, topics: { queues: 1 } } });
      admin = new MessageAdmin({ rivulet: bed.rivulet });
    });
    afterEach(() => bed.close());

    const soon = async <T>(answer: Promise<T>): Promise<T> => {
      await bed.advance(50);
      return answer;
    };
    const inTransaction = (body: string): Promise<unknown> =>
      bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
        tx.set(body, 'placed');
        return bed.publish('orders', body);
      });

    it('is bound to the id that the send answers, alone, in a set and in a transaction', async () => {
      const alone = await bed.publish('orders', 1);
      const [set] = await soon(bed.rivulet.sets.send([{ topic: 'orders', body: 2 }]));
      const within = (await inTransaction('3')) as typeof alone;
      expect(codec.contexts).toEqual(
        [alone, set!, within].map(({ messageId }) => ({
          kind: 'message',
          topic: 'orders',
          messageId,
        })),
      );
    });

    it('reaches every kind of handler, at once, late, by the clock and from elsewhere', async () => {
      await bed.subscribe({ ...BILLING, handler });
      await bed.subscribe({ topic: 'orders', group: 'stock', ordered: true, handler });
      await bed.subscribe({ topic: '*', group: 'audit', handler });
      await bed.subscribe({ topic: 'orders', group: 'caches', mode: 'broadcasting', handler });
      const { messageId } = await bed.publish('orders', 'put off', { delayMs: MINUTE });
      await bed.publish('orders', 'now');
      await bed.publish('orders', 'late', { delayMs: 1_000 });
      await admin.reschedule('orders', messageId, { delayMs: 500 });
      await bed.publish('nobody-reads', 'elsewhere', { alternateTopic: 'orders' });
      await bed.rivulet.recurring.set('orders', 'each minute', { name: 'r', cron: '* * * * *' });
      await inTransaction('of a transaction');
      await bed.advance(MINUTE + 5_000);
      const bodies = ['each minute', 'elsewhere', 'late', 'now', 'of a transaction', 'put off'];
      expect(handled.toSorted()).toEqual(bodies.flatMap((body) => [body, body, body, body]));
    });

    it('reaches a handler of batches', async () => {
      bed.rivulet.subscribeBatch({
        ...{ ...BILLING, origin: 'the test', batch: { size: 10, withinMs: 100 } },
        handler: (deliveries) => deliveries.forEach(handler),
      });
      await bed.rivulet.consume();
      for (const body of [1, 2]) await bed.publish('orders', body);
      await bed.advance(1_000);
      expect(handled).toEqual([1, 2]);
    });

    it('goes through the outbox, and with it into a topic that grew meanwhile', async () => {
      await bed.subscribe({ ...BILLING, handler });
      bed.stores.goDown();
      await inTransaction('kept');
      bed.stores.comeUp();
      await admin.alterTopic('orders', { queues: 4 });
      await bed.advance(2 * MINUTE);
      expect(handled).toEqual(['kept']);
    });

    it('is read at each attempt, as a dead letter, after its redrive, and by a search', async () => {
      let fails = true;
      await bed.subscribe({
        ...{ ...BILLING, retry: { maxAttempts: 2 } },
        handler: (delivery) => {
          handler(delivery);
          if (fails) throw new Error('no');
        },
      });
      const { messageId } = await bed.publish('orders', 'x');
      await bed.advance(MINUTE);
      const seen = { entry: { kind: 'message', body: { value: 'x' } } };
      const { letters } = await admin.listDeadLetters('orders', 'billing');
      expect(letters).toMatchObject([seen]);
      fails = false;
      await admin.redriveDeadLetter('orders', 'billing', letters[0]!.id);
      await bed.advance(MINUTE);
      expect(handled).toEqual(['x', 'x', 'x']);
      expect(await admin.findById('orders', messageId)).toMatchObject([seen, seen]);
    });

    it('is read when its group goes back, and by a group that comes later', async () => {
      await bed.subscribe({ ...BILLING, handler });
      await bed.publish('orders', 'x');
      await bed.advance(1);
      await admin.rewindGroup('orders', 'billing', 'earliest', { force: true });
      await bed.subscribe({ topic: 'orders', group: 'later', from: 'earliest', handler });
      await bed.advance(MINUTE);
      expect(handled).toEqual(['x', 'x', 'x']);
    });

    it('is read when it gave way to newer ones, and is redriven', async () => {
      const { topic } = BILLING;
      await bed.subscribe({ ...BILLING, handler });
      await admin.pauseGroup(topic, 'billing');
      await admin.alterTopic(topic, { maxLength: 1, whenFull: 'drop-oldest' });
      await bed.advance(2_000);
      for (const body of ['old', 'new']) await soon(bed.publish(topic, body));
      const { letters } = await admin.listDeadLetters(topic, 'billing');
      expect(letters).toMatchObject([{ entry: { body: { value: 'old' } } }]);
      await admin.resumeGroup(topic, 'billing');
      await bed.advance(MINUTE);
      await admin.redriveDeadLetter(topic, 'billing', letters[0]!.id);
      await bed.advance(MINUTE);
      expect(handled).toEqual(['new', 'old']);
    });

    it('waits in a lane that is parked and holds more than its buffer, and goes on', async () => {
      let isBroken = true;
      await bed.subscribe({
        ...{ ...BILLING, ordered: true, retry: { maxAttempts: 1 } },
        handler: (delivery) => {
          if (isBroken) throw new Error('no');
          handler(delivery);
        },
      });
      const bodies = Array.from({ length: 12 }, (_, i) => i);
      for (const body of bodies) await bed.publish('orders', body, { messageGroup: 'vase' });
      await bed.advance(MINUTE);
      const [lane] = await admin.listParkedLanes('orders', 'billing');
      expect(lane).toMatchObject({ head: { kind: 'message', body: { value: 0 } } });
      isBroken = false;
      await admin.resumeLane('orders', 'billing', lane!, 'retry');
      await bed.advance(MINUTE);
      expect(handled).toEqual(bodies);
    });

    it('is received by hand', async () => {
      await bed.stores.topics.declare('orders', { queues: 1 });
      const receive = () => soon(bed.rivulet.pulls.receive({ ...BILLING, waitMs: 0 }));
      expect(await receive()).toEqual([]);
      await bed.publish('orders', 'x');
      expect(await receive()).toMatchObject([{ body: 'x' }]);
    });

    it('is read by the check of its transaction, and by who lists halves', async () => {
      const asked: unknown[] = [];
      bed.rivulet.checks.answer('place', ({ body }) => (asked.push(body), 'commit'), 'the test');
      await bed.subscribe({ ...BILLING, handler });
      await soon(bed.rivulet.halfFirst.prepare('orders', 'half', { name: 'place' }));
      const { halves } = await admin.listHalves('orders');
      expect(halves).toMatchObject([{ messages: [{ body: { value: 'half' } }] }]);
      await bed.advance(MINUTE);
      expect([asked, handled]).toEqual([['half'], ['half']]);
    });

    it('of an answer is bound to none: a stored one answers the next request', async () => {
      const idempotent = { key: () => 'same', storeResult: true };
      await bed.subscribe({ ...BILLING, reply: true, idempotent, handler: () => 'done' });
      for (const body of [1, 2])
        expect(await soon(bed.rivulet.requester.request('orders', body))).toBe('done');
      expect(codec.contexts.filter(({ kind }) => kind === 'answer')).toHaveLength(1);
    });
  },
);
