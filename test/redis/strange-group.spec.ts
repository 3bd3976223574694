import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';

const QUEUE = { topic: 'orders', queue: 0 };
const NOTE = '{"reason":"full","at":5,"consumer":"none"}';

/** Somebody looks into a queue with a consumer group that no member ever joined, by redis-cli say. */
describe('a full queue with a consumer group that nobody registered', () => {
  const server = useOperatedRedis();
  let stores: RedisStores;
  let log: string;
  beforeEach(async () => {
    const namespace = newNamespace();
    stores = await openStores(server.url, { namespace });
    log = new Keys({ namespace }).queue(QUEUE).log;
    const { generation } = await stores.topics.declare('orders', { queues: 1, maxLength: 4 });
    await stores.topics.joinGroup('orders', {
      ...{ group: 'billing', mode: 'unordered', filterDigest: '', from: 'earliest' },
    });
    await stores.log.append(session('orders', generation).call(entries('a', 'b', 'c', 'd')));
    await server.operator.xgroup('CREATE', log, 'stranger', '0');
  });
  afterEach(() => stores.close());

  it('keeps what that group has not settled, as long as nothing has to give way', async () => {
    const reader = stores.deliveries.openReader('billing', 'member');
    const { signal } = new AbortController();
    const read = await reader.read({ queues: [QUEUE], perQueue: 4, blockMs: 0, signal });
    await stores.deliveries.settle(
      { ...QUEUE, group: 'billing' },
      'member',
      read.map(({ offset }) => ({ offset, deliveryCount: 1, settlement: { kind: 'ack' } })),
    );
    await reader.close();
    const settled = { count: 10, drop: 'settled', note: NOTE } as const;
    expect(await stores.log.makeRoom(QUEUE, settled)).toEqual({ dropped: 0, deadLetters: 0 });
    await server.operator.xreadgroup('GROUP', 'stranger', 'me', 'COUNT', 2, 'STREAMS', log, '>');
    await server.operator.xack(log, 'stranger', read[0]!.offset);
    expect(await stores.log.makeRoom(QUEUE, settled)).toEqual({ dropped: 1, deadLetters: 0 });
  });

  it('gives way all the same where it is told to, with dead letters for its own groups', async () => {
    await server.operator.xreadgroup('GROUP', 'stranger', 'me', 'COUNT', 1, 'STREAMS', log, '>');
    const oldest = { count: 2, drop: 'oldest', note: NOTE } as const;
    expect(await stores.log.makeRoom(QUEUE, oldest)).toEqual({ dropped: 2, deadLetters: 2 });
    expect(await stores.deadLetters.count({ ...QUEUE, group: 'billing' })).toBe(2);
    expect(await stores.deadLetters.count({ ...QUEUE, group: 'stranger' })).toBe(0);
    expect((await server.operator.xpending(log, 'stranger'))[0]).toBe(0);
  });
});
