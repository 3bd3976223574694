import { MemoryParticipant } from '../../lib/testing/memory-participant.js';
import type { MemoryTransaction } from '../../lib/testing/memory-database.js';
import type { ParticipantHarness } from './harness.js';
import { describeParticipant } from './participant.contract.js';

async function open(): Promise<ParticipantHarness<MemoryTransaction>> {
  let first = new MemoryParticipant();
  const orders = (): string[] => first.keys().toSorted();
  return {
    dialect: 'sqlite',
    open: async (options) => new MemoryParticipant({ shared: first, ...options }),
    write: async (tx, order) => tx.set(order, 'placed'),
    read: async (tx) => tx.get('none'),
    orders: async () => orders(),
    empty: async () => first.clear(),
    close: async () => void (first = new MemoryParticipant()),
  };
}

describe('the participant in memory, for tests', () => {
  describeParticipant(open, { writersMeet: true });
});
