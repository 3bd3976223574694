// The floor: ioredis with its defaults, four streams, nothing else.
import { Redis } from 'ioredis';
import { textAt } from './bodies.mjs';

export const STREAMS = ['raw:0', 'raw:1', 'raw:2', 'raw:3'];

export const connect = () => new Redis(process.env.REDIS_URL);

export const add = (redis, i, text = textAt(i)) => redis.xadd(STREAMS[i % 4], '*', 'b', text);

/** The group at the begin of each stream. */
export async function createGroup(redis) {
  for (const stream of STREAMS) await redis.xgroup('CREATE', stream, 'bench', '0', 'MKSTREAM');
}
