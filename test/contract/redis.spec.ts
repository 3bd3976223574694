import { describeStores } from './all.js';
import { useRedis } from './open-redis.js';

describe('with a server', () => {
  describeStores('on Redis', useRedis());
});
