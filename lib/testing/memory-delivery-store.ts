import {
  type ClaimReply,
  type DeliveryStore,
  type GroupLag,
  type GroupQueue,
  type GroupReader,
  type SettleItem,
  type SettleReply,
  WAITING,
} from '../core/store/delivery-store.js';
import { cutOff, released, retried } from './memory-attempts.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryGroup, Pending } from './memory-group.js';
import { MemoryGroupReader } from './memory-group-reader.js';
import { copyContent } from './memory-queue.js';
import { type MemoryState, ORDERED } from './memory-state.js';

/** A group that is gone holds nothing: only `read` complains, the other calls find nothing to do. */
export class MemoryDeliveryStore implements DeliveryStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  openReader(group: string, consumer: string): GroupReader {
    return new MemoryGroupReader({ state: this.state, gate: this.gate, group, consumer });
  }

  dueIn(refs: readonly GroupQueue[]): Promise<(number | null)[]> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      return refs.map((ref) => {
        const first = this.state.group(ref)?.waiting(now)[0];
        return first ? Math.max(0, first.inMs) : null;
      });
    });
  }

  claimDue(
    ref: GroupQueue,
    claim: { consumer: string; limit: number; suspect: boolean },
  ): Promise<ClaimReply> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const group = this.state.group(ref);
      const due = (group?.waiting(now) ?? [])
        .filter(({ inMs }) => inMs <= 0)
        .map(({ delivery }) => delivery);
      const suspects = due.filter(({ offset }) => group!.isSuspect(offset));
      const others = due.filter(({ offset }) => !group!.isSuspect(offset));
      // The suspect comes first, or a busy queue would keep it waiting for ever.
      const entries = [...suspects.slice(0, claim.suspect ? 1 : 0), ...others]
        .slice(0, claim.limit)
        .map((delivery) => group!.claim(delivery, claim.consumer, now));
      const next = group?.waiting(now)[0];
      return { entries, nextDueAt: next ? now + next.inMs : null, now };
    });
  }

  settle(ref: GroupQueue, consumer: string, items: readonly SettleItem[]): Promise<SettleReply[]> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      return items.map((item) => {
        const delivery = this.state.group(ref)?.pending.get(item.offset);
        const holder = consumer === WAITING ? null : consumer;
        if (delivery?.holder !== holder || delivery.deliveryCount !== item.deliveryCount)
          return 'stale';
        this.settleOne(ref, delivery, item.settlement, now);
        return 'settled';
      });
    });
  }

  renew(
    ref: GroupQueue,
    renewal: {
      consumer: string;
      inHand: readonly { offset: string; deliveryCount: number }[];
      swallowedAfterMs: number;
    },
  ): Promise<{ lost: string[]; released: number }> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const group = this.state.group(ref);
      const held = new Map(
        (group?.heldBy(renewal.consumer) ?? []).map((delivery) => [delivery.offset, delivery]),
      );
      const lost: string[] = [];
      for (const { offset, deliveryCount } of renewal.inHand) {
        const delivery = held.get(offset);
        if (delivery?.deliveryCount === deliveryCount) {
          delivery.since = now;
          held.delete(offset);
        } else lost.push(offset);
      }
      const swallowed = [...held.values()].filter(
        ({ since }) => now - since > renewal.swallowedAfterMs,
      );
      for (const delivery of swallowed) release(group!, delivery, { now, delayMs: 0 });
      return { lost, released: swallowed.length };
    });
  }

  reclaim(
    ref: GroupQueue,
    consumer: string,
    limit: number,
  ): Promise<{ taken: number; left: number }> {
    return this.gate.call(() => {
      const group = this.state.group(ref);
      const held = group?.heldBy(consumer) ?? [];
      const taken = held.slice(0, limit);
      const now = this.gate.clock.now();
      for (const delivery of taken)
        group!.putBack(delivery, cutOff(group!.attemptsOf(delivery.offset)), { now, delayMs: 0 });
      const left = held.length - taken.length;
      if (left === 0) group?.consumers.delete(consumer);
      return { taken: taken.length, left };
    });
  }

  enroll(ref: GroupQueue, consumer: string): Promise<void> {
    return this.gate.call(() => void this.state.group(ref)?.consumers.add(consumer));
  }

  consumers(ref: GroupQueue): Promise<string[]> {
    return this.gate.call(() =>
      [...(this.state.group(ref)?.consumers ?? [])].filter((name) => name !== ORDERED),
    );
  }

  rewind(ref: GroupQueue, behind: string): Promise<boolean> {
    return this.gate.call(() => {
      const queue = this.state.queue(ref);
      if (!queue?.groups.has(ref.group)) return false;
      this.state.restart(ref, behind);
      this.state.changed();
      return true;
    });
  }

  lag(ref: GroupQueue): Promise<GroupLag> {
    return this.gate.call(() => {
      const queue = this.state.queue(ref);
      const group = this.state.group(ref);
      const pending = [...(group?.pending.values() ?? [])];
      const waiting = pending.filter(({ holder }) => holder === null).length;
      return {
        undelivered: group ? undelivered(group) : null,
        inFlight: pending.length - waiting,
        waiting,
        held: this.state.lanes(ref).held,
        deadLetters: queue?.deadLettersOf(ref.group).letters.length ?? 0,
        oldestUnsettled: pending[0]?.offset ?? null,
      };
    });
  }

  private settleOne(
    ref: GroupQueue,
    delivery: Pending,
    settlement: SettleItem['settlement'],
    now: number,
  ): void {
    const { offset } = delivery;
    const queue = this.state.queue(ref)!;
    const group = queue.groups.get(ref.group)!;
    switch (settlement.kind) {
      case 'retry':
        return group.putBack(delivery, retried(group.attemptsOf(offset), settlement.history), {
          now,
          delayMs: settlement.delayMs,
        });
      case 'release':
        return release(group, delivery, { now, delayMs: settlement.delayMs });
      case 'dead-letter': {
        const content = copyContent(queue.log.read(offset).content);
        const { topic, queue: number } = queue.log.ref;
        const letter = {
          topic,
          queue: number,
          group: ref.group,
          offset,
          note: settlement.note,
          content,
        };
        queue.deadLettersOf(ref.group).add(letter, now);
        return group.forget(offset);
      }
      case 'ack':
        return group.forget(offset);
    }
  }
}

function release(
  group: MemoryGroup,
  delivery: Pending,
  when: { now: number; delayMs: number },
): void {
  group.putBack(delivery, released(group.attemptsOf(delivery.offset)), when);
}

function undelivered(group: MemoryGroup): number {
  let count = 0;
  for (const { only } of group.queue.after(group.position))
    if (only === null || only === group.name) count += 1;
  return count;
}
