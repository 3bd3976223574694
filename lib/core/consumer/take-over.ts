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

/** Take back what a dead consumer held in these queues. Safe to repeat. */
export async function takeOver(
  consumer: string,
  refs: readonly GroupQueue[],
  { deliveries, events, logger }: TakeOverTools,
): Promise<TakeOverReport> {
  const report: TakeOverReport = { taken: 0, isComplete: true };
  await eachQueue(refs, {
    visit: async (ref) => {
      const count = await reclaimAll(consumer, ref, deliveries);
      if (count === 0) return;
      report.taken += count;
      const { topic, queue, group } = ref;
      events.emit('reclaimed', { topic, queue, group, consumer, count });
      logger.warn(
        `${topic}/${group}: consumer ${consumer} fell silent; its ${count} deliveries in queue ${queue} are handed out again.`,
      );
    },
    onRefusal: (error, { topic, queue, group }) => {
      report.isComplete = false;
      logger.warn(
        `${topic}/${group}: could not take over what consumer ${consumer} held in queue ${queue}: ${tryingAgain(error)}`,
      );
    },
  });
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
