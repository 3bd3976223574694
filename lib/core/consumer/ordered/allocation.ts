import { murmur2 } from '../../message/murmur2.js';
import { describeValue } from '../../message/options.js';

/** What an allocation strategy may look at. Every member sees the same, so all of them come to the same answer. */
export interface Sharing {
  /** Queue numbers, ascending. */
  readonly queues: readonly number[];
  /** Living members of the group, sorted. */
  readonly members: readonly string[];
  /** Who owns what at the moment; a queue that nobody owns is missing. */
  readonly owners: ReadonlyMap<number, string>;
}

/** Which member each queue should belong to. A queue that it leaves out is consumed by nobody. */
export type AllocationStrategy = (sharing: Sharing) => ReadonlyMap<number, string>;

/** Equal shares that differ by one at most, with as few moves as possible: who owns a queue keeps it. */
export const allocateSticky: AllocationStrategy = ({ queues, members, owners }) => {
  const share = new Map<number, string>();
  if (members.length === 0) return share;
  const owned = new Map(members.map((member): [string, number[]] => [member, []]));
  for (const queue of queues) owned.get(owners.get(queue) ?? '')?.push(queue);

  // Who has most keeps one more than the others, if the shares cannot be equal.
  const byWealth = [...members].sort((a, b) => owned.get(b)!.length - owned.get(a)!.length);
  const least = Math.floor(queues.length / members.length);
  const richer = queues.length % members.length;
  const room = new Map(byWealth.map((member, i) => [member, i < richer ? least + 1 : least]));
  const give = (queue: number, member: string): void => {
    share.set(queue, member);
    room.set(member, room.get(member)! - 1);
  };
  for (const [member, its] of owned)
    for (const queue of its) if (room.get(member)! > 0) give(queue, member);
  for (const queue of queues) {
    if (share.has(queue)) continue;
    give(
      queue,
      members.find((member) => room.get(member)! > 0)!,
    );
  }
  return share;
};

/** Runs of neighbours; the first members get one more. RocketMQ's AVG. */
export const allocateAveragely: AllocationStrategy = ({ queues, members }) => {
  const least = Math.floor(queues.length / members.length);
  const richer = queues.length % members.length;
  return byPlace(queues, (i) => {
    const inRicher = Math.floor(i / (least + 1));
    return members[
      inRicher < richer ? inRicher : richer + Math.floor((i - richer * (least + 1)) / least)
    ];
  });
};

/** One after the other, in turns. RocketMQ's AVG_BY_CIRCLE. */
export const allocateByCircle: AllocationStrategy = ({ queues, members }) =>
  byPlace(queues, (i) => members[i % members.length]);

const VIRTUAL_NODES = 10;

/** Each queue goes to the next member on a ring: a member that comes or goes moves its own share only. */
export const allocateConsistentHash: AllocationStrategy = ({ queues, members }) => {
  const ring = members
    .flatMap((member) =>
      Array.from({ length: VIRTUAL_NODES }, (_, i) => ({ member, at: placeOf(`${member}-${i}`) })),
    )
    .sort((a, b) => a.at - b.at);
  return byPlace(queues, (i) => {
    const at = placeOf(`queue ${queues[i]}`);
    return (ring.find((node) => node.at >= at) ?? ring[0])?.member;
  });
};

/** Everything belongs to one member; the others wait for it to go. */
export const allocateToOne: AllocationStrategy = ({ queues, members, owners }) => {
  const owner = queues
    .map((queue) => owners.get(queue))
    .find((name) => name && members.includes(name));
  return byPlace(queues, () => owner ?? members[0]);
};

function byPlace(
  queues: readonly number[],
  memberAt: (place: number) => string | undefined,
): Map<number, string> {
  const share = new Map<number, string>();
  queues.forEach((queue, i) => {
    const member = memberAt(i);
    if (member !== undefined) share.set(queue, member);
  });
  return share;
}

function placeOf(text: string): number {
  return murmur2(Buffer.from(text)) >>> 0;
}

const NAMED = {
  sticky: allocateSticky,
  averagely: allocateAveragely,
  'averagely-by-circle': allocateByCircle,
  'consistent-hash': allocateConsistentHash,
  'single-active': allocateToOne,
} satisfies Record<string, AllocationStrategy>;

/**
 * How the queues of an ordered subscription are shared. `{ queues }`: exactly these are this process's, RocketMQ's
 * CONFIG; what nobody names is consumed by nobody.
 */
export type Allocation = keyof typeof NAMED | { queues: readonly number[] } | AllocationStrategy;

export function allocationProblem(allocation: unknown): string | undefined {
  if (allocation === undefined || typeof allocation === 'function') return undefined;
  if (typeof allocation === 'string' && Object.hasOwn(NAMED, allocation)) return undefined;
  if (typeof allocation === 'object' && allocation !== null && 'queues' in allocation) {
    const { queues } = allocation;
    const isQueue = (queue: unknown): boolean => Number.isInteger(queue) && (queue as number) >= 0;
    if (Array.isArray(queues) && queues.every(isQueue)) return undefined;
  }
  const names = Object.keys(NAMED).map((name) => `"${name}"`);
  return `allocation must be one of ${names.join(', ')}, { queues: [numbers] } or a function, got: ${describeValue(allocation)}`;
}

export function allocationStrategy(allocation: Allocation, member: string): AllocationStrategy {
  if (typeof allocation === 'function') return allocation;
  if (typeof allocation === 'string') return NAMED[allocation];
  const wanted = new Set(allocation.queues);
  return ({ queues }) =>
    new Map(queues.filter((queue) => wanted.has(queue)).map((queue) => [queue, member]));
}
