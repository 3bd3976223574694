import type { EventEmitter } from 'node:events';

const HEARD = new WeakSet<object>();

/**
 * A pool of `pg`, or a connection of it, whose back end is killed ends the process, if nobody listens. The pool drops it.
 *
 * A connection is listened to as it is handed out: what is read together with the greeting is told before whoever waits for a
 * promise of it can listen. Safe to repeat.
 */
export function keepAlive(pool: EventEmitter): void {
  if (HEARD.has(pool)) return;
  HEARD.add(pool);
  if (pool.listenerCount('error') === 0) pool.on('error', () => undefined);
  pool.on('acquire', (connection: EventEmitter) => {
    if (HEARD.has(connection)) return;
    HEARD.add(connection);
    connection.on('error', () => undefined);
  });
}
