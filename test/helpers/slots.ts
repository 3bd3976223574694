import { setTimeout as pass } from 'node:timers/promises';
import { Command, type Cluster, type Redis } from 'ioredis';
import type { TestRedis } from './redis.js';

/** The slot of a key. */
export function slotOf(key: string): number {
  return new Command('exists', [key]).getSlot();
}

/** The primary that has a slot, and another one. */
export async function ownersOf(
  operator: Cluster,
  slot: number,
): Promise<[owner: Redis, other: Redis]> {
  await new Promise<void>((resolve, reject) =>
    operator.refreshSlotsCache((error) => (error ? reject(error) : resolve())),
  );
  const has = operator.slots[slot]![0];
  const primaries = operator.nodes('master');
  const isOwner = ({ options }: Redis): boolean => `${options.host}:${options.port}` === has;
  return [primaries.find(isOwner)!, primaries.find((node) => !isOwner(node))!];
}

/**
 * The primary that has a slot, and a replica that follows it: by its own word, since a node that lags behind has others on
 * its map. Resolves once there is one.
 */
export async function pairOf(
  { nodes, operator }: { nodes: readonly TestRedis[]; operator: Cluster },
  slot: number,
): Promise<{ client: Redis; node: TestRedis; follower: TestRedis }> {
  for (;;) {
    const [client] = await ownersOf(operator, slot);
    const [role, , followers] = (await client.role()) as [string, unknown, [string, string][]];
    const node = nodes.find(({ port }) => port === client.options.port);
    const follower =
      role === 'master' && nodes.find(({ port }) => port === Number(followers[0]?.[1]));
    if (node && follower) return { client, node, follower };
    await pass(20);
  }
}

/**
 * Moves a slot to another primary as redis-cli does, key by key. `halfway` is awaited when half of the keys are there:
 * scripts that need keys of both sides are refused meanwhile.
 */
export async function moveSlot(
  operator: Cluster,
  slot: number,
  halfway: () => Promise<unknown> = async () => {},
): Promise<void> {
  const [from, to] = await ownersOf(operator, slot);
  const [fromId, toId] = await Promise.all(
    [from, to].map(async (node) => String(await node.call('CLUSTER', 'MYID'))),
  );
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId!);
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId!);
  const count = Number(await from.call('CLUSTER', 'COUNTKEYSINSLOT', slot));
  await moveKeys({ from, to, slot, count: Math.ceil(count / 2) });
  await halfway();
  while (await moveKeys({ from, to, slot, count: 100 }));
  // Both are told: until the others hear of it from them, they answer what was, also to who moves it next.
  await to.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId!);
  await from.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId!);
  const know = operator.nodes().map((node) => knowsOwner(node, slot, to.options.port!));
  await Promise.all(know);
}

async function knowsOwner(node: Redis, slot: number, port: number): Promise<void> {
  type Range = [from: number, to: number, owner: [host: string, port: number]];
  const isKnown = (ranges: Range[]): boolean =>
    ranges.some(([from, to, owner]) => from <= slot && slot <= to && owner[1] === port);
  while (!isKnown((await node.call('CLUSTER', 'SLOTS')) as Range[])) await pass(20);
}

/** @returns how many there were. */
async function moveKeys(move: {
  from: Redis;
  to: Redis;
  slot: number;
  count: number;
}): Promise<number> {
  const { from, to, slot, count } = move;
  const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, count)) as string[];
  const { host, port } = to.options;
  if (keys.length > 0) await from.call('MIGRATE', host!, port!, '', 0, 5_000, 'KEYS', ...keys);
  return keys.length;
}
