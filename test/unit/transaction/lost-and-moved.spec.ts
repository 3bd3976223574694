import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a store that changes under a transaction', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
    await bed.publish('orders', 'before');
  });

  afterEach(() => bed.close());

  const bodies = async (): Promise<unknown[]> => {
    await bed.advance(1);
    return (await bed.sent('orders')).map(({ body }) => body);
  };

  it('loses nothing when it forgot the half: its owner still knows the messages', async () => {
    const { halves } = bed.stores;
    halves.commit = async (_queue, ids) => ids.map((id) => ({ id, state: 'unknown' }));
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'known'));
    expect(await bodies()).toEqual(['before', 'known']);
  });

  it('tells when a committed half was rolled back behind its back, and delivers nothing', async () => {
    const { halves } = bed.stores;
    halves.commit = async (_queue, ids) => ids.map((id) => ({ id, state: 'rolled-back' }));
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'lost'));
    expect(await bodies()).toEqual(['before']);
  });

  it.each(['half', 'outbox'] as const)(
    'is followed when the topic was made anew, with store "%s"',
    async (store) => {
      const other = await bed.sibling({ settings: { transactions: { store } } });
      await other.publish('orders', 'other');
      const admin = new MessageAdmin({ rivulet: bed.rivulet });
      await admin.deleteTopic('orders', { force: true });
      await admin.createTopic('orders', { queues: 2 });
      await other.rivulet.transactions.run(async () => {
        for (let i = 0; i < 6; i++) await other.publish('orders', i, { messageGroup: `g${i}` });
        await other.publish('orders', 'a');
        await other.publish('orders', 'b');
      });
      await other.advance(1_000);
      const sent = await other.sent('orders');
      expect(sent.map(({ body }) => body)).toEqual([0, 1, 2, 3, 4, 5, 'a', 'b']);
      expect(sent.every(({ queue }) => queue < 2)).toBe(true);
      await other.close();
    },
  );

  it('stores its only half in the topic that was made anew, before it commits', async () => {
    const admin = new MessageAdmin({ rivulet: (await bed.sibling()).rivulet });
    await admin.deleteTopic('orders', { force: true });
    await admin.createTopic('orders', { queues: 2 });
    const { halves } = bed.stores;
    const [prepare, commit] = [halves.prepare.bind(halves), halves.commit.bind(halves)];
    const answers: string[] = [];
    halves.prepare = async (call) => {
      const replies = await prepare(call);
      answers.push(...replies.map(({ state }) => state));
      return replies;
    };
    halves.commit = async (queue, ids) => {
      const replies = await commit(queue, ids);
      answers.push(...replies.map(({ state }) => state));
      return replies;
    };
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'only'));
    expect(await bodies()).toEqual(['only']);
    expect(answers).toEqual(['moved', 'prepared', 'committed']);
  });
});
