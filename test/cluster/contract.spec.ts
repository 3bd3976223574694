import { describeStores } from '../contract/all.js';
import { useCluster } from '../contract/open-redis.js';

describe('with three primaries', () => {
  describeStores('on a Redis Cluster', useCluster());
});
