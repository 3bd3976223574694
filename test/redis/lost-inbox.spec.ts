import { Redis } from 'ioredis';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect } from '../helpers/workload.js';

// Whoever asks would make its inbox again only after 20 s: an answer before that is the doing of whoever answers.
const REQUEST = { timeoutMs: 15_000 };

describe('An inbox of answers that Redis lost', () => {
  let redis: TestRedis;
  let asking: Rivulet;
  let answering: Rivulet;
  let handler: (body: unknown) => unknown;

  beforeEach(async () => {
    // What it holds does not outlive it.
    redis = await startRedis({ persistence: 'none' });
    asking = connect(redis.url, 'asked');
    answering = connect(redis.url, 'asked');
    handler = (body) => body;
    answering.subscribe({
      topic: 'quotes',
      group: 'pricing',
      origin: 'pricing',
      reply: true,
      handler: ({ body }) => handler(body),
    });
    await answering.consume();
    await asking.open();
    await asking.requester.request('quotes', 'first');
  });
  afterEach(async () => {
    await Promise.all([asking.stop(2_000), answering.stop(2_000)]);
    await redis.stop();
  });

  const flush = async (): Promise<void> => {
    const operator = new Redis(redis.url);
    await operator.flushall();
    operator.disconnect();
  };

  it('is there again for the answer of a handler that was at work', async () => {
    handler = async (body) => {
      await flush();
      return body;
    };
    await expect(asking.requester.request('quotes', 'a', REQUEST)).resolves.toBe('a');
  });

  it('is there again for what is asked afterwards', async () => {
    await flush();
    await expect(asking.requester.request('quotes', 'b', REQUEST)).resolves.toBe('b');
  });

  it('is there again after Redis was restarted empty', async () => {
    const isLost = asking.events.next('connection', ({ state }) => state === 'lost');
    await redis.kill();
    await isLost;
    await redis.restart();
    await expect(asking.requester.request('quotes', 'c', REQUEST)).resolves.toBe('c');
  });

  it('takes a large answer, too', async () => {
    handler = () => 'x'.repeat(100_000);
    await flush();
    await expect(asking.requester.request('quotes', 'd', REQUEST)).resolves.toHaveLength(100_000);
  });
});
