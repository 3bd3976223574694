// Three primaries with the persistence of the one server that everybody is measured on.
import { startCluster } from '../tools/redis/cluster.mjs';
import { findRedis } from '../tools/redis/find.mjs';

/** Gives `work` the connection to a cluster that ends with it. */
export async function onCluster(work) {
  const { url, stop } = await startCluster(findRedis(), {
    primaries: 3,
    replicas: 0,
    persistence: 'aof-everysec',
  });
  try {
    return await work({ cluster: url.split(',') });
  } finally {
    await stop();
  }
}
