import { describeStores } from './all.js';
import { openMemory } from './open-memory.js';

describeStores('in memory', openMemory);
