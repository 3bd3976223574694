import { Redis } from 'ioredis';
import { refusals } from '../../redis/helpers/acl.js';
import { NAME } from './rights.mjs';

/** With RIVULET_ACL=1 every process of a test run connects as the user of docs/redis.acl (global-setup.mjs). */
const isLeast = process.env['RIVULET_ACL'] === '1';

/** When this server stops, it must not have refused the library anything. */
export function expectNoRefusals<T extends { url: string; stop(): Promise<void> }>(server: T): T {
  if (!isLeast) return server;
  const { url, stop } = server;
  const stopped = async (): Promise<void> => {
    try {
      await check(url);
    } finally {
      await stop();
    }
  };
  return Object.assign(server, { stop: stopped });
}

async function check(url: string): Promise<void> {
  const redis = new Redis(url, {
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    socketTimeout: 2_000, // it may be frozen
  });
  redis.on('error', () => {});
  // A server that was killed, or wants a password, cannot be asked.
  const refused = await refusals(redis).catch(() => []);
  redis.disconnect();
  const ofLibrary = refused.filter((line) => line.startsWith(`${NAME}:`));
  if (ofLibrary.length > 0) throw new Error(`Redis refused: ${ofLibrary.join('; ')}`);
}
