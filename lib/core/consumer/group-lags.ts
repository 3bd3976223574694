import type { LagReading } from '../runtime/telemetry.js';
import type { DeliveryStore, GroupLag } from '../store/delivery-store.js';
import { queuesOf } from '../store/refs.js';
import type { RunningSubscription } from './running-subscription.js';

/** How far the groups of these subscriptions are behind. Broadcasts have no group. @throws when the store does not answer. */
export async function groupLags(
  running: readonly RunningSubscription[],
  tools: {
    deliveries: Pick<DeliveryStore, 'lag'>;
    topics: { get(topic: string): Promise<{ queues: number }> };
  },
): Promise<LagReading[]> {
  const read = async (topic: string, group: string): Promise<LagReading> => {
    const { queues } = await tools.topics.get(topic);
    return groupLag({ topic, group }, { deliveries: tools.deliveries, queues });
  };
  return Promise.all(
    running
      .filter(({ subscription, isStarted }) => isStarted && subscription.mode === 'clustering')
      .flatMap((each) => each.topics.map((topic) => read(topic, each.subscription.group))),
  );
}

/** Over all queues of the topic. @throws when the store does not answer. */
export async function groupLag(
  { topic, group }: { topic: string; group: string },
  { deliveries, queues }: { deliveries: Pick<DeliveryStore, 'lag'>; queues: number },
): Promise<LagReading> {
  const refs = queuesOf({ topic, queues });
  const lags = await Promise.all(refs.map((ref) => deliveries.lag({ ...ref, group })));
  return {
    topic,
    group,
    lag: sum(lags, ({ undelivered, inFlight, waiting, held }) =>
      undelivered === null ? null : undelivered + inFlight + waiting + held,
    ),
    deadLetters: sum(lags, ({ deadLetters }) => deadLetters)!,
  };
}

/** Null when one of them cannot be told. */
function sum(lags: readonly GroupLag[], of: (lag: GroupLag) => number | null): number | null {
  return lags.reduce<number | null>((total, lag) => {
    const count = of(lag);
    return total === null || count === null ? null : total + count;
  }, 0);
}
