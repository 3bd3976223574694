export type { Settled } from './deliveries.js';
export { ManualClock } from './manual-clock.js';
export type { MemoryTransaction } from './memory-database.js';
export { type LostCommit, MemoryParticipant } from './memory-participant.js';
export { MemoryStores } from './memory-stores.js';
export type { DeadLetter, SentMessage } from './stored-messages.js';
export { TestBed, type TestBedOptions, type TestSubscription } from './test-bed.js';
