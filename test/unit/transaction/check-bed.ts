import { StoreTime } from '../../../lib/core/store/store-time.js';
import { Events, type RivuletEvents } from '../../../lib/core/runtime/events.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import type { HalfMessages, HalfMessageStore } from '../../../lib/core/store/half-message-store.js';
import type { CheckMethodBook } from '../../../lib/core/transaction/answerers.js';
import { BackCheckLoop } from '../../../lib/core/transaction/back-check-loop.js';
import type { HalfOwner } from '../../../lib/core/transaction/half-owner.js';
import type { HalfPlace } from '../../../lib/core/transaction/half-place.js';
import { HalfSender } from '../../../lib/core/transaction/half-sender.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { halfOf, newTransaction } from '../../contract/halves.js';
import { generationOf, logTexts, QUEUE } from '../../contract/messages.js';
import type { AppendEntry } from '../../../lib/core/store/message-log.js';
import type { FakeDatabase } from './fake-database.js';

export const CHECK_AFTER_MS = 5_000;
const NO_METHODS: CheckMethodBook = { names: [], ask: () => Promise.resolve('unknown') };

/** One process with half messages: it sends them, and asks about them. */
export class CheckBed {
  readonly clock: ManualClock;
  readonly stores: MemoryStores;
  readonly sender: HalfSender;
  readonly loop: BackCheckLoop;
  readonly checked: RivuletEvents['checked'][] = [];
  readonly parked: RivuletEvents['half-parked'][] = [];
  readonly released: number[] = [];
  readonly troubles: unknown[] = [];
  /** To its operator. */
  readonly said: string[] = [];
  /** What the loop asked of the store, by method. */
  readonly calls: string[] = [];
  private readonly storeTime: StoreTime;

  constructor(
    options: {
      databases?: readonly FakeDatabase[];
      methods?: CheckMethodBook;
      sets?: boolean;
      checkAfterMs?: number;
      of?: CheckBed;
    } = {},
  ) {
    const { databases = [], methods = NO_METHODS, sets = false, of } = options;
    this.clock = of?.clock ?? new ManualClock();
    this.stores = of?.stores.sibling() ?? new MemoryStores({ clock: this.clock });
    this.storeTime = new StoreTime({ clock: this.clock });
    const say = (line: string): void => void this.said.push(line);
    const events = new Events({ logger: silentLogger });
    events.on('checked', (facts) => this.checked.push(facts));
    events.on('half-parked', (facts) => this.parked.push(facts));
    const tools = {
      halves: this.stores.halves,
      clock: this.clock,
      storeTime: this.storeTime,
      noteRelease: (_: unknown, at: number) => void this.released.push(at),
      onError: (error: unknown) => void this.troubles.push(error),
    };
    this.sender = new HalfSender(tools);
    this.loop = new BackCheckLoop({
      ...tools,
      halves: this.counted(tools.halves),
      events,
      logger: { error: say, warn: say, log: say, debug() {} },
      databases: {
        list: () => databases.map(({ participant }) => participant),
        ready: (participant) => participant.identity(),
      },
      methods,
      sets,
      producerGroup: 'orders',
      inboxKeptMs: 7 * 86_400_000,
      checkAfterMs: options.checkAfterMs ?? CHECK_AFTER_MS,
    });
  }

  async open(): Promise<this> {
    await this.stores.topics.declare('orders', { queues: 2 });
    this.loop.start();
    await this.clock.settle();
    return this;
  }

  async place(owner: HalfOwner): Promise<HalfPlace> {
    return { ...QUEUE, generation: await generationOf(this.stores, 'orders'), owner };
  }

  /** A half that is prepared, of a transaction that begins now. */
  async prepare(
    owner: HalfOwner,
    entries: readonly (AppendEntry | string)[],
    more: Partial<HalfMessages> = {},
  ): Promise<HalfMessages> {
    const half = halfOf(entries, { id: newTransaction(this.clock.now()), ...more });
    const place = await this.place(owner);
    const preparing = this.sender.prepare(place, half, 250);
    await this.clock.settle();
    const { state } = await preparing;
    if (state !== 'prepared') throw new Error(`expected "prepared", got "${state}"`);
    return half;
  }

  private counted(halves: HalfMessageStore): HalfMessageStore {
    const counting = <T extends object>(target: T): T =>
      new Proxy(target, {
        get: (of, name: string) => {
          const method = Reflect.get(of, name) as (...args: unknown[]) => object;
          return (...args: unknown[]) => {
            if (name === 'agenda') return counting(method.apply(of, args));
            this.calls.push(name);
            return method.apply(of, args);
          };
        },
      });
    return counting(halves);
  }

  visible(): Promise<string[]> {
    return logTexts(this.stores);
  }

  async stop(): Promise<void> {
    const stopped = this.loop.stop();
    await this.clock.settle();
    await stopped;
  }
}
