import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { DeliveryStore, GroupQueue } from '../store/delivery-store.js';

export interface TakeOverTools {
  deliveries: DeliveryStore;
  events: Events;
  logger: Logger;
}

const MOST_PER_CALL = 200;

/** Take back what a dead consumer held in these queues. @returns how many deliveries, per queue. */
export async function takeOver(
  consumer: string,
  refs: readonly GroupQueue[],
  tools: TakeOverTools,
): Promise<Map<GroupQueue, number>> {
  const taken = new Map<GroupQueue, number>();
  for (const ref of refs) {
    let count = 0;
    for (let left = 1; left > 0;) {
      const reply = await tools.deliveries.reclaim(ref, consumer, MOST_PER_CALL);
      count += reply.taken;
      left = reply.taken > 0 ? reply.left : 0;
    }
    if (count === 0) continue;
    taken.set(ref, count);
    const { topic, queue, group } = ref;
    tools.events.emit('reclaimed', { topic, queue, group, consumer, count });
    tools.logger.warn(
      `${topic}/${group}: consumer ${consumer} fell silent; its ${count} deliveries in queue ${queue} are handed out again.`,
    );
  }
  return taken;
}
