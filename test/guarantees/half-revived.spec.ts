import { join } from 'node:path';
import { createClient, type Client, type Transaction } from '@libsql/client';
import { Redis } from 'ioredis';
import { Rivulet } from '../../lib/core/rivulet.js';
import { libsqlParticipant } from '../../lib/participants/libsql.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { ShopFloor } from '../helpers/shop-floor.js';
import { within } from '../helpers/workload.js';

const NAMESPACE = 'revived';
const QUEUE = `{${NAMESPACE}:orders:0}`;

/** A replica that became the primary has what Redis had between COMMIT and the commit of the messages. */
describe('a half message that a failover of Redis brings back after it was decided', () => {
  let redis: TestRedis;
  let operator: Redis;
  let database: Client;
  let rivulet: Rivulet;
  let stores: RedisStores;
  let floor: ShopFloor;
  let onCommitted: () => Promise<void> = async () => undefined;
  let handled: string[];
  beforeEach(async () => {
    redis = await startRedis();
    operator = new Redis(redis.url);
    database = createClient({ url: `file:${join(redis.dir, 'shop.db')}` });
    await database.execute('CREATE TABLE orders (id TEXT PRIMARY KEY)');
    const real = libsqlParticipant(database);
    const participant: typeof real = {
      ...real,
      async run(body, options) {
        const result = await real.run(body, options);
        await onCommitted();
        return result;
      },
    };
    stores = new RedisStores({ connection: redis.url, namespace: NAMESPACE });
    const transactions = { participants: [participant], checkAfterMs: 500 };
    rivulet = new Rivulet({ stores, settings: { topics: { queues: 1 }, transactions } });
    floor = new ShopFloor({ stores, topics: ['orders'], queues: 1 });
    handled = [];
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'half-revived.spec',
      idempotent: { participant: 'default' },
      handler: async ({ message }) => void handled.push(message.messageId),
    });
    await rivulet.open(30_000);
    await rivulet.consume();
  });
  afterEach(async () => {
    onCommitted = async () => undefined;
    await rivulet.stop();
    operator.disconnect();
    database.close();
    await redis.stop();
  });

  const query = async (sql: string) =>
    (await database.execute(sql)).rows.map((row) => ({ ...row }));
  /** @returns the id of its message */
  const place = (id: string): Promise<string> =>
    rivulet.transactions.run(async (tx: Transaction) => {
      await tx.execute({ sql: 'INSERT INTO orders VALUES (?)', args: [id] });
      return (await rivulet.producer.send('orders', id)).messageId;
    });
  /** What is stored now of the queue; what it answers puts that back, at once, in the place of what is there then. */
  async function copyOf(...patterns: string[]): Promise<() => Promise<unknown>> {
    const keys = async (): Promise<string[]> =>
      (await Promise.all(patterns.map((each) => operator.keys(`${QUEUE}:${each}`)))).flat();
    const names = await keys();
    const copies = await Promise.all(names.map((name) => operator.dumpBuffer(name)));
    return async () => {
      const all = operator.multi().del(...(await keys()));
      names.forEach((name, i) => all.restore(name, 0, copies[i]!));
      return all.exec();
    };
  }
  /** Places an order. @returns the id of its message, once that was handled; and what goes back to before its commit. */
  async function placed(...patterns: string[]) {
    const acked = nextEvent('acked');
    let putBack: () => Promise<unknown> = async () => undefined;
    onCommitted = async () => {
      onCommitted = async () => undefined;
      putBack = await copyOf(...patterns);
    };
    const messageId = await place('a');
    await floor.whenDecided({ query });
    expect(await acked).toMatchObject({ messageId });
    return { messageId, putBack };
  }

  it('is delivered again under its id while its message is there, too, and handled once', async () => {
    const { messageId, putBack } = await placed('half', 'checks:*', 'done:*');
    const duplicate = nextEvent('duplicate');
    await putBack();
    expect(await duplicate).toMatchObject({ messageId });
    await floor.whenDecided({ query });
    expect(await floor.messages('orders')).toEqual(new Map([['a', 2]]));
    expect(handled).toEqual([messageId]);
  });

  it('is delivered once when its message is gone', async () => {
    const { messageId, putBack } = await placed('*');
    const duplicate = nextEvent('duplicate');
    await putBack();
    expect(await duplicate).toMatchObject({ messageId });
    await floor.whenDecided({ query });
    expect(await floor.messages('orders')).toEqual(new Map([['a', 1]]));
    expect(handled).toEqual([messageId]);
  });

  const nextEvent = (name: 'acked' | 'duplicate') =>
    within(60_000, name, new Promise((resolve) => rivulet.events.on(name, resolve)));
});
