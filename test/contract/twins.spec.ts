import { describeSameAnswers } from './differential.js';
import { openMemory } from './open-memory.js';
import { useRedis } from './open-redis.js';

describe('with a server', () => {
  describeSameAnswers('memory and Redis', openMemory, useRedis());
});
