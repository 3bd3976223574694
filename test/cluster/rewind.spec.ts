import { describeRewindAdmin } from '../unit/inspect/rewind.suite.js';
import { clusterBeds } from '../redis/helpers/open-bed.js';

describe('MessageAdmin on a Redis Cluster', () => {
  describeRewindAdmin(clusterBeds());
});
