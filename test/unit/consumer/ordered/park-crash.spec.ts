import { laneOfGroup } from '../../../../lib/core/consumer/ordered/lane-name.js';
import type { QueueLeaseStore } from '../../../../lib/core/store/queue-lease-store.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;
const QUEUE = { topic: 'orders', queue: 0, group: 'billing' };
const SETTINGS = { heartbeatMs: 1_000, deadAfterMs: 3_000, ordered: { laneBuffer: 3 } };
const LEASE_MS = 15_000;
/** What an owner asks of the store; all that it may die of. */
const CALLS = ['acquire', 'load', 'read', 'step', 'hold', 'stepHeld'] as const;
/** More calls than the first owner makes before it rests. */
const MOST_CALLS = 60;

describe.each(['before', 'after'] as const)('an owner that dies %s a call', (when) => {
  const beds: TestBed[] = [];
  const handled: string[] = [];
  let healed = false;
  afterEach(async () => {
    for (const bed of beds.splice(0)) await bed.close();
  });

  const join = async (bed: TestBed): Promise<void> => {
    beds.push(bed);
    await bed.subscribe({
      ...BILLING,
      retry: { maxAttempts: 1 },
      handler: ({ body }) => {
        if (body === 'x1' && !healed) throw new Error('broken');
        handled.push(body as string);
      },
    });
  };
  /** @returns what is held of the lane, by offset: none may stand there twice. */
  const heldOnce = async (bed: TestBed): Promise<string[]> => {
    const page = { from: 0, count: 100 };
    const entries = await bed.stores.leases.heldEntries(QUEUE, laneOfGroup('x'), page);
    const offsets = entries.map(({ offset }) => offset);
    expect(new Set(offsets).size).toBe(offsets.length);
    return offsets;
  };

  it('leaves a parked lane with all its messages once and in their order, whichever call it is', async () => {
    let deaths = 0;
    for (let nth = 1; nth < MOST_CALLS; nth++) {
      handled.length = 0;
      healed = false;
      const a = await TestBed.open({ settings: SETTINGS });
      await a.stores.topics.declare('orders', { queues: 1, retentionMs: 5_000 });
      const send = async (bed: TestBed, ...bodies: string[]): Promise<void> => {
        for (const body of bodies) await bed.publish('orders', body, { messageGroup: body[0]! });
      };
      await send(a, 'x1', 'y1', 'x2', 'x3', 'y2', 'x4', 'x5', 'x6');
      const hasDied = dieAt(a, nth, when);
      await join(a).catch(() => undefined);
      await a.advance(2_000);
      if (!hasDied()) break;
      deaths += 1;

      const b = await a.sibling({ settings: SETTINGS });
      await join(b);
      await b.advance(LEASE_MS + 5_000);
      expect(await heldOnce(b)).toHaveLength(6);
      await send(b, 'x7');
      await b.advance(100);
      b.crash();

      const c = await b.sibling({ settings: SETTINGS });
      await join(c);
      await c.advance(LEASE_MS + 5_000);
      // Held messages are copies: retention does not wait for them.
      expect(await c.stores.log.trim(QUEUE, 100)).toBe(9);
      expect(await heldOnce(c)).toHaveLength(7);
      healed = true;
      const resumption = { action: 'retry', note: '' } as const;
      expect(await c.stores.leases.resume(QUEUE, laneOfGroup('x'), resumption)).toBe(true);
      await send(c, 'x8');
      await c.advance(6_000);
      await send(c, 'x9');
      await c.advance(1_000);
      const of = (group: string): string[] => [
        ...new Set(handled.filter((body) => body.startsWith(group))),
      ];
      expect(of('x')).toEqual(Array.from({ length: 9 }, (_, i) => `x${i + 1}`));
      expect(handled.filter((body) => body.startsWith('x'))).toHaveLength(9);
      expect(of('y')).toEqual(['y1', 'y2']);
      expect(await c.stores.leases.heldLanes(QUEUE)).toEqual([]);
      for (const bed of beds.splice(0)) await bed.close();
    }
    expect(deaths).toBeGreaterThan(5);
    expect(deaths).toBeLessThan(MOST_CALLS - 1);
  });
});

/** The process dies with its nth call, which is carried out or not. */
function dieAt(bed: TestBed, nth: number, when: 'before' | 'after'): () => boolean {
  const leases: QueueLeaseStore = bed.stores.leases;
  let calls = 0;
  for (const name of CALLS) {
    const call = leases[name].bind(leases) as (...args: unknown[]) => Promise<unknown>;
    const dying = async (...args: unknown[]): Promise<unknown> => {
      const dies = ++calls === nth;
      if (dies && when === 'before') bed.crash();
      const reply = await call(...args);
      if (!dies) return reply;
      bed.crash();
      throw new Error('the process died');
    };
    Object.assign(leases, { [name]: dying });
  }
  return () => calls >= nth;
}
