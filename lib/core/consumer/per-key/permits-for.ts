import type { Clock } from '../../runtime/clock.js';
import type { Stores } from '../../store/stores.js';
import type { Subscription } from '../subscription.js';
import type { PermitsOptions } from './permits.js';

/** What the permits of a subscription are made of; undefined when it limits no keys. */
export function permitsFor(options: {
  subscription: Pick<Subscription, 'topic' | 'group' | 'concurrencyPer'>;
  stores: Pick<Stores, 'permits'>;
  member: string;
  timing: { claimLeaseMs: number };
  clock: Clock;
  onError(error: unknown): void;
}): Omit<PermitsOptions, 'capacity' | 'mostBytes'> | undefined {
  const { subscription, stores, member, timing, clock, onError } = options;
  const { topic, group, concurrencyPer: per } = subscription;
  return (
    per && {
      store: stores.permits,
      of: { topic, group },
      member,
      max: per.max,
      leaseMs: timing.claimLeaseMs,
      clock,
      onError,
    }
  );
}
