// A process whose client of a cluster is closed while it looks up where everything is, and that must be gone by itself afterwards.
// argv: nodes
import { once } from 'node:events';
import { CLUSTER_PROFILE, ClusterClient } from '../../../dist/redis/cluster-client.js';
import { leave, tell } from '../../helpers/parent.mjs';

class Closing extends ClusterClient {
  refreshSlotsCache(callback) {
    super.refreshSlotsCache(callback);
    if (this.status === 'ready') this.disconnect();
  }
}

const nodes = process.argv[2].split(',').map((node) => {
  const [host, port] = node.split(':');
  return { host, port: Number(port) };
});
const client = new Closing(nodes, { ...CLUSTER_PROFILE, slotsRefreshInterval: 50 });
const ended = once(client, 'end');
await once(client, 'ready');
await tell({ ready: true });
await ended;
leave();
