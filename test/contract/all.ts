import { describeAgenda } from './agenda.contract.js';
import { describeAppend } from './append.contract.js';
import { describeClaimDue } from './claim-due.contract.js';
import { describeDeadLetterStore } from './dead-letter-store.contract.js';
import { describeDedupStore } from './dedup-store.contract.js';
import { describeDedup } from './dedup.contract.js';
import { describeDueIn } from './due-in.contract.js';
import { describeFollowing } from './follow.contract.js';
import { describeGrowth } from './growth.contract.js';
import { describeGroupPresence } from './group-presence.contract.js';
import { describeGroupReader } from './group-reader.contract.js';
import { describeHalfChecks } from './half-checks.contract.js';
import { describeHalfMessages } from './half-message-store.contract.js';
import type { OpenHarness } from './harness.js';
import { describeHeldLanes } from './held-lanes.contract.js';
import { describeJoinGroup } from './join-group.contract.js';
import { describeLag } from './lag.contract.js';
import { describeLanes } from './lanes.contract.js';
import { describeLease } from './lease.contract.js';
import { describeLogReader } from './log-reader.contract.js';
import { describeLostGroup } from './lost-group.contract.js';
import { describeMaxLength } from './max-length.contract.js';
import { describeMembership } from './membership.contract.js';
import { describePauseStore } from './pause-store.contract.js';
import { describePermitStore } from './permit-store.contract.js';
import { describeRange } from './range.contract.js';
import { describeRateLimitStore } from './rate-limit-store.contract.js';
import { describeReclaim } from './reclaim.contract.js';
import { describeRecurringStore } from './recurring-store.contract.js';
import { describeRemoveGroup } from './remove-group.contract.js';
import { describeRenew } from './renew.contract.js';
import { describeReopen } from './reopen.contract.js';
import { describeReplyStore } from './reply-store.contract.js';
import { describeRewindLanes } from './rewind-lanes.contract.js';
import { describeRewind } from './rewind.contract.js';
import { describeScheduleStore } from './schedule-store.contract.js';
import { describeSettle } from './settle.contract.js';
import { describeLifecycle } from './stores.contract.js';
import { describeTopics } from './topics.contract.js';
import { describeTrim } from './trim.contract.js';

const PROMISES: readonly ((open: OpenHarness) => void)[] = [
  describeLifecycle,
  // TopicRegistry
  describeTopics,
  describeJoinGroup,
  describeLostGroup,
  describeRemoveGroup,
  // MessageLog
  describeAppend,
  describeDedup,
  describeMaxLength,
  describeReopen,
  describeRange,
  describeLogReader,
  describeTrim,
  describeScheduleStore,
  // HalfMessageStore
  describeHalfMessages,
  describeHalfChecks,
  // DeliveryStore
  describeGroupReader,
  describeSettle,
  describeClaimDue,
  describeDueIn,
  describeReclaim,
  describeRenew,
  describeLag,
  describeRewind,
  describeRewindLanes,
  describeDeadLetterStore,
  // QueueLeaseStore
  describeLease,
  describeLanes,
  describeHeldLanes,
  describeFollowing,
  describeGrowth,
  describeDedupStore,
  describeAgenda,
  describeMembership,
  describeGroupPresence,
  describePauseStore,
  describePermitStore,
  describeRateLimitStore,
  describeRecurringStore,
  describeReplyStore,
];

/** Every promise of every port. */
export function describeStores(name: string, open: OpenHarness): void {
  describe(name, () => {
    for (const promise of PROMISES) promise(open);
  });
}
