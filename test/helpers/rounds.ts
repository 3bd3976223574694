import type { Rivulet } from '../../lib/core/rivulet.js';
import type { Fleet } from './fleet.js';

/**
 * Sends `g0:1`, `g1:1` …, one message of each message group, then `g0:2` and so on. A round begins when half of the one
 * before is handled: what happens meanwhile has messages of every group before it and behind it.
 *
 * @returns how many messages were sent and confirmed.
 */
export async function sendInRounds(options: {
  producers: readonly Rivulet[];
  fleet: Fleet;
  groups: number;
  rounds: number;
}): Promise<number> {
  const { producers, fleet, groups, rounds } = options;
  let sent = 0;
  for (let n = 1; n <= rounds; n++) {
    await fleet.whenHandled((n - 1.5) * groups);
    await Promise.all(
      Array.from({ length: groups }, async (_, group) => {
        const { producer } = producers[group % producers.length]!;
        await producer.send('orders', {}, { key: `g${group}:${n}`, messageGroup: `g${group}` });
        sent += 1;
      }),
    );
  }
  return sent;
}
