import { AsyncLocalStorage } from 'node:async_hooks';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { Telemetry } from '../../lib/core/runtime/telemetry.js';
import type { TraceContext } from '../../lib/core/runtime/trace-context.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { newNamespace } from './helpers/open-stores.js';

const MESSAGES = 40;

/** A store that is asked for many at once answers them together: each handler is where its own message came from all the same. */
describe('an idempotent handler', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it.each([
    ['without telemetry', undefined],
    ['with telemetry', telemetry()],
  ])('sends in the trace of its message, %s', async (_, given) => {
    const stores = new RedisStores({ connection: server.url, namespace: newNamespace() });
    const rivulet = new Rivulet({ stores, telemetry: given, settings: { topics: { queues: 1 } } });
    for (let i = 0; i < MESSAGES; i++) await rivulet.producer.send('in', i, traced(i));
    const found = new Map<unknown, string | undefined>();
    const all = new Promise<void>((resolve) => {
      rivulet.subscribe({
        topic: 'out',
        group: 'g',
        origin: 'out',
        handler: ({ message, body }) => {
          found.set(body, message.traceparent);
          if (found.size === MESSAGES) resolve();
        },
      });
    });
    rivulet.subscribe({
      topic: 'in',
      group: 'g',
      origin: 'in',
      idempotent: true,
      concurrency: 100,
      handler: ({ body }) => {
        void rivulet.producer.send('out', body);
      },
    });
    await rivulet.consume();
    await all;
    await rivulet.stop();
    const numbers = Array.from({ length: MESSAGES }, (__, i) => i);
    expect(numbers.map((i) => found.get(i))).toEqual(numbers.map((i) => traced(i).traceparent));
  });
});

/** Each third belongs to no trace. */
function traced(i: number): { traceparent?: string } {
  const hex = (digits: number): string => (i + 1).toString(16).padStart(digits, '0');
  return i % 3 === 0 ? {} : { traceparent: `00-${hex(32)}-${hex(16)}-01` };
}

/** Knows where it is by a storage of its own, as OpenTelemetry does. */
function telemetry(): Telemetry {
  const storage = new AsyncLocalStorage<TraceContext | undefined>();
  return {
    current: () => storage.getStore(),
    sending: (sent, run) => run(sent.from ?? storage.getStore()),
    handling: ({ message }, run) => {
      const { traceparent } = message;
      return storage.run(traceparent === undefined ? undefined : { traceparent }, run);
    },
    handlingBatch: (_, run) => storage.run(undefined, run),
    measure: () => () => {},
  };
}
