import { TestBed } from '../../../../lib/testing/test-bed.js';

const QUEUES = 40;
const MEMBERS = 20;
/** They come and go within so long. */
const WITHIN_MS = 30_000;
const REBALANCE_DELAY_MS = 10_000;
const SETTINGS = { heartbeatMs: 5_000, deadAfterMs: 15_000 };
const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;

interface Move {
  queue: number;
  member: number;
  at: number;
}

describe('twenty members that join within thirty seconds, and half of them that leave', () => {
  it('move hardly more queues than they must, and none twice within the delay', async () => {
    const first = await TestBed.open({ settings: SETTINGS });
    await first.stores.topics.declare('orders', { queues: QUEUES });
    const beds: TestBed[] = [];
    const acquired: Move[] = [];
    const released: Move[] = [];
    const join = async (): Promise<void> => {
      const bed = beds.length === 0 ? first : await first.sibling({ settings: SETTINGS });
      const member = beds.push(bed) - 1;
      const note = (moves: Move[]) => (facts: { queue: number }) =>
        void moves.push({ queue: facts.queue, member, at: first.clock.monotonic() });
      bed.rivulet.events.on('queue-acquired', note(acquired));
      bed.rivulet.events.on('queue-released', note(released));
      await bed.subscribe({ ...BILLING, handler: () => undefined });
    };
    const settle = (): Promise<void> => first.advance(120_000);
    for (let i = 0; i < MEMBERS; i++) {
      await join();
      await first.advance(WITHIN_MS / MEMBERS);
    }
    await settle();
    // Whoever was there first had all of them, and keeps its share.
    const share = QUEUES / MEMBERS;
    const movesToJoin = acquired.length - QUEUES;
    expect(movesToJoin).toBeGreaterThanOrEqual(QUEUES - share);
    expect(movesToJoin).toBeLessThanOrEqual((QUEUES - share) * 1.1);

    const owns = (member: number): number =>
      acquired.filter((move) => move.member === member).length -
      released.filter((move) => move.member === member).length;
    const before = acquired.length;
    // What those have who leave, some of it from others who left: who stays gives nothing away.
    let needed = 0;
    for (let member = MEMBERS / 2; member < MEMBERS; member++) {
      needed += owns(member);
      await beds[member]!.close();
      await first.advance(WITHIN_MS / MEMBERS);
    }
    await settle();
    const movesToLeave = acquired.length - before;
    expect(movesToLeave).toBeGreaterThanOrEqual(needed);
    expect(movesToLeave).toBeLessThanOrEqual(needed * 1.1);

    const stays = released.filter(({ member }) => member < MEMBERS / 2);
    for (let queue = 0; queue < QUEUES; queue++) {
      const times = stays.filter((move) => move.queue === queue).map(({ at }) => at);
      const pauses = times.slice(1).map((at, i) => at - times[i]!);
      for (const pauseMs of pauses) expect(pauseMs).toBeGreaterThanOrEqual(REBALANCE_DELAY_MS);
    }
    const owned = Array.from({ length: MEMBERS / 2 }, (_, member) => owns(member));
    expect(owned).toEqual(Array(MEMBERS / 2).fill(QUEUES / (MEMBERS / 2)));
    for (const bed of beds.slice(0, MEMBERS / 2)) await bed.close();
  });
});
