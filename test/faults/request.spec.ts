import {
  SendFailedError,
  SendOutcomeUnknownError,
  StoreUnavailableError,
} from '../../lib/core/message/errors.js';
import { RequestTimeoutError } from '../../lib/core/producer/requester.js';
import { tellFigures } from '../helpers/figures.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, within } from '../helpers/workload.js';

const REQUESTS = Number(process.env['RIVULET_REQUESTS'] ?? 600);
const IN_FLIGHT = 20;
const TIMEOUT_MS = 3_000;
/** What a request may end with, beside its answer. */
const ALLOWED = [
  RequestTimeoutError,
  SendFailedError,
  SendOutcomeUnknownError,
  StoreUnavailableError,
];

let redis: TestRedis;
let proxy: TcpProxy;
beforeAll(async () => {
  redis = await startRedis();
  proxy = await TcpProxy.inFrontOf(redis.port);
});
afterAll(async () => {
  await proxy.close();
  await redis.stop();
});

it('ends each request once, with its own answer or a reason, while connections on both sides are cut', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const asking = connect(proxy.url, 'asked');
  const answering = connect(proxy.url, 'asked');
  answering.subscribe({
    topic: 'quotes',
    group: 'pricing',
    origin: 'pricing',
    concurrency: 16,
    reply: true,
    handler: ({ body }) => ({ quoteOf: (body as { n: number }).n }),
  });
  await answering.consume();
  await asking.open();

  const told = { answered: 0, timedOut: 0, failed: 0, wrong: 0 };
  const ask = async (n: number): Promise<void> => {
    try {
      const answer = await asking.requester.request('quotes', { n }, { timeoutMs: TIMEOUT_MS });
      if ((answer as { quoteOf: number }).quoteOf === n) told.answered += 1;
      else told.wrong += 1;
    } catch (error) {
      if (!ALLOWED.some((kind) => error instanceof kind)) throw error;
      if (error instanceof RequestTimeoutError) told.timedOut += 1;
      else told.failed += 1;
    }
  };
  const askAll = async (from: number, count: number): Promise<void> => {
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < from + count) await ask(next++);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  };
  await askAll(0, IN_FLIGHT);
  expect(told.answered).toBe(IN_FLIGHT);

  proxy.cutConnections(() => ({
    direction: random() < 0.5 ? 'request' : 'reply',
    cutAfterBytes: Math.floor(2_000 + random() * 20_000),
  }));
  proxy.cutNow();
  // Each has its time; together they have that many times over.
  await within(60_000, 'an end for each request', askAll(IN_FLIGHT, REQUESTS));
  const cuts = proxy.cuts;
  proxy.heal();
  const before = { ...told };
  await within(60_000, 'answers once all is well', askAll(IN_FLIGHT + REQUESTS, 100));
  tellFigures('cut-requests', {
    ...{ seed, asked: REQUESTS, ...before, cuts, kept: asking.requester.kept },
  });
  await Promise.all([asking.stop(2_000), answering.stop(2_000)]);
  expect(cuts).toBeGreaterThan(3);
  expect(before.wrong).toBe(0);
  expect(before.answered).toBeGreaterThan(REQUESTS / 4);
  expect(told.answered - before.answered).toBe(100);
  expect(asking.requester.kept).toBe(0);
});
