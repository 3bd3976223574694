import { QueueFaultedError, StoreRefusedError } from '../core/message/errors.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { Membership } from '../core/store/membership.js';
import type {
  AcquireReply,
  Doorbell,
  HeldEntry,
  HeldLane,
  HeldStep,
  LaneRecord,
  LaneStep,
  LeaseProof,
  LeaseView,
  LoadReply,
  QueueLeaseStore,
  ReadReply,
  RenewReply,
  ResumeAction,
  StepReply,
} from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';
import type { Connections } from './connections.js';
import { type RawEntry, readContent, readPacked } from './entry-content.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import { drainedToken, readParent } from './queue-gate.js';
import { RedisDoorbell } from './redis-doorbell.js';
import { RedisMembership } from './redis-membership.js';
import { scripts } from './scripts.js';

const SPACE = 0x20;

/**
 * A lease is a hash that never expires: a token must not begin again. Deliveries of an ordered group are pending under
 * one name, whoever owns the queue, so that a take-over moves nothing.
 */
export class RedisQueueLeaseStore implements QueueLeaseStore {
  private readonly connections: Connections;
  private readonly keys: Keys;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  roster(group: { topic: string; group: string }): Membership {
    return new RedisMembership({ host: this.connections, key: this.keys.roster(group) });
  }

  openDoorbell({ topic }: { topic: string }): Doorbell {
    const { connections, keys } = this;
    return new RedisDoorbell({ connections, keys, topic });
  }

  async acquire(ref: GroupQueue, claim: { owner: string; leaseMs: number }): Promise<AcquireReply> {
    const reply = await this.tryAcquire(ref, claim, '');
    if (reply[0] !== 'gated') return readAcquired(reply);
    const parent = readParent(reply[1]);
    const place = { host: this.connections, keys: this.keys };
    const floor = await drainedToken(place, ref, parent);
    if (floor === undefined) return { state: 'gated', behind: parent.queue };
    return readAcquired(await this.tryAcquire(ref, claim, floor));
  }

  private async tryAcquire(
    ref: GroupQueue,
    claim: { owner: string; leaseMs: number },
    floor: string,
  ): Promise<[word: string, ...facts: [string, string]]> {
    const { owner, leaseMs } = claim;
    return (await orFault(ref, () =>
      scripts.acquireLease.run(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: { group: ref.group, owner, leaseMs: String(leaseMs), floor },
      }),
    )) as [word: string, ...facts: [string, string]];
  }

  async load(
    ref: GroupQueue,
    proof: LeaseProof,
    page: { after: string | null; count: number },
  ): Promise<LoadReply> {
    const reply = await orFault(ref, () =>
      scripts.loadLanes.runBinary(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: {
          group: ref.group,
          ...proofArguments(proof),
          after: page.after ?? '',
          count: String(page.count),
        },
      }),
    );
    const word = text(reply[0]);
    if (word === 'again') return this.load(ref, proof, page);
    if (word !== 'page') return { state: word as 'fenced' | 'gap' };
    const [, last, entries, records, holds] = reply as [
      ...[Buffer, Buffer, [Buffer, Buffer[] | Buffer][], Buffer[][], Buffer[][]],
    ];
    return {
      state: 'loaded',
      last: text(last) === 'last',
      entries: entries.map(([id, fields]) =>
        entryOf(ref, [id, Array.isArray(fields) ? fields : null]),
      ),
      records: records.map(readRecord),
      held: holds.map((hold) => readHold(hold.map(text))),
    };
  }

  async read(ref: GroupQueue, proof: LeaseProof, count: number): Promise<ReadReply> {
    const reply = await orFault(ref, () =>
      scripts.readLanes.runBinary(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: { group: ref.group, ...proofArguments(proof), count: String(count) },
      }),
    );
    const word = text(reply[0]);
    if (word !== 'read') return { state: word as 'fenced' | 'gap' };
    const entries = reply.slice(4) as RawEntry[];
    return {
      state: 'read',
      version: Number(text(reply[1])),
      nudge: Number(text(reply[2])),
      position: text(reply[3]),
      entries: entries.map((entry) => entryOf(ref, entry)),
    };
  }

  async step(ref: GroupQueue, proof: LeaseProof, steps: readonly LaneStep[]): Promise<StepReply> {
    // A lane is named once, and the rest is one argument: ten for each message cost more than all else about it.
    const numbers = new Map<string, number>();
    const texts: string[] = [];
    let lines = '';
    for (const step of steps) {
      let number = numbers.get(step.lane);
      if (number === undefined) numbers.set(step.lane, (number = numbers.size + 1));
      lines += `${wordOf(step)} ${number} ${step.offset} ${delayOf(step)}\n`;
      if (hasText(step)) texts.push(textOf(step));
    }
    return readStepReply(
      await orFault(ref, () =>
        scripts.step.run(this.connections, {
          keys: this.keys.groupQueue(ref),
          args: {
            group: ref.group,
            ...proofArguments(proof),
            steps: lines,
            lanes: String(numbers.size),
          },
          moreArgs: [...numbers.keys(), ...texts],
        }),
      ),
    );
  }

  async hold(
    ref: GroupQueue,
    proof: LeaseProof,
    move: { lane: string; offsets: readonly string[]; park: { note: string } | null },
  ): Promise<StepReply> {
    const keys = this.keys.groupQueue(ref);
    const { log, lease, lanes, hold, parked } = keys;
    return readStepReply(
      await orFault(ref, () =>
        scripts.holdLane.run(this.connections, {
          keys: { log, lease, lanes, hold, parked, held: keys.held(move.lane) },
          args: {
            group: ref.group,
            ...proofArguments(proof),
            lane: move.lane,
            offsets: move.offsets.join(' '),
            where: move.park ? 'front' : 'back',
            note: move.park?.note ?? '',
          },
        }),
      ),
    );
  }

  async stepHeld(
    ref: GroupQueue,
    proof: LeaseProof,
    lane: string,
    steps: readonly HeldStep[],
  ): Promise<StepReply> {
    const keys = this.keys.groupQueue(ref);
    const { lease, lanes, hold, parked, dead } = keys;
    return readStepReply(
      await scripts.stepHeld.run(this.connections, {
        keys: { lease, lanes, hold, parked, held: keys.held(lane), dead },
        args: { ...proofArguments(proof), lane },
        moreArgs: steps.flatMap((step) => [wordOf(step), step.offset, delayOf(step), textOf(step)]),
      }),
    );
  }

  async renew(
    ref: GroupQueue,
    proof: Omit<LeaseProof, 'version'>,
    leaseMs: number,
  ): Promise<RenewReply> {
    const [word, nudge, strangers] = (await orFault(ref, () =>
      scripts.renewLease.run(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: {
          group: ref.group,
          owner: proof.owner,
          token: String(proof.fencingToken),
          leaseMs: String(leaseMs),
        },
      }),
    )) as [string, ...string[]];
    return word === 'renewed'
      ? { state: 'renewed', nudge: Number(nudge), strangers: Number(strangers) }
      : { state: 'fenced' };
  }

  async release(
    ref: GroupQueue,
    proof: Omit<LeaseProof, 'version'>,
  ): Promise<'released' | 'busy' | 'fenced'> {
    const [word] = (await scripts.releaseLease.run(this.connections, {
      keys: this.keys.groupQueue(ref),
      args: { owner: proof.owner, token: String(proof.fencingToken) },
    })) as ['released' | 'busy' | 'fenced'];
    return word;
  }

  async view(ref: GroupQueue): Promise<LeaseView> {
    const [owner, leftMs] = (await scripts.lease.run(this.connections, {
      keys: this.keys.groupQueue(ref),
      args: {},
    })) as [string, string];
    return { owner: owner === '' ? null : owner, leftMs: Number(leftMs) };
  }

  async heldLanes(ref: GroupQueue): Promise<HeldLane[]> {
    const { hold, parked } = this.keys.groupQueue(ref);
    const { redis } = this.connections;
    const [holds, notes] = await Promise.all([
      answer({ operation: 'HGETALL', key: hold }, redis.hgetall(hold)),
      answer({ operation: 'HGETALL', key: parked }, redis.hgetall(parked)),
    ]);
    return Object.entries(holds).map(([lane, facts]) =>
      readHold([lane, ...facts.split(':'), notes[lane] ?? '']),
    );
  }

  async heldEntries(
    ref: GroupQueue,
    lane: string,
    page: { from: number; count: number },
  ): Promise<HeldEntry[]> {
    const held = this.keys.groupQueue(ref).held(lane);
    const elements = (await answer(
      { operation: 'LRANGE', key: held },
      this.connections.redis.lrangeBuffer(held, page.from, page.from + page.count - 1),
    )) as Buffer[];
    return elements.map((element) => {
      const space = element.indexOf(SPACE);
      const fields = readPacked(element.subarray(space + 1));
      return entryOf(ref, [element.subarray(0, space), fields]);
    });
  }

  async resume(
    ref: GroupQueue,
    lane: string,
    { action, note }: { action: ResumeAction; note: string },
  ): Promise<boolean> {
    const keys = this.keys.groupQueue(ref);
    const { lease, hold, parked, dead } = keys;
    const [word] = await scripts.resumeLane.run(this.connections, {
      keys: { lease, hold, parked, held: keys.held(lane), dead },
      args: { lane, action, note },
    });
    return word === 'resumed';
  }
}

function proofArguments(proof: LeaseProof): Record<'owner' | 'token' | 'version', string> {
  return {
    owner: proof.owner,
    token: String(proof.fencingToken),
    version: String(proof.version),
  };
}

function wordOf(step: HeldStep): string {
  if (step.kind === 'retry' && !step.counted) return 'postpone';
  return step.kind === 'begin' && step.alone ? 'begin-alone' : step.kind;
}

function delayOf(step: HeldStep): string {
  return step.kind === 'retry' ? String(Math.round(step.delayMs)) : '';
}

function hasText(step: LaneStep): boolean {
  return step.kind === 'dead-letter' || (step.kind === 'retry' && step.counted);
}

function textOf(step: HeldStep): string {
  switch (step.kind) {
    case 'retry':
      return step.history;
    case 'dead-letter':
    case 'park':
      return step.note;
    case 'begin':
    case 'ack':
      return '';
  }
}

function readAcquired([word, first, second]: [string, string, string]): AcquireReply {
  return word === 'held'
    ? { state: 'held', owner: first, leftMs: Number(second) }
    : { state: 'acquired', fencingToken: Number(first), continued: second === 'continued' };
}

function readStepReply(reply: unknown[]): StepReply {
  const [word, first, second] = reply as string[];
  switch (word) {
    case 'done':
      return { state: 'done', version: Number(first), nudge: Number(second) };
    case 'refused':
      return { state: 'refused', index: Number(first), why: second as 'order' | 'gone' };
    default:
      return { state: word as 'fenced' | 'gap' };
  }
}

function readRecord(raw: Buffer[]): LaneRecord {
  const [lane, offset, attempt, open, suspect, leftMs, history] = raw.map(text);
  return {
    lane: lane!,
    offset: offset!,
    attempt: Number(attempt),
    open: open === 'open',
    suspect: suspect === 'suspect',
    leftMs: Number(leftMs),
    history: history!,
  };
}

function readHold(facts: readonly string[]): HeldLane {
  const [lane, state, from, count, since, note] = facts as [...string[]];
  return {
    lane: lane!,
    state: state as HeldLane['state'],
    from: from!,
    count: Number(count),
    since: Number(since),
    note: note!,
  };
}

function entryOf({ topic, queue }: GroupQueue, [id, fields]: RawEntry): StoredEntry {
  return { topic, queue, offset: id.toString('latin1'), content: readContent(fields) };
}

function text(bytes: unknown): string {
  return String(bytes);
}

/** A group that is gone is a fault of the queue, as it is for other readers. */
async function orFault(
  { topic, queue, group }: GroupQueue,
  call: () => Promise<unknown[]>,
): Promise<unknown[]> {
  try {
    return await call();
  } catch (error) {
    const reason = error instanceof StoreRefusedError ? error.reason : undefined;
    if (reason !== 'NOGROUP' && reason !== 'WRONGTYPE') throw error;
    const fault = reason === 'NOGROUP' ? 'no-group' : 'wrong-type';
    throw new QueueFaultedError(
      `Queue ${topic}/${queue} cannot be read: ${
        fault === 'no-group'
          ? `consumer group "${group}" is gone there, or the whole queue is: it was deleted or flushed`
          : 'one of its keys holds something else'
      }. Other queues are not affected`,
      { topic, queue, fault },
      { cause: error },
    );
  }
}
