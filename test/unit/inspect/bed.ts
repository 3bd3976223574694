import type { Handler } from '../../../lib/core/consumer/subscription.js';
import type { SendOptions, SendResult } from '../../../lib/core/message/message.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import type { RivuletSettingsInput } from '../../../lib/core/settings.js';
import type { QueueRef } from '../../../lib/core/store/refs.js';
import type { Stores } from '../../../lib/core/store/stores.js';
import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

/** What the suites of `MessageAdmin` need of a store; the same suites run on memory and on Redis. */
export interface AdminBed {
  readonly rivulet: Rivulet;
  readonly admin: MessageAdmin;
  readonly stores: Stores;
  /** Another program writes an entry of its own. */
  addForeign(ref: QueueRef, fields: readonly Buffer[]): Promise<string>;
  /** Waits, and lets time pass if it does not pass by itself. */
  until<T>(promise: Promise<T>): Promise<T>;
  /** Another process with the same data. */
  another(settings?: RivuletSettingsInput): Promise<Rivulet>;
  close(): Promise<void>;
}

export type OpenAdminBed = (settings?: RivuletSettingsInput) => Promise<AdminBed>;

export const openMemoryBed = async (
  settings: RivuletSettingsInput = {},
): Promise<AdminBed & { clock: ManualClock }> => {
  const clock = new ManualClock();
  const stores = new MemoryStores({ clock });
  const started: Rivulet[] = [];
  const start = async (
    own: MemoryStores,
    chosen: RivuletSettingsInput = settings,
  ): Promise<Rivulet> => {
    const rivulet = new Rivulet({ stores: own, clock, settings: chosen });
    started.push(rivulet);
    await rivulet.open();
    return rivulet;
  };
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let ended = false;
    const settled = promise.finally(() => (ended = true));
    settled.catch(() => {});
    await clock.settle();
    while (!ended) await clock.advance(20);
    return settled;
  };
  const rivulet = await start(stores);
  return {
    clock,
    rivulet,
    stores,
    admin: new MessageAdmin({ rivulet }),
    addForeign: async (ref, fields) => stores.tamper.addForeign(ref, fields),
    until,
    another: (chosen) => start(stores.sibling(), chosen),
    close: async () => void (await until(Promise.all(started.map((one) => one.stop())))),
  };
};

/** The bed of the running test. */
export function useBed(open: OpenAdminBed, settings?: RivuletSettingsInput): AdminBed {
  let bed: AdminBed;
  beforeEach(async () => {
    bed = await open(settings);
  });
  afterEach(() => bed.close());
  return {
    get rivulet() {
      return bed.rivulet;
    },
    get admin() {
      return bed.admin;
    },
    get stores() {
      return bed.stores;
    },
    addForeign: (ref, fields) => bed.addForeign(ref, fields),
    until: (promise) => bed.until(promise),
    another: (chosen) => bed.another(chosen),
    close: () => bed.close(),
  };
}

export function publish(
  bed: AdminBed,
  body: unknown,
  options?: SendOptions,
  topic = 'orders',
): Promise<SendResult> {
  return bed.until(bed.rivulet.producer.send(topic, body, options));
}

/** Resolves when the group exists and is read. */
export async function consume(bed: AdminBed, handler: Handler, group = 'billing'): Promise<void> {
  bed.rivulet.subscribe({ topic: 'orders', group, origin: 'a test', handler });
  await bed.until(bed.rivulet.consume());
}

/** Resolves when so many deliveries of the group became dead letters. */
export function deadLettered(bed: AdminBed, count: number): Promise<void> {
  return bed.until(
    new Promise((resolve) => {
      let left = count;
      const off = bed.rivulet.events.on('dead-lettered', () => {
        left -= 1;
        if (left > 0) return;
        off();
        resolve();
      });
    }),
  );
}

export async function allOf<T>(pages: AsyncIterable<T[]>): Promise<T[]> {
  const found: T[] = [];
  for await (const page of pages) found.push(...page);
  return found;
}
