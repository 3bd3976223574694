import { describeError } from '../core/consumer/outcome.js';
import { StoreUnavailableError } from '../core/message/errors.js';
import type { Clock } from '../core/runtime/clock.js';
import type { Rivulet } from '../core/rivulet.js';
import type { StoreHealth } from '../core/runtime/store-health.js';

/** How an instance is, asked now. */
export interface Health {
  /**
   * `down`: the store does not answer, refuses sends, or may lose messages without a word. `degraded`: it works, and
   * something in `store.problems` is worth a look.
   */
  status: 'up' | 'degraded' | 'down';
  /** Undefined when it did not answer; `error` says why. */
  store: StoreHealth | undefined;
  error: string | undefined;
  /** What the producer holds: messages and bytes without a confirm, and sends that wait for room. */
  producer: { messages: number; bytes: number; waiting: number };
  /** What this process consumes. */
  subscriptions: { topic: string; group: string }[];
}

/** Never rejects; a store that does not answer within `timeoutMs` (default 2 000) is down. */
export async function healthOf(
  rivulet: Rivulet,
  { timeoutMs = 2_000 }: { timeoutMs?: number },
): Promise<Health> {
  const { stores, producer, subscriptions } = rivulet;
  const facts = {
    producer: producer.held,
    subscriptions: subscriptions.map(({ topic, group }) => ({ topic: String(topic), group })),
  };
  try {
    const store = await within(timeoutMs, rivulet.clock, stores.health());
    const isDown = store.problems.some(({ level }) => level === 'error');
    const status = isDown ? 'down' : store.problems.length > 0 ? 'degraded' : 'up';
    return { status, store, error: undefined, ...facts };
  } catch (error) {
    return { status: 'down', store: undefined, error: describeError(error), ...facts };
  }
}

function within<T>(timeoutMs: number, clock: Clock, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () =>
      reject(new StoreUnavailableError(`The store did not answer within ${timeoutMs} ms`)),
    );
    work.finally(cancel).then(resolve, reject);
  });
}
