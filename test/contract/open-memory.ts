import { ManualClock } from '../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../lib/testing/memory-stores.js';
import type { Harness } from './harness.js';

/** A store of its own for each call. */
export function openMemory(): Promise<Harness> {
  const clock = new ManualClock();
  const stores = new MemoryStores({ clock });
  const clients = [stores];
  return Promise.resolve({
    stores,
    tamper: {
      addForeign: async (ref, fields) => stores.tamper.addForeign(ref, fields),
      deleteEntry: async (ref, offset) => stores.tamper.deleteEntry(ref, offset),
      dropGroup: async (ref) => stores.tamper.dropGroup(ref),
    },
    sibling: async () => {
      const sibling = stores.sibling();
      clients.push(sibling);
      return sibling;
    },
    advance: (ms) => clock.advance(ms),
    jump: (ms) => clock.set(clock.now() + ms),
    now: () => clock.now(),
    close: async () => {
      for (const client of clients) await client.close();
    },
  });
}
