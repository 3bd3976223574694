import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { DeliveryStore, GroupQueue } from '../store/delivery-store.js';
import { eachQueue } from './each-queue.js';
import { tryingAgain } from './outcome.js';

export interface TakeOverTools {
  deliveries: DeliveryStore;
  events: Events;
  logger: Logger;
}

const MOST_PER_CALL = 200;

/** `isComplete`: nothing is left in these queues. */
export interface TakeOverReport {
  taken: number;
  isComplete: boolean;
}

/** Take back what a dead consumer held in these queues. Safe to repeat. Says so once for each group. */
export async function takeOver(
  consumer: string,
  refs: readonly GroupQueue[],
  { deliveries, events, logger }: TakeOverTools,
): Promise<TakeOverReport> {
  const report: TakeOverReport = { taken: 0, isComplete: true };
  const told = new Map<string, { count: number; queues: number[] }>();
  try {
    await eachQueue(refs, {
      visit: async (ref) => {
        const count = await reclaimAll(consumer, ref, deliveries);
        if (count === 0) return;
        report.taken += count;
        const { topic, queue, group } = ref;
        events.emit('reclaimed', { topic, queue, group, consumer, count });
        const known = told.get(`${topic}/${group}`) ?? { count: 0, queues: [] };
        told.set(`${topic}/${group}`, {
          count: known.count + count,
          queues: [...known.queues, queue],
        });
      },
      onRefusal: (error, { topic, queue, group }) => {
        report.isComplete = false;
        logger.warn(
          `${topic}/${group}: could not take over what consumer ${consumer} held in queue ${queue}: ${tryingAgain(error)}`,
        );
      },
    });
  } finally {
    // Also of a round that a lost connection cut short: what was taken by then was taken.
    for (const [where, { count, queues }] of told)
      logger.warn(
        `${where}: consumer ${consumer} fell silent; of what it held, ${count} in ${queues.length === 1 ? 'queue' : 'queues'} ${queues.join(', ')} ${count === 1 ? 'is' : 'are'} handed out again.`,
      );
  }
  return report;
}

/** Whatever the consumer holds in this queue waits again for anybody. @returns how many deliveries. */
export async function reclaimAll(
  consumer: string,
  ref: GroupQueue,
  deliveries: DeliveryStore,
): Promise<number> {
  let count = 0;
  for (let left = 1; left > 0;) {
    const reply = await deliveries.reclaim(ref, consumer, MOST_PER_CALL);
    count += reply.taken;
    left = reply.taken > 0 ? reply.left : 0;
  }
  return count;
}
