import { Lanes } from '../../../../lib/core/consumer/ordered/lanes.js';
import type { StoredEntry } from '../../../../lib/core/store/refs.js';

const entry = (n: number, bytes = 100): StoredEntry => ({
  ...{ topic: 'orders', queue: 0, offset: `1-${n}` },
  content: { kind: 'message', frame: Buffer.alloc(bytes), only: null },
});
const later = { attempt: 2, history: '', suspect: false };

/** A lane with `count` messages, its head ready. */
function started(count: number, options: { laneBytes?: number; laneBuffer?: number } = {}) {
  const lanes = new Lanes({ laneBuffer: 100, laneBytes: 1_000, ...options });
  for (let n = 0; n < count; n++) lanes.arrive('a', entry(n));
  const lane = lanes.find('a')!;
  lanes.choose(lane);
  lanes.makeReady(lane);
  return { lanes, lane };
}

/** All that is left runs, each asked for again where it must be. */
function runAll({ lanes, lane }: ReturnType<typeof started>): string[] {
  const ran: string[] = [];
  while (lane.head) {
    const { offset } = lane.head;
    lanes.makeReady(lane);
    if (lanes.absent.has(lane)) lanes.remember(lane, entry(Number(offset.slice(2))));
    ran.push(offset);
    lanes.advance(lane);
    lanes.choose(lane);
  }
  return ran;
}

describe('the bytes of lanes', () => {
  it('are those of head and followers, and none once all are handled', () => {
    const it = started(5);
    expect(it.lanes.bytes).toBe(500);
    expect(runAll(it)).toHaveLength(5);
    expect(it.lanes.bytes).toBe(0);
  });

  it('are none where the head waits, once somebody wants the room; then each comes again, in order', () => {
    const it = started(5);
    it.lanes.wait(it.lane, later);
    it.lanes.forgetWaiting();
    it.lanes.forgetWaiting();
    expect(it.lanes.bytes).toBe(0);
    expect(it.lane.head).toMatchObject({ offset: '1-0', attempt: 2 });
    expect(runAll(it)).toEqual(['1-0', '1-1', '1-2', '1-3', '1-4']);
    expect(it.lanes.bytes).toBe(0);
  });

  it('stay where the head is ready or under way', () => {
    const { lanes, lane } = started(5);
    lanes.forgetWaiting();
    lane.state = 'busy';
    lanes.forgetWaiting();
    expect(lanes.bytes).toBe(500);
  });

  it('of what follows in one lane are bounded; the first one always may follow', () => {
    const it = started(20, { laneBytes: 250 });
    expect(it.lanes.bytes).toBe(200);
    expect(runAll(it)).toHaveLength(20);
    expect(it.lanes.bytes).toBe(0);
    expect(started(3, { laneBytes: 1 }).lanes.bytes).toBe(100);
  });

  it('go with what is put aside, and with a lane that is parked', () => {
    const aside = started(6, { laneBuffer: 2 });
    expect(aside.lanes.takeArriving(aside.lane, 10)).toHaveLength(4);
    expect(aside.lanes.bytes).toBe(200);
    aside.lanes.peeked(aside.lane.hold!, [entry(2), entry(3)]);
    expect(aside.lanes.bytes).toBe(400);
    expect(aside.lanes.park(aside.lane)).toHaveLength(2);
    expect(aside.lanes.bytes).toBe(0);
  });
});
