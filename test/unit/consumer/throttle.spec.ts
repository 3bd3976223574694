import { Throttle } from '../../../lib/core/consumer/throttle.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

const LIMIT = { max: 5, perMs: 3_600_000 };
const OF = { topic: 'orders', group: 'billing' };

describe('Throttle', () => {
  it('uses no token that it has had for long: others may have waited for it', async () => {
    const clock = new ManualClock();
    const { rates } = new MemoryStores({ clock });
    const throttle = new Throttle({ rates, of: OF, limit: LIMIT, clock, onError: fail });
    throttle.want(3);
    await clock.settle();
    expect(throttle.mayStart).toBe(true);
    throttle.use();
    await clock.advance(1_000);
    expect(throttle.mayStart).toBe(true);
    await clock.advance(1);
    expect(throttle.mayStart).toBe(false);
    throttle.want(2);
    await clock.settle();
    expect(throttle.mayStart).toBe(true);
    throttle.stop();
  });
});

function fail(error: unknown): void {
  throw error;
}
