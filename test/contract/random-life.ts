import type { DeadLetterEntry } from '../../lib/core/store/dead-letter-store.js';
import type {
  DeliveredEntry,
  GroupReader,
  Settlement,
} from '../../lib/core/store/delivery-store.js';
import type { AppendEntry } from '../../lib/core/store/message-log.js';
import {
  AUDIT,
  BILLING,
  declare,
  entryOf,
  frameMessageId,
  generationOf,
  join,
  QUEUE,
} from './messages.js';
import type { Random } from './random.js';
import { RandomHalves } from './random-halves.js';
import type { Both, Twins } from './twins.js';

const never = new AbortController().signal;
const GROUPS = [BILLING, AUDIT];
const CONSUMERS = ['a', 'b', 'c'];
const SESSIONS = ['p', 'q'];
/** Fewer than ten entries per call and a millisecond between calls: then text order of offsets is their order. */
const MOST_PER_CALL = 6;
/** Redis forgets by real time, too: longer than a life takes on a slow machine, shorter than it lasts by test time. */
const WINDOW_MS = 20_000;
const AT_ONCE_MS = -1e12;
const NEVER_MS = 1e13;

interface Hand {
  group: string;
  consumer: string;
  entry: Both<DeliveredEntry>;
}

/** Does what producers and consumers may do, in random order, to two stores at once. */
export class RandomLife {
  private readonly twins: Twins;
  private readonly random: Random;
  private readonly readers = new Map<string, GroupReader>();
  private readonly sessions = new Map<
    string,
    { epoch: number; number: number; calls: Map<number, AppendEntry[]> }
  >();
  private readonly scheduled: string[] = [];
  /** Everything that was ever handed out and is not known to be settled: old receipts, too. */
  private hands: Hand[] = [];
  private letters: Both<DeadLetterEntry>[] = [];
  private readonly halves: RandomHalves;
  private bodies = 0;

  constructor(twins: Twins, random: Random) {
    this.twins = twins;
    this.random = random;
    this.halves = new RandomHalves({ twins, random, newEntry: () => this.entry() });
  }

  async begin(): Promise<void> {
    await this.twins.ask('declare and join', 0, async (stores) => {
      await declare(stores, {
        maxLength: this.random.seed % 2 ? 60 : null,
        dedupWindowMs: WINDOW_MS,
      });
      for (const { group } of GROUPS) await join(stores, group);
    });
    for (const session of SESSIONS)
      this.sessions.set(session, { epoch: 1, number: 0, calls: new Map() });
  }

  async step(): Promise<void> {
    const { random } = this;
    const doings: [weight: number, does: () => Promise<void>][] = [
      [6, () => this.append()],
      [1, () => this.appendOddly()],
      [1, () => this.reopen()],
      [3, () => this.twins.advance(random.between(1, 3_000))],
      [2, () => this.release()],
      [1, () => this.changeSchedule()],
      [6, () => this.read()],
      [6, () => this.claim()],
      [8, () => this.settle()],
      [2, () => this.renew()],
      [2, () => this.reclaim()],
      [8, () => this.halves.step()],
      [2, () => this.lookAround()],
      [2, () => this.tendDeadLetters()],
    ];
    let left = random.next() * doings.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, does] of doings) {
      left -= weight;
      if (left < 0) return does();
    }
  }

  async end(): Promise<void> {
    await Promise.all([...this.readers.values()].map((reader) => reader.close()));
  }

  private client(): 0 | 1 {
    return this.random.pick([0, 1]);
  }

  private entry(): AppendEntry {
    const { random } = this;
    const due = random.chance(0.25) ? { delayMs: random.between(0, 8_000) } : undefined;
    const dedupId = random.chance(0.2) ? `d${random.between(1, 5)}` : undefined;
    const entry = entryOf(`body ${++this.bodies}`, { due, dedupId });
    if (due) this.scheduled.push(frameMessageId(entry.frame));
    return entry;
  }

  private async send(
    session: string,
    numbers: { epoch: number; number: number },
    entries: AppendEntry[],
  ): Promise<void> {
    const what = `append ${session} ${numbers.epoch}:${numbers.number}, ${entries.length} entries`;
    await this.twins.ask(what, this.client(), async (stores) =>
      stores.log.append({
        ...QUEUE,
        ...numbers,
        session,
        generation: await generationOf(stores, 'orders'),
        entries,
      }),
    );
    await this.twins.advance(1);
  }

  private async append(): Promise<void> {
    const name = this.random.pick(SESSIONS);
    const session = this.sessions.get(name)!;
    const entries = Array.from({ length: this.random.between(1, MOST_PER_CALL) }, () =>
      this.entry(),
    );
    session.number += 1;
    session.calls.set(session.number, entries);
    await this.send(name, session, entries);
  }

  /** A repeat of one of the last five calls, a call that is ahead, or one of an older epoch. */
  private async appendOddly(): Promise<void> {
    const name = this.random.pick(SESSIONS);
    const { epoch, number, calls } = this.sessions.get(name)!;
    const kind = this.random.pick(['repeat', 'ahead', 'old epoch']);
    const repeated = Math.max(1, number - this.random.between(0, 4));
    if (kind === 'repeat' && calls.has(repeated))
      await this.send(name, { epoch, number: repeated }, calls.get(repeated)!);
    else if (kind === 'old epoch' && epoch > 1)
      await this.send(name, { epoch: epoch - 1, number: 1 }, [this.entry()]);
    else if (kind === 'ahead') await this.send(name, { epoch, number: number + 2 }, [this.entry()]);
  }

  private async reopen(): Promise<void> {
    const name = this.random.pick(SESSIONS);
    const session = this.sessions.get(name)!;
    if (session.number === 0) return;
    const asked = [-1, 0, 1].map((by) => ({ epoch: session.epoch, number: session.number + by }));
    session.epoch += 1;
    session.number = 0;
    session.calls.clear();
    const call = { ...QUEUE, session: name, epoch: session.epoch, asked };
    await this.twins.ask(`reopen ${name} in epoch ${session.epoch}`, this.client(), (stores) =>
      stores.log.reopen(call),
    );
  }

  private async release(): Promise<void> {
    const limit = this.random.between(1, 8);
    await this.twins.ask(`releaseDue ${limit}`, this.client(), (stores) =>
      stores.schedule.releaseDue(QUEUE, limit),
    );
    await this.twins.advance(1);
  }

  private async changeSchedule(): Promise<void> {
    if (this.scheduled.length === 0) return;
    const id = this.random.pick(this.scheduled);
    const delayMs = this.random.between(0, 5_000);
    const cancels = this.random.chance(0.3);
    await this.twins.ask(
      cancels ? 'cancel' : `reschedule in ${delayMs}`,
      this.client(),
      async ({ schedule }) => [
        await (cancels ? schedule.cancel(QUEUE, id) : schedule.reschedule(QUEUE, id, { delayMs })),
        await schedule.find(QUEUE, id),
        await schedule.count(QUEUE),
      ],
    );
  }

  private async read(): Promise<void> {
    const ref = this.random.pick(GROUPS);
    const consumer = this.random.pick(CONSUMERS);
    const perQueue = this.random.between(1, 5);
    const got = await this.twins.ask(
      `${ref.group}/${consumer} reads ${perQueue}`,
      0,
      (stores, side) => {
        const name = `${side}/${ref.group}/${consumer}`;
        const reader = this.readers.get(name) ?? stores.deliveries.openReader(ref.group, consumer);
        this.readers.set(name, reader);
        return reader.read({ queues: [QUEUE], perQueue, blockMs: 0, signal: never });
      },
    );
    this.take(ref.group, consumer, got);
  }

  private async claim(): Promise<void> {
    const ref = this.random.pick(GROUPS);
    const claim = {
      consumer: this.random.pick(CONSUMERS),
      limit: this.random.between(1, 6),
      suspect: this.random.chance(0.5),
    };
    const got = await this.twins.ask(
      `${ref.group} claims ${JSON.stringify(claim)}`,
      this.client(),
      (stores) => stores.deliveries.claimDue(ref, claim),
    );
    this.take(ref.group, claim.consumer, { left: got.left.entries, right: got.right.entries });
  }

  private take(group: string, consumer: string, got: Both<DeliveredEntry[]>): void {
    got.left.forEach((left, i) =>
      this.hands.push({ group, consumer, entry: { left, right: got.right[i]! } }),
    );
    this.hands = this.hands.slice(-60);
  }

  private settlement(): Settlement {
    const { random } = this;
    return random.pick<Settlement>([
      { kind: 'ack' },
      { kind: 'ack' },
      { kind: 'retry', delayMs: random.between(0, 5_000), history: `h${random.between(1, 99)}` },
      { kind: 'release', delayMs: random.between(0, 5_000) },
      { kind: 'dead-letter', note: `n${random.between(1, 99)}` },
    ]);
  }

  private async settle(): Promise<void> {
    if (this.hands.length === 0) return;
    const { group, consumer } = this.random.pick(this.hands);
    const ref = { ...QUEUE, group };
    const mine = this.hands.filter((hand) => hand.group === group && hand.consumer === consumer);
    const chosen = this.random
      .some(mine, 6)
      .map((hand) => ({ hand, settlement: this.settlement() }));
    const kinds = chosen.map(({ settlement }) => settlement.kind).join(', ');
    await this.twins.ask(`${group}/${consumer} settles: ${kinds}`, this.client(), (stores, side) =>
      stores.deliveries.settle(
        ref,
        consumer,
        chosen.map(({ hand, settlement }) => {
          const { offset, deliveryCount } = hand.entry[side];
          return { offset, deliveryCount, settlement };
        }),
      ),
    );
  }

  private async renew(): Promise<void> {
    const ref = this.random.pick(GROUPS);
    const consumer = this.random.pick(CONSUMERS);
    const mine = this.hands.filter(
      (hand) => hand.group === ref.group && hand.consumer === consumer,
    );
    const latest = new Map(mine.map((hand) => [hand.entry.left.offset, hand]));
    const inHand = this.random.some([...latest.values()], 10);
    const swallowedAfterMs = this.random.chance(0.3) ? AT_ONCE_MS : NEVER_MS;
    await this.twins.ask(
      `${ref.group}/${consumer} renews ${inHand.length}, ${swallowedAfterMs}`,
      this.client(),
      async (stores, side) => {
        const renewal = {
          consumer,
          inHand: inHand.map(({ entry }) => entry[side]),
          swallowedAfterMs,
        };
        const { lost, released } = await stores.deliveries.renew(ref, renewal);
        return { lost: [...lost].sort(), released };
      },
    );
  }

  private async reclaim(): Promise<void> {
    const ref = this.random.pick(GROUPS);
    const consumer = this.random.pick(CONSUMERS);
    const limit = this.random.pick([1, 3, 100]);
    await this.twins.ask(`${ref.group}/${consumer} is dead, ${limit}`, this.client(), (stores) =>
      stores.deliveries.reclaim(ref, consumer, limit),
    );
  }

  private async lookAround(): Promise<void> {
    const ref = this.random.pick(GROUPS);
    await this.twins.ask(`look at ${ref.group}`, this.client(), async (stores) => [
      await stores.deliveries.lag(ref),
      await stores.log.extent(QUEUE),
      await stores.schedule.count(QUEUE),
    ]);
  }

  private async tendDeadLetters(): Promise<void> {
    const ref = this.random.pick(GROUPS);
    const list = await this.twins.ask(`dead letters of ${ref.group}`, this.client(), (stores) =>
      stores.deadLetters.list(ref, { count: 100 }),
    );
    const known = list.left.map((left, i) => ({ left, right: list.right[i]! }));
    this.letters = [...this.letters, ...known].slice(-20);
    const letter = this.letters.length > 0 ? this.random.pick(this.letters) : undefined;
    if (!letter) return;
    // Perhaps one of the other group, or one that is gone.
    if (this.random.chance(0.7))
      await this.twins.ask('redrive', this.client(), (stores, side) =>
        stores.deadLetters.redrive(ref, letter[side].id),
      );
    else
      await this.twins.ask('remove a dead letter', this.client(), (stores, side) =>
        stores.deadLetters.remove(ref, [letter[side].id]),
      );
    await this.twins.advance(1);
  }
}
