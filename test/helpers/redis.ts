import {
  findRedis,
  HOW_TO_INSTALL,
  type RedisOptions,
  type RunningRedis,
  startRedis as start,
} from '../../tools/with-redis.mjs';
import { connectAsLeastUser, expectNoRefusals, isLeast, leastUser } from './least-user.js';

export type TestRedis = RunningRedis;

/** A private server for one test file: own folder, free port, no persistence unless asked for. */
export async function startRedis(options?: RedisOptions): Promise<TestRedis> {
  const binary = findRedis();
  if (!binary) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);
  if (!isLeast) return start(binary, options);
  connectAsLeastUser();
  const server = await start(binary, {
    ...options,
    args: [...leastUser(), ...(options?.args ?? [])],
  });
  const { stop } = server;
  server.stop = async () => {
    try {
      await expectNoRefusals(server.url);
    } finally {
      await stop();
    }
  };
  return server;
}
