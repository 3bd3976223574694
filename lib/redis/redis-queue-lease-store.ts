import type { GroupQueue } from '../core/store/delivery-store.js';
import type { Membership } from '../core/store/membership.js';
import type {
  AcquireReply,
  Doorbell,
  HeldEntry,
  HeldLane,
  HeldStep,
  LaneStep,
  LeaseProof,
  LeaseView,
  LoadReply,
  QueueGate,
  QueueLeaseStore,
  ReadReply,
  RenewReply,
  ResumeAction,
  StepReply,
} from '../core/store/queue-lease-store.js';
import type { Connections } from './connections.js';
import type { StoredEntry } from '../core/store/refs.js';
import { answer } from './errors.js';
import { heldLanes } from './held-lanes.js';
import type { Keys } from './keys.js';
import { LaneReads } from './lane-reads.js';
import {
  heldStepArguments,
  proofArguments,
  readAcquired,
  readHeldEntry,
  readHold,
  readStepReply,
  stepArguments,
} from './lease-words.js';
import { orFault } from './queue-fault.js';
import { lookBehind, readParent } from './queue-gate.js';
import { RedisDoorbell } from './redis-doorbell.js';
import { RedisMembership } from './redis-membership.js';
import { scripts } from './scripts.js';

/**
 * A lease is a hash that never expires: a token must not begin again. Deliveries of an ordered group are pending under
 * one name, whoever owns the queue, so that a take-over moves nothing.
 */
export class RedisQueueLeaseStore implements QueueLeaseStore {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private readonly reads: LaneReads;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
    this.reads = new LaneReads(options);
  }

  roster(group: { topic: string; group: string }): Membership {
    return new RedisMembership({ host: this.connections, key: this.keys.roster(group) });
  }

  openDoorbell(): Doorbell {
    const { connections, keys } = this;
    return new RedisDoorbell({ connections, keys });
  }

  async acquire(ref: GroupQueue, claim: { owner: string; leaseMs: number }): Promise<AcquireReply> {
    const reply = await this.tryAcquire(ref, claim, '');
    if (reply[0] !== 'gated') return readAcquired(reply);
    const found = await this.lookBehind(ref, reply[1]);
    if ('gate' in found) return { state: 'gated', gate: found.gate };
    return readAcquired(await this.tryAcquire(ref, claim, found.token));
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

  load(
    ref: GroupQueue,
    proof: LeaseProof,
    page: { after: string | null; count: number },
  ): Promise<LoadReply> {
    return this.reads.load(ref, proof, page);
  }

  read(ref: GroupQueue, proof: LeaseProof, count: number): Promise<ReadReply> {
    return this.reads.read(ref, proof, count);
  }

  contents(ref: GroupQueue, offsets: readonly string[]): Promise<StoredEntry[]> {
    return this.reads.contents(ref, offsets);
  }

  async step(ref: GroupQueue, proof: LeaseProof, steps: readonly LaneStep[]): Promise<StepReply> {
    const { lines, lanes, texts } = stepArguments(steps);
    return readStepReply(
      await orFault(ref, () =>
        scripts.step.run(this.connections, {
          keys: this.keys.groupQueue(ref),
          args: {
            group: ref.group,
            ...proofArguments(proof),
            steps: lines,
            count: String(lanes.length),
          },
          moreArgs: [...lanes, ...texts],
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
        moreArgs: heldStepArguments(steps),
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

  async rewind(ref: GroupQueue, behind: string): Promise<boolean> {
    const keys = this.keys.groupQueue(ref);
    for (;;) {
      const lanes = await heldLanes({ host: this.connections, keys: this.keys }, ref);
      const [word] = await scripts.rewindLanes.run(this.connections, {
        keys,
        moreKeys: lanes.map((lane) => keys.held(lane)),
        args: { group: ref.group, to: behind },
        moreArgs: lanes,
      });
      if (word !== 'again') return word === 'moved';
    }
  }

  async gate(ref: GroupQueue): Promise<QueueGate | undefined> {
    const { meta, lease } = this.keys.groupQueue(ref);
    const { redis } = this.connections;
    const [parent, isOpen] = await Promise.all([
      answer({ operation: 'HGET', key: meta }, redis.hget(meta, 'parent')),
      answer({ operation: 'HGET', key: lease }, redis.hget(lease, 'gate')),
    ]);
    if (parent === null || isOpen !== null) return undefined;
    const found = await this.lookBehind(ref, parent);
    return 'gate' in found ? found.gate : undefined;
  }

  private lookBehind(
    ref: GroupQueue,
    parent: string,
  ): Promise<{ token: string } | { gate: QueueGate }> {
    return lookBehind({ host: this.connections, keys: this.keys }, ref, readParent(parent));
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
    return elements.map((element) => readHeldEntry(ref, element));
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
