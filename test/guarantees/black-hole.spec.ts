import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import { tellFigures } from '../helpers/figures.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

let redis: TestRedis;
let proxy: TcpProxy;
beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  proxy = await TcpProxy.inFrontOf(redis.port);
});
afterEach(() => proxy.close());
afterAll(() => redis.stop());

describe('a network that swallows everything without a word', () => {
  it('lets every send end in time, as failed or unknown, and sends go on afterwards', async () => {
    const settings = { ...IMPATIENT, producer: { sendTimeoutMs: 1_500 } };
    // Left alone, a silent socket would be given up long after this test.
    const connection = { host: '127.0.0.1', port: proxy.port, socketTimeout: 600_000 };
    const producing = connect(connection, 'hole', settings);
    await producing.open();
    await publishMany(producing, 8, { prefix: 'before' });
    proxy.swallow();
    const begunAt = performance.now();
    const sends = Array.from({ length: 200 }, (_, i) =>
      producing.producer.send('orders', i, { key: `in${i}`, messageGroup: `g${i % 10}` }),
    );
    const settled = await within(60_000, 'the end of each send', Promise.allSettled(sends));
    const tookMs = Math.round(performance.now() - begunAt);
    const reasons = settled.map((send) => (send.status === 'rejected' ? send.reason : 'resolved'));
    const unknown = reasons.filter((reason) => reason instanceof SendOutcomeUnknownError).length;
    const failed = reasons.filter((reason) => reason instanceof SendFailedError).length;
    expect(unknown + failed).toBe(200);

    proxy.heal();
    const healedAt = performance.now();
    const after = await producing.producer.send('orders', 'after', {
      key: 'after',
      timeoutMs: 60_000,
    });
    const backMs = Math.round(performance.now() - healedAt);
    expect(after.state).toBe('stored');

    const direct = connect(redis.url, 'hole');
    const handled = new Handled();
    direct.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      handler: (delivery) => handled.note(delivery),
    });
    await direct.consume();
    await within(60_000, 'the last message', handled.all(['after']));
    const stored = settled.filter((_, i) => handled.times.has(`in${i}`)).length;
    tellFigures('black-hole-producer', {
      ...{ sent: 200, failed, unknown, stored, endedAfterMs: tookMs, sendsBackMs: backMs },
      again: handled.repeated,
    });
    expect(handled.repeated).toBe(0);
    await Promise.all([producing.stop(1_000), direct.stop(1_000)]);
  });

  it('delays deliveries only as long as it lasts, and loses none that were on their way', async () => {
    const producing = connect(redis.url, 'hole2');
    const consuming = connect(proxy.url, 'hole2');
    const handled = new Handled();
    consuming.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      handler: (delivery) => handled.note(delivery),
    });
    await consuming.consume();
    const before = await publishMany(producing, 20, { prefix: 'before' });
    await within(60_000, 'the first messages', handled.all(before));
    proxy.swallow();
    // The server hands these out to a reader that never gets them.
    const during = await publishMany(producing, 20, { prefix: 'during' });
    expect(during).toHaveLength(20);
    await within(
      60_000,
      'the loss of the connection',
      consuming.events.next('connection', ({ state }) => state === 'lost'),
    );
    proxy.heal();
    const healedAt = performance.now();
    const after = await publishMany(producing, 20, { prefix: 'after' });
    await within(60_000, 'what was on its way', handled.all([...during, ...after])).catch(() => {});
    const backMs = Math.round(performance.now() - healedAt);
    tellFigures('black-hole-consumer', {
      ...{ sent: 60, handled: handled.times.size, lost: 60 - handled.times.size },
      ...{ again: handled.repeated, handlingBackMs: backMs },
    });
    expect(handled.missing([...during, ...after])).toEqual([]);
    expect(handled.repeated).toBe(0);
    await Promise.all([producing.stop(1_000), consuming.stop(1_000)]);
  });

  it('gives what a process behind it held to another, once its heartbeat stops', async () => {
    const producing = connect(redis.url, 'hole3');
    const behind = connect(proxy.url, 'hole3');
    const other = connect(redis.url, 'hole3');
    const held = new Set<string>();
    const signals: AbortSignal[] = [];
    const holding = new Promise<void>((resolve) => {
      behind.subscribe({
        topic: 'orders',
        group: 'billing',
        origin: 'behind',
        handler: ({ message, signal }) => {
          held.add(message.key!);
          signals.push(signal);
          if (held.size === 5) resolve();
          return new Promise(() => {});
        },
      });
    });
    await behind.consume();
    const keys = await publishMany(producing, 5);
    await within(60_000, 'deliveries in hand', holding);
    const handled = new Handled();
    other.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'other',
      handler: (delivery) => handled.note(delivery),
    });
    await other.consume();
    proxy.swallow();
    const begunAt = performance.now();
    await within(60_000, 'the take-over', handled.all(keys));
    const tookMs = Math.round(performance.now() - begunAt);
    proxy.heal();
    const told = Promise.all(
      signals.map((signal) =>
        signal.aborted
          ? undefined
          : new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
      ),
    );
    await within(60_000, 'the abort of what was taken away', told);
    tellFigures('black-hole-take-over', {
      ...{ sent: 5, handled: handled.times.size, again: handled.repeated, handlingBackMs: tookMs },
    });
    expect(handled.repeated).toBe(0);
    await Promise.all([producing.stop(500), behind.stop(500), other.stop(500)]);
  });
});
