import { isTopicPattern, patternsOverlap } from '../filter/topic-pattern.js';
import { InvalidOptionsError } from '../message/errors.js';
import type { Subscription } from './subscription.js';

/** Two handlers of one application would compete for the messages of one group. */
export class DuplicateSubscriptionError extends InvalidOptionsError {
  constructor(first: Subscription, second: Subscription) {
    const topics =
      first.topic === second.topic
        ? `topic "${first.topic}"`
        : `topics that fit "${first.topic}" and "${second.topic}"`;
    super(`Two handlers share consumer group "${first.group}" on ${topics}`, [
      `${first.origin} and ${second.origin}`,
      'each message would reach only one of them',
      'give one its own group, or merge the handlers',
    ]);
  }
}

/** @throws DuplicateSubscriptionError when one of the `others` is in the same group, for a topic that would fit both. */
export function refuseDuplicate(subscription: Subscription, others: readonly Subscription[]): void {
  const twin = others.find((other) => compete(other, subscription));
  if (twin) throw new DuplicateSubscriptionError(twin, subscription);
}

/** Whether each would get only a part of what is meant for both. Broadcasts share nothing. */
function compete(a: Subscription, b: Subscription): boolean {
  const shareNothing = a.mode === 'broadcasting' && b.mode === 'broadcasting';
  if (a.group !== b.group || shareNothing) return false;
  const hasPattern = isTopicPattern(a.topic) || isTopicPattern(b.topic);
  return hasPattern ? patternsOverlap(a.topic, b.topic) : a.topic === b.topic;
}
