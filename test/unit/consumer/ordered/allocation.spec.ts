import {
  allocateAveragely,
  allocateByCircle,
  allocateConsistentHash,
  allocateSticky,
  allocateToOne,
  type AllocationStrategy,
} from '../../../../lib/core/consumer/ordered/allocation.js';

const queues = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const members = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i + 1}`);
const shares = (
  allocate: AllocationStrategy,
  count: number,
  names: string[],
  owners: ReadonlyMap<number, string> = new Map(),
): number[][] => {
  const share = allocate({ queues: queues(count), members: names, owners });
  return names.map((name) => [...share].filter(([, owner]) => owner === name).map(([q]) => q));
};

const ALL = { allocateSticky, allocateAveragely, allocateByCircle, allocateConsistentHash };

describe.each(Object.entries({ ...ALL, allocateToOne }))('%s', (_, allocate) => {
  it('gives each queue to exactly one living member, whoever asks', () => {
    for (let q = 0; q <= 12; q++)
      for (let m = 1; m <= 5; m++) {
        const share = allocate({ queues: queues(q), members: members(m), owners: new Map() });
        expect([...share.keys()].sort((a, b) => a - b)).toEqual(queues(q));
        for (const owner of share.values()) expect(members(m)).toContain(owner);
      }
  });

  it('gives nothing when nobody is there', () => {
    expect(allocate({ queues: queues(4), members: [], owners: new Map() }).size).toBe(0);
  });
});

describe('allocateAveragely', () => {
  // RocketMQ's AllocateMessageQueueAveragely: neighbours together, the first members get one more.
  it('gives runs of neighbours', () => {
    expect(shares(allocateAveragely, 7, members(3))).toEqual([
      [0, 1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(shares(allocateAveragely, 2, members(3))).toEqual([[0], [1], []]);
    expect(shares(allocateAveragely, 6, members(3))).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
  });
});

describe('allocateByCircle', () => {
  it('gives in turns', () => {
    expect(shares(allocateByCircle, 5, members(2))).toEqual([
      [0, 2, 4],
      [1, 3],
    ]);
  });
});

describe('allocateConsistentHash', () => {
  it('moves only what a member that leaves had', () => {
    const before = shares(allocateConsistentHash, 64, members(4));
    const after = shares(allocateConsistentHash, 64, members(3));
    for (const [i, its] of after.entries()) expect(its).toEqual(expect.arrayContaining(before[i]!));
  });
});

describe('allocateToOne', () => {
  it('leaves everything with its owner as long as that lives', () => {
    const owners = new Map([[1, 'm2']]);
    expect(shares(allocateToOne, 3, members(3), owners)).toEqual([[], [0, 1, 2], []]);
    expect(shares(allocateToOne, 3, ['m1', 'm3'], owners)).toEqual([[0, 1, 2], []]);
  });
});

describe('allocateSticky', () => {
  it('shares evenly, to one queue', () => {
    for (let q = 1; q <= 12; q++)
      for (let m = 1; m <= 5; m++) {
        const sizes = shares(allocateSticky, q, members(m)).map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
  });

  it('moves as little as possible, however members come and go', () => {
    const names = members(20);
    let present: string[] = [];
    let owners = new Map<number, string>();
    let moves = 0;
    let needed = 0;
    for (const step of [...names, ...names]) {
      present = present.includes(step)
        ? present.filter((name) => name !== step)
        : [...present, step].sort();
      if (present.length === 0) break;
      const next = allocateSticky({ queues: queues(32), members: present, owners });
      const moved = queues(32).filter((q) => owners.has(q) && owners.get(q) !== next.get(q));
      const orphans = queues(32).filter((q) => !present.includes(owners.get(q) ?? ''));
      const newcomer = [...next.values()].filter((owner) => owner === step).length;
      moves += moved.length;
      needed += Math.max(orphans.filter((q) => owners.has(q)).length, newcomer);
      owners = new Map(next);
    }
    expect(moves).toBeLessThanOrEqual(needed * 1.1);
  });

  it('changes nothing when nothing changed', () => {
    const before = allocateSticky({ queues: queues(7), members: members(3), owners: new Map() });
    const after = allocateSticky({ queues: queues(7), members: members(3), owners: before });
    expect(new Map([...after].sort())).toEqual(new Map([...before].sort()));
  });
});
