import type { QueueRef } from '../core/store/refs.js';
import type { Keys, QueueKeys } from './keys.js';

/** Of so many queues the keys are kept; then of none, and it begins anew. */
const MOST_QUEUES = 4_096;

/** The keys of one queue that every append names. */
class AppendKeys implements Pick<QueueKeys, 'meta' | 'log' | 'sessions' | 'scheduled' | 'due'> {
  readonly meta: string;
  readonly log: string;
  readonly sessions: string;
  readonly scheduled: string;
  readonly due: string;
  private readonly keys: QueueKeys;

  constructor(keys: QueueKeys) {
    this.keys = keys;
    this.meta = keys.meta;
    this.log = keys.log;
    this.sessions = keys.sessions;
    this.scheduled = keys.scheduled;
    this.due = keys.due;
  }

  dedup(dedupId: string): string {
    return this.keys.dedup(dedupId);
  }
}

/** Keys of queues that are appended to. To make their texts anew is a part of what a single message costs (decision 21). */
export class KeptAppendKeys {
  private readonly keys: Keys;
  private readonly byTopic = new Map<string, AppendKeys[]>();
  private kept = 0;

  constructor(options: { keys: Keys }) {
    this.keys = options.keys;
  }

  of(ref: QueueRef): AppendKeys {
    return this.byTopic.get(ref.topic)?.[ref.queue] ?? this.keep(ref);
  }

  private keep(ref: QueueRef): AppendKeys {
    if (this.kept >= MOST_QUEUES) {
      this.byTopic.clear();
      this.kept = 0;
    }
    const keys = new AppendKeys(this.keys.queue(ref));
    const others = this.byTopic.get(ref.topic) ?? [];
    others[ref.queue] = keys;
    this.byTopic.set(ref.topic, others);
    this.kept += 1;
    return keys;
  }
}
