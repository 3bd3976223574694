import type { GroupQueue } from '../../lib/core/store/delivery-store.js';
import type { QueueRef } from '../../lib/core/store/refs.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { TestConsumer } from './test-consumer.js';

/** What happens behind the library's back. */
export interface Tamper {
  /** Another program appends an entry; `fields` are names and values in turn. */
  addForeign(ref: QueueRef, fields: readonly Buffer[]): Promise<string>;
  /** An operator deletes an entry. */
  deleteEntry(ref: QueueRef, offset: string): Promise<void>;
  /** The group is lost in this queue. */
  dropGroup(ref: GroupQueue): Promise<void>;
}

/** One store under test, fresh for every test. */
export interface Harness {
  readonly stores: Stores;
  readonly tamper: Tamper;
  /** Another client of the same data, as another process has it. */
  sibling(): Promise<Stores>;
  /** Moves the store's clock; a real clock behind it moves on by a few milliseconds as well. */
  advance(ms: number): Promise<void>;
  /** The store's clock jumps, as when it is corrected. */
  jump(ms: number): void;
  /** The store's time. */
  now(): number;
  /** Closes every client. */
  close(): Promise<void>;
}

export type OpenHarness = () => Promise<Harness>;

/** The harness of the running test. */
export interface Subject extends Harness {
  consumer(ref: GroupQueue, name: string, stores?: Stores): TestConsumer;
}

/** Opens a fresh harness before each test of the enclosing `describe` and closes it afterwards. */
export function useHarness(open: OpenHarness): Subject {
  let harness: Harness;
  let consumers: TestConsumer[];
  beforeEach(async () => {
    harness = await open();
    consumers = [];
  });
  afterEach(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close()));
    await harness.close();
  });
  return {
    get stores() {
      return harness.stores;
    },
    get tamper() {
      return harness.tamper;
    },
    sibling: () => harness.sibling(),
    advance: (ms) => harness.advance(ms),
    jump: (ms) => harness.jump(ms),
    now: () => harness.now(),
    close: () => harness.close(),
    consumer(ref, name, stores = harness.stores) {
      const consumer = new TestConsumer(stores, ref, name);
      consumers.push(consumer);
      return consumer;
    },
  };
}
