import { QueueFaultedError, StoreRefusedError } from '../core/message/errors.js';
import type { GroupQueue } from '../core/store/delivery-store.js';

/** A group that is gone is a fault of the queue, as it is for other readers. */
export async function orFault<Reply = unknown[]>(
  { topic, queue, group }: GroupQueue,
  call: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await call();
  } catch (error) {
    const reason = error instanceof StoreRefusedError ? error.reason : undefined;
    if (reason !== 'NOGROUP' && reason !== 'WRONGTYPE') throw error;
    const fault = reason === 'NOGROUP' ? 'no-group' : 'wrong-type';
    throw new QueueFaultedError(
      `Queue ${topic}/${queue} cannot be read: ${
        fault === 'no-group'
          ? `consumer group "${group}" is gone there, or the whole queue is: it was deleted or flushed`
          : 'one of its keys holds something else'
      }. Other queues are not affected`,
      { topic, queue, fault },
      { cause: error },
    );
  }
}
