import { Redis } from 'ioredis';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { Keys } from '../../../lib/redis/keys.js';
import { RedisStores } from '../../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../../helpers/redis.js';
import type { OpenAdminBed } from '../../unit/inspect/bed.js';

/** Beds of a test file on one Redis, each in a namespace of its own. */
export function redisBeds(): OpenAdminBed {
  let server: TestRedis;
  let operator: Redis;
  let namespaces = 0;
  beforeAll(async () => {
    server = await startRedis();
    operator = new Redis(server.url);
  });
  afterAll(async () => {
    operator.disconnect();
    await server.stop();
  });
  return async (settings = {}) => {
    const namespace = `n${++namespaces}`;
    const keys = new Keys({ namespace });
    const started: Rivulet[] = [];
    const another: Awaited<ReturnType<OpenAdminBed>>['another'] = async (chosen = settings) => {
      const stores = new RedisStores({ connection: server.url, namespace });
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
