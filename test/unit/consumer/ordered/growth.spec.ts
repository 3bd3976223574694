import { laneOfGroup } from '../../../../lib/core/consumer/ordered/lane-name.js';
import type { Delivery } from '../../../../lib/core/consumer/subscription.js';
import { silentLogger } from '../../../../lib/core/runtime/logger.js';
import { MessageAdmin } from '../../../../lib/inspect/message-admin.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';
import { groupIn } from '../../../contract/messages.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;
/** Of one queue both are in it, of two each has its own. */
const STAYS = groupIn(0);
const MOVES = groupIn(1);

describe('an ordered subscription to a topic that grows', () => {
  let bed: TestBed;
  let admin: MessageAdmin;
  const warnings: string[] = [];
  const seen: string[] = [];
  const gates: unknown[] = [];
  let broken = false;
  beforeEach(async () => {
    for (const list of [warnings, seen, gates]) list.length = 0;
    broken = true;
    const logger = { ...silentLogger, warn: (line: string) => void warnings.push(line) };
    bed = await TestBed.open({ logger });
    admin = new MessageAdmin({ rivulet: bed.rivulet });
    await bed.stores.topics.declare('orders', { queues: 1 });
    bed.rivulet.events.on('queue-gated', (facts) => void gates.push(facts));
    await bed.subscribe({
      ...BILLING,
      retry: { maxAttempts: 1 },
      handler: ({ body }: Delivery) => {
        if (body === 'breaks' && broken) throw new Error('no');
        seen.push(body as string);
      },
    });
  });
  afterEach(() => bed.close());

  const send = (messageGroup: string, body: string, options: object = {}) =>
    bed.publish('orders', body, { messageGroup, ...options });
  /** After a growth: the producer is told so first. */
  const sendAnew = async (messageGroup: string, body: string): Promise<void> => {
    const sending = send(messageGroup, body);
    await bed.advance(100);
    await sending;
  };
  /** What the operator is shown about the new queue. */
  const gateShown = async () => {
    const { queues } = await admin.describeGroup('orders', 'billing');
    return queues.find(({ queue }) => queue === 1)?.gate;
  };

  it('says which parked lane it waits for, and goes on once that is resumed', async () => {
    await send(MOVES, 'breaks');
    await send(STAYS, 's1');
    await bed.advance(100);
    await admin.alterTopic('orders', { queues: 2 });
    await sendAnew(MOVES, 'm2');
    await sendAnew(STAYS, 's2');
    await bed.advance(3_000);
    expect(seen).toEqual(['s1', 's2']);
    const gate = { behind: 0, waitsFor: 'parked', messageGroups: [MOVES] };
    expect(gates).toEqual([{ topic: 'orders', queue: 1, group: 'billing', ...gate }]);
    expect(warnings).toEqual([
      expect.stringMatching(
        `orders/billing: queue 1 is not read yet: message groups "${MOVES}" have parked lanes in queue 0.*resumeLane`,
      ),
    ]);
    expect(await gateShown()).toEqual(gate);
    await bed.advance(10 * 60_000);
    expect(warnings).toHaveLength(2);

    broken = false;
    const lane = { queue: 0, lane: laneOfGroup(MOVES) };
    expect(await admin.resumeLane('orders', 'billing', lane)).toBe(true);
    await bed.advance(10_000);
    expect(seen).toEqual(['s1', 's2', 'breaks', 'm2']);
    expect(await gateShown()).toBeNull();
  });

  it('says that it waits for a delayed message, and goes on once that was handled, or is cancelled', async () => {
    const { messageId } = await send(MOVES, 'tomorrow', { delayMs: 86_400_000 });
    await send(MOVES, 'soon', { delayMs: 5_000 });
    await admin.alterTopic('orders', { queues: 2 });
    await sendAnew(MOVES, 'm2');
    await bed.advance(10_000);
    expect(seen).toEqual(['soon']);
    const gate = { behind: 0, waitsFor: 'scheduled', messageGroups: [] };
    expect(gates.at(-1)).toEqual({ topic: 'orders', queue: 1, group: 'billing', ...gate });
    expect(warnings.at(-1)).toMatch(/queue 1 is not read yet: delayed messages wait in queue 0/);
    expect(await gateShown()).toEqual(gate);
    expect(await admin.cancelScheduled('orders', messageId)).toBe(true);
    await bed.advance(2_000);
    expect(seen).toEqual(['soon', 'm2']);
  });

  it('gets a message whose confirm was lost once, in its order, when the topic grew before it was asked for', async () => {
    const { log } = bed.stores;
    const append = log.append.bind(log);
    let isFirst = true;
    log.append = async (call) => {
      if (!isFirst) return append(call);
      isFirst = false;
      // Stored; then the topic grows, and only then the producer misses the reply.
      await append(call);
      await admin.alterTopic('orders', { queues: 2 });
      bed.stores.loseReplies(1);
      return append(call);
    };
    const sending = [send(MOVES, '1')];
    await bed.advance(100);
    sending.push(send(MOVES, '2'), send(MOVES, '3'));
    await bed.advance(10_000);
    expect(await Promise.all(sending)).toMatchObject([{ queue: 0 }, { queue: 1 }, { queue: 1 }]);
    expect(seen).toEqual(['1', '2', '3']);
  });

  it('reads a queue that was added although the note of that was lost', async () => {
    bed.stores.topics.grown = () => Promise.resolve(new Map());
    await admin.alterTopic('orders', { queues: 2 });
    await sendAnew(MOVES, 'm1');
    await bed.advance(62_000);
    expect(seen).toEqual(['m1']);
  });
});
