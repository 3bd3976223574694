import { randomBytes } from 'node:crypto';
import { type Cluster, Redis } from 'ioredis';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import type { RedisConnection } from '../../../lib/redis/connection-options.js';
import { Keys } from '../../../lib/redis/keys.js';
import { RedisStores } from '../../../lib/redis/redis-stores.js';
import { clusterConnection, clusterOperator } from '../../helpers/cluster.js';
import { sharedServer, waitForServer } from '../../helpers/servers.js';
import type { OpenAdminBed } from '../../unit/inspect/bed.js';
import { ownServer } from './own-server.js';

/** Beds of a test file on one Redis, each in a namespace of its own. */
export function redisBeds(): OpenAdminBed {
  const own = ownServer();
  let namespaces = 0;
  return bedsOn(() => ({
    connection: own.url,
    operator: own.redis,
    namespace: `n${++namespaces}`,
  }));
}

/** Likewise, on the cluster that all test files share. */
export function clusterBeds(): OpenAdminBed {
  const prefix = randomBytes(4).toString('hex');
  let nodes: string;
  let operator: Cluster;
  let namespaces = 0;
  waitForServer('cluster');
  beforeAll(async () => {
    nodes = await sharedServer('cluster');
    operator = clusterOperator(nodes);
  });
  afterAll(() => operator.disconnect());
  return bedsOn(() => ({
    connection: clusterConnection(nodes),
    operator,
    namespace: `${prefix}-${++namespaces}`,
  }));
}

function bedsOn(
  place: () => { connection: RedisConnection; operator: Redis | Cluster; namespace: string },
): OpenAdminBed {
  return async (settings = {}) => {
    const { connection, operator, namespace } = place();
    const keys = new Keys({ namespace });
    const started: Rivulet[] = [];
    const another: Awaited<ReturnType<OpenAdminBed>>['another'] = async (chosen = settings) => {
      const stores = new RedisStores({ connection, namespace });
      const rivulet = new Rivulet({ stores, settings: chosen });
      started.push(rivulet);
      await rivulet.open();
      return rivulet;
    };
    const rivulet = await another();
    return {
      rivulet,
      stores: rivulet.stores,
      admin: new MessageAdmin({ rivulet }),
      addForeign: async (ref, fields) =>
        String(await operator.call('xadd', keys.queue(ref).log, '*', ...fields)),
      until: (promise) => promise,
      another,
      close: async () => void (await Promise.all(started.map((one) => one.stop()))),
    };
  };
}
