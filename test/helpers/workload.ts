import { setTimeout as pause } from 'node:timers/promises';
import type { Delivery } from '../../lib/core/consumer/subscription.js';
import type { SendOptions } from '../../lib/core/message/message.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { RivuletEventName, RivuletEvents } from '../../lib/core/runtime/events.js';
import type { RivuletSettingsInput } from '../../lib/core/settings.js';
import type { RedisConnection } from '../../lib/redis/connection-options.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';

/** Short, so that a test need not wait for what takes seconds in life. */
export const IMPATIENT: RivuletSettingsInput = {
  heartbeatMs: 200,
  deadAfterMs: 1_000,
  consumer: { blockMs: 500, renewMs: 500, swallowedAfterMs: 1_500, quarantineMs: 500 },
};

/** A process of an application, as far as Redis can tell: its own connections and name. */
export function connect(
  connection: RedisConnection,
  namespace: string,
  settings: RivuletSettingsInput = IMPATIENT,
): Rivulet {
  const stores = new RedisStores({ connection, namespace, blockMs: 500 });
  return new Rivulet({ stores, settings });
}

/** What a handler got, by the key of the message. */
export class Handled {
  readonly times = new Map<string, number>();
  private readonly waiting: { keys: Set<string>; resolve(): void }[] = [];

  note({ message }: Pick<Delivery, 'message'>): void {
    const key = message.key ?? '?';
    this.times.set(key, (this.times.get(key) ?? 0) + 1);
    for (const waiter of this.waiting) {
      waiter.keys.delete(key);
      if (waiter.keys.size === 0) waiter.resolve();
    }
  }

  /** Resolves when each of these was handled at least once. */
  all(keys: Iterable<string>): Promise<void> {
    const left = new Set([...keys].filter((key) => !this.times.has(key)));
    if (left.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ keys: left, resolve }));
  }

  missing(keys: Iterable<string>): string[] {
    return [...keys].filter((key) => !this.times.has(key));
  }

  get repeated(): number {
    return [...this.times.values()].filter((times) => times > 1).length;
  }
}

/** Rejects, naming what did not happen, instead of letting a test run into its time limit. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** How often each of these events was emitted so far. */
export function countEvents<N extends RivuletEventName>(
  rivulet: Rivulet,
  ...names: N[]
): Record<N, RivuletEvents[N][]> {
  const seen = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    N,
    RivuletEvents[N][]
  >;
  for (const name of names) rivulet.events.on(name, (facts) => void seen[name].push(facts));
  return seen;
}

/** Sends with the keys `<prefix>0`, `<prefix>1` … to the queues in turn. @returns the keys that are confirmed. */
export async function publishMany(
  rivulet: Rivulet,
  count: number,
  options: { topic?: string; prefix?: string } & Pick<
    SendOptions,
    'timeoutMs' | 'delayMs' | 'queue'
  > = {},
): Promise<string[]> {
  const { topic = 'orders', prefix = 'm', ...sendOptions } = options;
  const keys = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  const sends = keys.map(async (key) => {
    await rivulet.producer.send(topic, { key }, { key, ...sendOptions });
    return key;
  });
  const settled = await Promise.allSettled(sends);
  return settled.flatMap((send) => (send.status === 'fulfilled' ? [send.value] : []));
}

/** What is stored tells nobody when it changes: it is asked until it is so. */
export async function whenStored(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(20);
}

/** What is left of the lag of a group that does not get to zero within a minute. */
export async function lagLeft(
  rivulet: Rivulet,
  { topic, group }: { topic: string; group: string },
): Promise<number | null> {
  const admin = new MessageAdmin({ rivulet });
  const until = performance.now() + 60_000;
  for (;;) {
    const { lag } = (await admin.describeGroup(topic, group)).total;
    if (lag === 0 || performance.now() > until) return lag;
    await pause(100);
  }
}

export async function whenAllSettled(
  { topics, stores }: Rivulet,
  of: { topic: string; group: string },
): Promise<void> {
  const { queues } = await topics.get(of.topic);
  for (let queue = 0; queue < queues; queue++)
    await whenStored(async () => {
      const { undelivered, inFlight, waiting } = await stores.deliveries.lag({ ...of, queue });
      return (undelivered ?? 0) + inFlight + waiting === 0;
    });
}
