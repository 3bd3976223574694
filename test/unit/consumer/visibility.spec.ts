import type { Attempt } from '../../../lib/core/consumer/attempt.js';
import { Visibility } from '../../../lib/core/consumer/visibility.js';
import type { DeliveryStore } from '../../../lib/core/store/delivery-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const REF = { topic: 'orders', queue: 0, group: 'billing' };
const RENEW_MS = 10_000;

function attempt(offset: string): Attempt {
  return { entry: { offset, deliveryCount: 1 }, startedAt: 0, ended: false } as unknown as Attempt;
}

describe('Visibility', () => {
  it('takes for lost what the store does not know, and not what was settled while it was asked', async () => {
    const clock = new ManualClock(0);
    const [lost, settled] = [attempt('1-0'), attempt('2-0')];
    const told: string[] = [];
    const deliveries = {
      renew: () => {
        Object.assign(settled, { ended: true });
        return Promise.resolve({ lost: ['1-0', '2-0'], released: 0 });
      },
    } as unknown as DeliveryStore;
    const visibility = new Visibility({
      ...{ refs: [REF], consumer: 'me', deliveries, clock, renewMs: RENEW_MS },
      swallowedAfterMs: 5_000,
      inHand: () => [lost, settled].filter(({ ended }) => !ended),
      heldBesides: () => [],
      onLost: ({ entry }) => told.push(entry.offset),
      onReleased: () => {},
      onError: (error) => {
        throw error;
      },
    });
    visibility.start();
    await clock.advance(RENEW_MS);
    expect(told).toEqual(['1-0']);
    await visibility.stop();
  });
});
