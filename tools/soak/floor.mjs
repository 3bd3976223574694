/**
 * What stands in Redis: keys that stay until somebody removes them, with their bytes, and keys that expire by themselves.
 * A server of our own, so it may be scanned.
 */
export async function floorOf(redis) {
  const floor = { stays: new Map(), expires: { keys: 0, bytes: 0 } };
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1_000);
    cursor = next;
    for (const key of keys) {
      const [ttl, bytes] = await Promise.all([
        redis.pttl(key),
        redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'),
      ]);
      if (ttl === -2) continue;
      if (ttl >= 0) {
        floor.expires.keys += 1;
        floor.expires.bytes += Number(bytes);
      } else floor.stays.set(key, Number(bytes));
    }
  } while (cursor !== '0');
  return floor;
}

export const bytesOf = ({ stays }) => [...stays.values()].reduce((sum, bytes) => sum + bytes, 0);

export async function usedMemory(redis) {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))[1]);
}
