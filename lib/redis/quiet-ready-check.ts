import type { Redis } from 'ioredis';
import { refusalReason } from './errors.js';

type Info = (this: Redis, ...args: unknown[]) => Promise<unknown>;

/**
 * Before a connection counts as ready, ioredis asks INFO whether the server is still loading. Where the user may not ask that
 * any more, it writes so to the console, for each connection, past every logger, and goes on as if nothing were loading. Here it
 * goes on without a word: `HealthWatch` tells that the health cannot be watched any more.
 */
export function quietReadyCheck(client: Redis): void {
  const info = client.info as Info;
  const quiet: Info = (...args) => {
    const [answered] = args;
    // Whoever is no ready check waits for a promise.
    if (typeof answered !== 'function') return info.apply(client, args);
    return info.call(client, (error: Error | null, text: unknown) =>
      refusalReason(error) === 'NOPERM' ? answered(null, {}) : answered(error, text),
    );
  };
  client.info = quiet as Redis['info'];
}
