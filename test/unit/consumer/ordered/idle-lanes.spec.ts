import type { Lane } from '../../../../lib/core/consumer/ordered/lane.js';
import { Lanes } from '../../../../lib/core/consumer/ordered/lanes.js';

const MANY = 5_000;

describe('lanes with nothing in them', () => {
  let lanes: Lanes;
  let offsets = 0;
  beforeEach(() => (lanes = new Lanes({ laneBuffer: 100, laneBytes: 1_000 })));

  const bring = (name: string): Lane => {
    const offset = `1-${offsets++}`;
    return lanes.arrive(name, {
      ...{ topic: 'orders', queue: 0, offset },
      content: { kind: 'message', frame: Buffer.alloc(1), only: null },
    });
  };
  const arrive = (name: string): Lane => {
    const lane = bring(name);
    lanes.choose(lane);
    return lane;
  };
  const handle = (lane: Lane): void => {
    lanes.advance(lane);
    lanes.choose(lane);
  };

  it('are kept for what comes next in them', () => {
    const lane = arrive('a');
    handle(lane);
    expect(arrive('a')).toBe(lane);
  });

  it('are forgotten once there are many, and no others are', () => {
    const busy = Array.from({ length: 10 }, (_, i) => arrive(`busy-${i}`));
    lanes.restore(
      [],
      [{ lane: 'parked', state: 'parked', from: '0-1', count: 1, since: 0, note: '' }],
    );
    for (let i = 0; i < MANY; i++) handle(arrive(`group-${i}`));
    expect(lanes.values().length).toBeLessThan(MANY / 2);
    expect(busy.map(({ name }) => lanes.find(name))).toEqual(busy);
    expect(lanes.find('parked')?.hold).toMatchObject({ parked: true, count: 1 });
  });

  it('are forgotten once the queue is at rest, where others are not far more', () => {
    handle(arrive('a'));
    lanes.tidy();
    expect(lanes.find('a')).toBeUndefined();
    const busy = Array.from({ length: 10 }, (_, i) => arrive(`busy-${i}`));
    for (const name of ['a', 'b', 'c', 'd']) {
      handle(arrive(name));
      lanes.tidy();
    }
    expect(lanes.values().length).toBe(14);
    for (const lane of busy.slice(1)) handle(lane);
    lanes.tidy();
    expect(lanes.values()).toEqual([busy[0]]);
  });

  it('are not taken for those that are being loaded, which nobody has looked at yet', () => {
    const names = Array.from({ length: MANY }, (_, i) => `group-${i}`);
    const record = { offset: '9-9', attempt: 3, open: true, suspect: true, leftMs: 0, history: '' };
    lanes.restore(
      names.map((lane) => ({ lane, ...record })),
      [],
    );
    expect(names.every((name) => lanes.find(name)?.record?.attempt === 3)).toBe(true);
    lanes = new Lanes({ laneBuffer: 100, laneBytes: 1_000 });
    for (const name of names) bring(name);
    expect(names.every((name) => lanes.find(name)?.followers.length === 1)).toBe(true);
  });

  it('know nothing any more of a head that was never found', () => {
    const record = { offset: '9-9', attempt: 3, open: true, suspect: true, leftMs: 0, history: '' };
    lanes.restore([{ lane: 'a', ...record }], []);
    const lane = lanes.find('a')!;
    expect(lanes.choose(lane)).toBe(false);
    expect(lane.record).toBeUndefined();
  });
});
