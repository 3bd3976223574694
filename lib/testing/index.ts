export { ManualClock } from './manual-clock.js';
export { MemoryStores } from './memory-stores.js';
