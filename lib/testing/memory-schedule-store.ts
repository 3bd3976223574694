import type { QueueRef } from '../core/store/refs.js';
import type { ScheduledEntry, SchedulePlace, ScheduleStore } from '../core/store/schedule-store.js';
import type { MemoryGate } from './memory-gate.js';
import { appendFrame } from './memory-message-log.js';
import type { MemoryState, QueueState, MemoryScheduled } from './memory-state.js';

export class MemoryScheduleStore implements ScheduleStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  releaseDue(
    ref: QueueRef,
    limit: number,
  ): Promise<{ released: number; nextDueAt: number | null; now: number }> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const queue = this.state.queue(ref);
      if (!queue) return { released: 0, nextDueAt: null, now };
      const due = inOrder(queue)
        .filter(({ dueAt }) => dueAt <= now)
        .slice(0, limit);
      for (const { messageId, frame } of due) {
        queue.scheduled.delete(messageId);
        appendFrame(queue, frame, now);
      }
      if (due.length > 0) this.state.changed();
      return { released: due.length, nextDueAt: inOrder(queue)[0]?.dueAt ?? null, now };
    });
  }

  cancel(ref: QueueRef, messageId: string): Promise<boolean> {
    return this.gate.call(() => this.state.queue(ref)?.scheduled.delete(messageId) ?? false);
  }

  reschedule(
    ref: QueueRef,
    messageId: string,
    due: { delayMs: number } | { at: number },
  ): Promise<boolean> {
    return this.gate.call(() => {
      const scheduled = this.state.queue(ref)?.scheduled.get(messageId);
      if (!scheduled) return false;
      scheduled.dueAt = 'at' in due ? due.at : this.gate.clock.now() + due.delayMs;
      return true;
    });
  }

  find(ref: QueueRef, messageId: string): Promise<{ frame: Buffer; dueAt: number } | undefined> {
    return this.gate.call(() => {
      const scheduled = this.state.queue(ref)?.scheduled.get(messageId);
      return scheduled && { frame: Buffer.from(scheduled.frame), dueAt: scheduled.dueAt };
    });
  }

  list(
    ref: QueueRef,
    { after, count }: { after?: SchedulePlace; count: number },
  ): Promise<ScheduledEntry[]> {
    return this.gate.call(() => {
      const queue = this.state.queue(ref);
      if (!queue) return [];
      return inOrder(queue)
        .filter((one) => !after || compare(one, after) > 0)
        .slice(0, count)
        .map(({ messageId, dueAt, frame }) => ({ messageId, dueAt, frame: Buffer.from(frame) }));
    });
  }

  count(ref: QueueRef): Promise<number> {
    return this.gate.call(() => this.state.queue(ref)?.scheduled.size ?? 0);
  }
}

/** By due time; equal times by message id, which is the order in which one process sent them. */
function inOrder(queue: QueueState): MemoryScheduled[] {
  return [...queue.scheduled.values()].sort(compare);
}

function compare(a: SchedulePlace, b: SchedulePlace): number {
  const byId = Number(a.messageId > b.messageId) - Number(a.messageId < b.messageId);
  return a.dueAt - b.dueAt || byId;
}
