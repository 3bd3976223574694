import { isOutOfMemory, isRefusal, StoreRefusedError } from '../core/message/errors.js';
import {
  type ClaimReply,
  type DeliveredEntry,
  type DeliveryStore,
  type GroupLag,
  type GroupQueue,
  type GroupReader,
  type SettleItem,
  type SettleReply,
  WAITING,
} from '../core/store/delivery-store.js';
import type { Connections } from './connections.js';
import { readContent } from './entry-content.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import { ORDERED } from './lease-words.js';
import { RedisGroupReader } from './redis-group-reader.js';
import { scripts } from './scripts.js';

/**
 * Deliveries are pending entries of a stream's consumer group; what waits is pending under a consumer that does
 * not exist, and listed by when it is due.
 *
 * A group that vanished from Redis took its deliveries with it: they are in nobody's hands, and `read` tells.
 */
export class RedisDeliveryStore implements DeliveryStore {
  private readonly connections: Connections;
  private readonly keys: Keys;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  openReader(group: string, consumer: string): GroupReader {
    return new RedisGroupReader({
      connections: this.connections,
      keys: this.keys,
      group,
      consumer,
    });
  }

  async dueIn(refs: readonly GroupQueue[]): Promise<(number | null)[]> {
    if (this.connections.spansSlots) return this.dueInOf(refs);
    const asked = await Promise.allSettled(refs.map((ref) => this.dueInOf([ref])));
    const failures = asked.flatMap((each) => (each.status === 'rejected' ? [each] : []));
    if (failures.length > 0 && failures.length === refs.length) throw failures[0]!.reason;
    // Nothing could be claimed where a node is away: what waits there is found once it is back.
    return asked.map((each) => (each.status === 'fulfilled' ? each.value[0]! : null));
  }

  async claimDue(
    ref: GroupQueue,
    claim: { consumer: string; limit: number; suspect: boolean },
  ): Promise<ClaimReply> {
    const [now, next, ...entries] = (await scripts.claimDue.runBinary(this.connections, {
      keys: this.keys.groupQueue(ref),
      args: {
        group: ref.group,
        consumer: claim.consumer,
        limit: String(claim.limit),
        suspect: claim.suspect ? 'suspect' : 'none',
      },
    })) as [Buffer, Buffer, ...RawClaim[]];
    return {
      now: Number(now.toString('latin1')),
      nextDueAt: next.length === 0 ? null : Number(next.toString('latin1')),
      entries: entries.map((entry) => readClaim(ref, entry)),
    };
  }

  async settle(
    ref: GroupQueue,
    consumer: string,
    items: readonly SettleItem[],
  ): Promise<SettleReply[]> {
    if (items.length === 0) return [];
    try {
      if (consumer !== WAITING && items.every(isPlainAck) && areDistinct(items))
        return await this.acknowledge(ref, consumer, items);
      return (await scripts.settle.run(this.connections.gathered, {
        keys: this.keys.groupQueue(ref),
        args: { group: ref.group, consumer },
        moreArgs: items.flatMap(settleArguments),
      })) as SettleReply[];
    } catch (error) {
      if (isNoGroup(error)) return items.map(() => 'stale');
      throw error;
    }
  }

  async renew(
    ref: GroupQueue,
    renewal: {
      consumer: string;
      inHand: readonly { offset: string; deliveryCount: number }[];
      swallowedAfterMs: number;
    },
  ): Promise<{ lost: string[]; released: number }> {
    const { consumer, inHand, swallowedAfterMs } = renewal;
    try {
      const [released, ...lost] = (await scripts.renew.run(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: {
          group: ref.group,
          consumer,
          swallowedAfterMs: String(swallowedAfterMs),
          offsets: inHand.map(({ offset }) => offset).join(' '),
          counts: inHand.map(({ deliveryCount }) => deliveryCount).join(' '),
        },
      })) as [string, ...string[]];
      return { lost, released: Number(released) };
    } catch (error) {
      if (isNoGroup(error)) return { lost: inHand.map(({ offset }) => offset), released: 0 };
      throw error;
    }
  }

  async reclaim(
    ref: GroupQueue,
    consumer: string,
    limit: number,
  ): Promise<{ taken: number; left: number }> {
    if (consumer === WAITING) return { taken: 0, left: 0 };
    try {
      const [taken, left] = (await scripts.reclaim.run(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: { group: ref.group, consumer, limit: String(limit) },
      })) as [string, string];
      return { taken: Number(taken), left: Number(left) };
    } catch (error) {
      if (isNoGroup(error)) return { taken: 0, left: 0 };
      throw error;
    }
  }

  async enroll(ref: GroupQueue, consumer: string): Promise<void> {
    const { log } = this.keys.groupQueue(ref);
    const { redis } = this.connections;
    try {
      await answer(
        { operation: 'XGROUP CREATECONSUMER', key: log },
        redis.xgroup('CREATECONSUMER', log, ref.group, consumer),
      );
    } catch (error) {
      // The next read finds that the group is gone, and consuming begins also while memory is full.
      if (!isNoGroup(error) && !isOutOfMemory(error)) throw error;
    }
  }

  async consumers(ref: GroupQueue): Promise<string[]> {
    const { log } = this.keys.groupQueue(ref);
    try {
      const listed = (await answer(
        { operation: 'XINFO CONSUMERS', key: log },
        this.connections.redis.xinfo('CONSUMERS', log, ref.group),
      )) as [field: 'name', name: string, ...unknown[]][];
      return listed.map(([, name]) => name).filter((name) => name !== WAITING && name !== ORDERED);
    } catch (error) {
      if (isNoGroup(error)) return [];
      throw error;
    }
  }

  async rewind(ref: GroupQueue, behind: string): Promise<boolean> {
    const [word] = (await scripts.rewind.run(this.connections, {
      keys: this.keys.groupQueue(ref),
      args: { group: ref.group, to: behind },
    })) as [string];
    return word === 'moved';
  }

  async lag(ref: GroupQueue): Promise<GroupLag> {
    const [first, inFlight, waiting, deadLetters, oldest, held] = (await scripts.lag.run(
      this.connections,
      {
        keys: this.keys.groupQueue(ref),
        args: { group: ref.group },
      },
    )) as string[];
    if (first === 'no-group')
      return {
        undelivered: null,
        inFlight: 0,
        waiting: 0,
        held: 0,
        deadLetters: 0,
        oldestUnsettled: null,
      };
    return {
      undelivered: first === '' ? null : Number(first),
      inFlight: Number(inFlight),
      waiting: Number(waiting),
      held: Number(held),
      deadLetters: Number(deadLetters),
      oldestUnsettled: oldest === '' ? null : oldest!,
    };
  }

  /** Of queues that one script may touch together. */
  private async dueInOf(refs: readonly GroupQueue[]): Promise<(number | null)[]> {
    try {
      const waits = (await scripts.dueIn.run(this.connections, {
        keys: {},
        args: {},
        moreKeys: refs.flatMap((ref) => {
          const { log, retry, suspects, attempts } = this.keys.groupQueue(ref);
          return [log, retry, suspects, attempts];
        }),
        moreArgs: refs.map(({ group }) => group),
      })) as string[];
      return waits.map((wait) => (wait === '' ? null : Number(wait)));
    } catch (error) {
      if (isRefusal(error)) return refs.map(() => 0);
      throw error;
    }
  }

  private async acknowledge(
    ref: GroupQueue,
    consumer: string,
    items: readonly SettleItem[],
  ): Promise<SettleReply[]> {
    let offsets = items[0]!.offset;
    for (let i = 1; i < items.length; i++) offsets += ` ${items[i]!.offset}`;
    const words = (await scripts.acknowledge.run(this.connections.gathered, {
      keys: this.keys.groupQueue(ref),
      args: { group: ref.group, consumer, offsets },
    })) as SettleReply[];
    return words.length === items.length ? words : items.map(() => 'settled');
  }
}

type RawClaim = [
  offset: Buffer,
  fields: Buffer[] | Buffer,
  deliveryCount: Buffer,
  attempt: Buffer,
  kind: Buffer,
  history: Buffer,
];

function readClaim({ topic, queue }: GroupQueue, raw: RawClaim): DeliveredEntry {
  const [offset, fields, deliveryCount, attempt, kind, history] = raw;
  return {
    topic,
    queue,
    offset: offset.toString('latin1'),
    content: readContent(Array.isArray(fields) ? fields : null),
    attempt: Number(attempt.toString('latin1')),
    deliveryCount: Number(deliveryCount.toString('latin1')),
    suspect: kind.toString('latin1') === 'suspect',
    history: history.toString(),
  };
}

/** A first delivery that is done: what nearly every settlement is. */
function isPlainAck(item: SettleItem): boolean {
  return item.deliveryCount === 1 && item.settlement.kind === 'ack';
}

function areDistinct(items: readonly SettleItem[]): boolean {
  for (let i = 1; i < items.length; i++)
    if (!isGreater(items[i]!.offset, items[i - 1]!.offset))
      return new Set(items.map(({ offset }) => offset)).size === items.length;
  return true;
}

/** By length, then by characters: an order of texts, not of offsets. A list that rises in it, as most do, names nothing twice. */
function isGreater(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

function settleArguments({ offset, deliveryCount, settlement }: SettleItem): string[] {
  const receipt = [offset, String(deliveryCount), settlement.kind];
  switch (settlement.kind) {
    case 'retry':
      return [...receipt, String(Math.round(settlement.delayMs)), settlement.history];
    case 'dead-letter':
      return [...receipt, '', settlement.note];
    case 'release':
      return [...receipt, String(Math.round(settlement.delayMs)), ''];
    case 'ack':
      return [...receipt, '', ''];
  }
}

function isNoGroup(error: unknown): boolean {
  return error instanceof StoreRefusedError && error.reason === 'NOGROUP';
}
