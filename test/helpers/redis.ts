import {
  findRedis,
  HOW_TO_INSTALL,
  type RedisOptions,
  type RunningRedis,
  startRedis as start,
} from '../../tools/with-redis.mjs';
import { expectNoRefusals } from './least-user/refusals.js';

export type TestRedis = RunningRedis;

/** A private server for one test file: own folder, free port, no persistence unless asked for. */
export async function startRedis(options?: RedisOptions): Promise<TestRedis> {
  const binary = findRedis();
  if (!binary) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);
  return expectNoRefusals(await start(binary, options));
}
