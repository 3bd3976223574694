import { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { newNamespace, openStores } from './helpers/open-stores.js';

describe('a consumer group whose registration was deleted by hand', () => {
  const server = useOperatedRedis();
  const started: Rivulet[] = [];
  const namespace = newNamespace();
  afterEach(async () => {
    await Promise.all(started.splice(0).map((application) => application.stop()));
  });

  async function start(): Promise<Rivulet> {
    const stores = await openStores(server.url, { namespace });
    const application = new Rivulet({ stores, settings: { topics: { queues: 1 } } });
    started.push(application);
    application.subscribe({ topic: 'orders', group: 'billing', origin: 'test', handler: () => {} });
    await application.consume();
    return application;
  }

  it('is described with what to do, and again, with its progress, once a member starts', async () => {
    const application = await start();
    const acked = application.events.next('acked');
    await application.producer.send('orders', 1);
    await acked;
    await server.operator.del(new Keys({ namespace }).topic('orders').groups);
    const admin = new MessageAdmin({ rivulet: application });
    await expect(admin.describeGroup('orders', 'billing')).rejects.toThrow(
      'Topic "orders" has no consumer group "billing" (groups: none). A member registers it when it starts; if it was there, its registration was deleted: start a member again, and it goes on where it was.',
    );
    await start();
    expect(await admin.describeGroup('orders', 'billing')).toMatchObject({
      mode: 'unordered',
      total: { lag: 0, undelivered: 0, inFlight: 0 },
    });
  });
});
