import { formatMessageId, mintedAt, parseMessageId } from '../core/message/message-id.js';
import type { Agenda } from '../core/store/agenda.js';
import type {
  ClaimedHalves,
  ExtendReply,
  HalfCall,
  HalfMessages,
  HalfMessageStore,
  HalfQueue,
  HalfView,
  Placement,
  PrepareReply,
  PublishReply,
  Resolved,
  ResolveReply,
  TransactionId,
} from '../core/store/half-message-store.js';
import type { QueueRef } from '../core/store/refs.js';
import type { AckedQueues } from './acked-queues.js';
import { ConfirmedHalves } from './confirmed-halves.js';
import { answer } from './errors.js';
import {
  byMinute,
  contentWords,
  fromWord,
  isPlain,
  type HalfState,
  type Item,
  joinedHalves,
  minuteOf,
  readAnswers,
  toWord,
} from './half-words.js';
import type { HalfQueueKeys, Keys } from './keys.js';
import { RedisAgenda } from './redis-agenda.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import { readClaimed, readHalf, unreadableHalf } from './stored-half.js';

/** Halves in a hash beside the queue they will enter; see commit-half.lua for what makes them enter it once. */
export class RedisHalfMessageStore implements HalfMessageStore {
  private readonly host: ScriptHost;
  private readonly keys: Keys;
  private readonly confirmed: ConfirmedHalves;

  constructor(options: { host: ScriptHost; keys: Keys; acked: AckedQueues }) {
    this.host = options.host;
    this.keys = options.keys;
    this.confirmed = new ConfirmedHalves(options);
  }

  prepare(call: HalfCall): Promise<PrepareReply[]> {
    const headOf = rememberingHead();
    return this.confirmed.run(call, (host) =>
      this.move<HalfMessages, PrepareReply>(call, call.halves, (keys, ids, halves) =>
        scripts.prepareHalf.runBinary(host, {
          keys,
          args: {
            generation: String(call.generation),
            owner: toWord(call.owner),
            ids,
            halves: joinedHalves(halves, headOf),
          },
        }),
      ),
    );
  }

  commit(
    queue: HalfQueue & Pick<HalfCall, 'acks'>,
    ids: readonly TransactionId[],
  ): Promise<ResolveReply[]> {
    return this.confirmed.run(queue, (host) =>
      this.commitKnowing(host, { queue, ids, dedupIds: [] }),
    );
  }

  rollback(
    queue: HalfQueue,
    ids: readonly TransactionId[],
  ): Promise<({ id: TransactionId } & Resolved)[]> {
    return this.move(queue, ids.map(toItem), (keys, bytes) =>
      scripts.rollbackHalf.runBinary(this.host, { keys, args: { ids: bytes } }),
    );
  }

  publish(call: HalfCall): Promise<PublishReply[]> {
    return this.confirmed.run(call, (host) =>
      this.move<HalfMessages, PublishReply>(call, call.halves, (keys, ids, halves) => {
        const dedupIds = halves.flatMap(({ entries }) =>
          entries.flatMap(({ dedupId }) => dedupId ?? []),
        );
        return scripts.publishHalf.runBinary(host, {
          keys,
          ...withDedup(keys, dedupIds, {
            generation: String(call.generation),
            ids,
            halves: joinedHalves(halves, (half) => `${contentWords(half)}\n`),
          }),
        });
      }),
    );
  }

  async placeOnce(
    topic: string,
    id: TransactionId,
    { generation, queues }: Placement,
  ): Promise<Placement & { isNew: boolean }> {
    // The queue that every topic has.
    const home = { topic, queue: 0, owner: '', minute: minuteOf(id) };
    const [word, ...said] = (await scripts.placeOnce.run(this.host, {
      keys: this.keys.halfQueue(home),
      args: { id: parseMessageId(id), generation: String(generation), queues: String(queues) },
    })) as [string, string, string];
    return { generation: Number(said[0]), queues: Number(said[1]), isNew: word === 'placed' };
  }

  extend(
    queue: HalfQueue,
    items: readonly { id: TransactionId; afterMs: number; answered: boolean }[],
  ): Promise<ExtendReply[]> {
    return this.move(queue, items, (keys, ids, some) =>
      scripts.extendHalf.runBinary(this.host, {
        keys,
        args: {
          ids,
          times: some
            .map(({ afterMs, answered }) => `${Math.round(afterMs)}${answered ? '!' : ''}`)
            .join(' '),
        },
      }),
    );
  }

  async claimDue(
    queue: HalfQueue,
    claim: { limit: number; leaseMs: number; frames: boolean },
  ): Promise<ClaimedHalves> {
    return readClaimed(
      (await scripts.claimHalves.runBinary(this.host, {
        keys: this.keys.halfQueue(queue),
        args: {
          limit: String(claim.limit),
          leaseMs: String(claim.leaseMs),
          what: claim.frames ? 'frames' : '',
          owner: toWord(queue.owner),
        },
      })) as Buffer[],
    );
  }

  park(
    queue: HalfQueue,
    items: readonly { id: TransactionId; reason: string }[],
  ): Promise<ExtendReply[]> {
    return this.move(queue, items, (keys, ids, some) =>
      scripts.parkHalf.runBinary(this.host, {
        keys,
        args: { ids, reasons: some.map(({ reason }) => toWord(reason)).join(' ') },
      }),
    );
  }

  unpark(queue: HalfQueue, ids: readonly TransactionId[]): Promise<ExtendReply[]> {
    return this.move(queue, ids.map(toItem), (keys, bytes) =>
      scripts.unparkHalf.runBinary(this.host, { keys, args: { ids: bytes } }),
    );
  }

  async oldest(queue: HalfQueue): Promise<number | null> {
    const { checks } = this.keys.halfQueue(queue);
    const { redis } = this.host;
    const ids = await answer(
      { operation: 'ZRANGE', key: checks },
      redis.zrangeBuffer(checks, '0', '-1'),
    );
    const [first] = ids.sort((a, b) => a.compare(b));
    return first ? mintedAt(formatMessageId(first)) : null;
  }

  async list(ref: QueueRef, page: { after?: TransactionId; count: number }): Promise<HalfView[]> {
    const { half } = this.keys.queue(ref);
    const ids = await answer({ operation: 'HKEYS', key: half }, this.host.redis.hkeysBuffer(half));
    const wanted = ids
      .map((id) => formatMessageId(id))
      .filter((id) => page.after === undefined || id > page.after)
      .sort()
      .slice(0, page.count);
    const views = await Promise.all(wanted.map((id) => this.find(ref, id)));
    return views.filter((view) => view !== undefined);
  }

  async find(ref: QueueRef, id: TransactionId): Promise<HalfView | undefined> {
    const { half } = this.keys.queue(ref);
    const { redis } = this.host;
    const bytes = parseMessageId(id);
    const stored = await answer({ operation: 'HGET', key: half }, redis.hgetBuffer(half, bytes));
    if (!stored) return undefined;
    const found = readHalf(id, stored) ?? unreadableHalf(id);
    const { checks } = this.keys.halfQueue({ ...ref, owner: found.owner });
    const checkAt = await answer({ operation: 'ZSCORE', key: checks }, redis.zscore(checks, bytes));
    return { ...ref, ...found, checkAt: checkAt === null ? null : Number(checkAt) };
  }

  async count(ref: QueueRef): Promise<{ waiting: number; parked: number }> {
    const { half, parkedHalves } = this.keys.queue(ref);
    const { redis } = this.host;
    const [all, aside] = await answer(
      { operation: 'HLEN', key: half },
      Promise.all([redis.hlen(half), redis.zcard(parkedHalves)]),
    );
    return { waiting: all - aside, parked: aside };
  }

  agenda(board: string): Agenda {
    return new RedisAgenda({ host: this.host, keys: this.keys.halfAgenda(board) });
  }

  /** A half says itself which dedup records it needs: asked again with them, where there are any. */
  private async commitKnowing(
    host: ScriptHost,
    commit: { queue: HalfQueue; ids: readonly TransactionId[]; dedupIds: readonly string[] },
  ): Promise<ResolveReply[]> {
    const { queue, ids, dedupIds } = commit;
    const replies = await this.move<Item, ResolveReply | NeedsDedup>(
      queue,
      ids.map(toItem),
      (keys, bytes) =>
        scripts.commitHalf.runBinary(host, {
          keys,
          ...withDedup(keys, dedupIds, { ids: bytes }),
        }),
    );
    const needed = replies.flatMap((reply) => (reply.state === 'dedup' ? reply.dedups : []));
    if (needed.length === 0) return replies as ResolveReply[];
    return this.commitKnowing(host, { queue, ids, dedupIds: needed.map(fromWord) });
  }

  /** One call for each minute in which the transactions began, which is one nearly always. */
  private async move<I extends Item, Reply>(
    queue: HalfQueue,
    items: readonly I[],
    call: (keys: HalfQueueKeys, ids: Buffer, items: readonly I[]) => Promise<unknown[]>,
  ): Promise<Reply[]> {
    const calls = byMinute(items).map(async ({ minute, ids, items: some }) => {
      const reply = (await call(this.keys.halfQueue({ ...queue, minute }), ids, some)) as Buffer[];
      return readAnswers(some, ids, reply) as Reply[];
    });
    return calls.length === 1 ? calls[0]! : (await Promise.all(calls)).flat();
  }
}

type NeedsDedup = { id: TransactionId } & Extract<HalfState, { state: 'dedup' }>;

/** What prepare-half.lua is told of a half. Of its neighbour mostly the same: a text that is there already is written faster. */
function rememberingHead(): (half: HalfMessages) => string {
  let last: HalfMessages | undefined;
  let head = '';
  return (half) => {
    if (!last || !saysTheSame(half, last))
      head = `${Math.round(half.checkAfterMs)} ${toWord(half.name)} ${contentWords(half)}\n`;
    last = half;
    return head;
  };
}

function saysTheSame(half: HalfMessages, other: HalfMessages): boolean {
  return (
    half.entries.length === other.entries.length &&
    half.name === other.name &&
    half.checkAfterMs === other.checkAfterMs &&
    isPlain(half) &&
    isPlain(other)
  );
}

function toItem(id: TransactionId): Item {
  return { id };
}

function withDedup<Args extends object>(
  keys: HalfQueueKeys,
  dedupIds: readonly string[],
  args: Args,
): { moreKeys: string[]; args: Args & { dedups: string } } {
  const each = [...new Set(dedupIds)];
  return {
    moreKeys: each.map((dedupId) => keys.dedup(dedupId)),
    args: { ...args, dedups: each.map(toWord).join(' ') },
  };
}
