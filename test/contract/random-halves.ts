import type { HalfMessages, HalfQueue } from '../../lib/core/store/half-message-store.js';
import type { AppendEntry } from '../../lib/core/store/message-log.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { halfOf, newTransaction } from './halves.js';
import { generationOf, QUEUE } from './messages.js';
import type { Random } from './random.js';
import type { Twins } from './twins.js';

const OWNERS = ['d:1', 'm:g/name'];
const REMEMBERED = 25;

/** Does with half messages what owners, checkers, relays and operators may do, in random order. */
export class RandomHalves {
  private readonly twins: Twins;
  private readonly random: Random;
  private readonly newEntry: () => AppendEntry;
  /** Those of late, decided or not. */
  private halves: { owner: string; half: HalfMessages }[] = [];

  constructor(options: { twins: Twins; random: Random; newEntry: () => AppendEntry }) {
    this.twins = options.twins;
    this.random = options.random;
    this.newEntry = options.newEntry;
  }

  async step(): Promise<void> {
    const { random } = this;
    const owner = random.pick(OWNERS);
    const queue: HalfQueue = { ...QUEUE, owner };
    const known = this.halves.filter((one) => one.owner === owner).map(({ half }) => half);
    const some = random.some(known, 4);
    const ids = some.map(({ id }) => id);
    const isOutdated = random.chance(0.1);
    const call = async (stores: Stores, halves: readonly HalfMessages[]) => ({
      ...queue,
      generation: isOutdated ? 0 : await generationOf(stores, 'orders'),
      halves,
    });
    const news = Array.from({ length: random.between(0, 3) }, () => this.newHalf(owner));
    await random.pick<() => Promise<unknown>>([
      () => this.ask('prepare', async (stores) => stores.halves.prepare(await call(stores, news))),
      () => this.ask('prepare', async (stores) => stores.halves.prepare(await call(stores, news))),
      () => this.ask('prepare again', async (s) => s.halves.prepare(await call(s, some))),
      () => this.ask('publish', async (s) => s.halves.publish(await call(s, [...some, ...news]))),
      () => this.ask('commit', (stores) => stores.halves.commit(queue, ids)),
      () => {
        const placement = { generation: random.between(1, 9), queues: random.between(1, 9) };
        const id = ids[0] ?? newTransaction(1);
        return this.ask('place', (stores) => stores.halves.placeOnce('orders', id, placement));
      },
      () =>
        this.ask('commit', (stores) => stores.halves.commit(queue, [...ids, newTransaction(1)])),
      () => this.ask('rollback', (stores) => stores.halves.rollback(queue, ids)),
      () => {
        const afterMs = random.between(0, 9_000);
        const items = ids.map((id) => ({ id, afterMs, answered: afterMs % 2 === 0 }));
        return this.ask('extend', (stores) => stores.halves.extend(queue, items));
      },
      () => {
        const claim = { limit: random.between(1, 9), leaseMs: 2_000, frames: random.chance(0.5) };
        return this.ask('claim', (stores) => stores.halves.claimDue(queue, claim));
      },
      () => {
        const items = ids.map((id) => ({ id, reason: 'a reason' }));
        return this.ask('park', (stores) => stores.halves.park(queue, items));
      },
      () => this.ask('unpark', (stores) => stores.halves.unpark(queue, ids)),
      () =>
        this.ask('look', async ({ halves }) => [
          await halves.list(QUEUE, { count: random.seed }),
          await halves.count(QUEUE),
          (await halves.oldest(queue)) === null,
        ]),
    ])();
    await this.twins.advance(1);
  }

  private newHalf(owner: string): HalfMessages {
    const entries = Array.from({ length: this.random.between(1, 3) }, this.newEntry);
    const half = halfOf(entries, { checkAfterMs: this.random.between(0, 6_000) });
    this.halves = [...this.halves, { owner, half }].slice(-REMEMBERED);
    return half;
  }

  private ask<T>(what: string, question: (stores: Stores) => Promise<T>): Promise<unknown> {
    return this.twins.ask(what, this.random.pick([0, 1]), question);
  }
}
