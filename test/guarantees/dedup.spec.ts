import { setTimeout as pass } from 'node:timers/promises';
import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import type { SendResult } from '../../lib/core/message/message.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, Handled, within } from '../helpers/workload.js';

const SENDS = Number(process.env['RIVULET_SENDS'] ?? 1_500);

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

it('stores a message once, however often its sender tries again with the same dedup id', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  // Two processes, since a sender that was restarted tries again, too.
  const senders = [connect(proxy.url, 'dedup'), connect(proxy.url, 'dedup')];
  await Promise.all(senders.map((sender) => sender.open()));
  await senders[0]!.producer.send('orders', 'warm-up', { key: 'warm-up' });
  proxy.cutConnections(() => ({
    direction: random() < 0.5 ? 'request' : 'reply',
    cutAfterBytes: Math.floor(3_000 + random() * 12_000),
  }));
  proxy.cutNow();

  let tries = 0;
  let unknown = 0;
  const results = new Map<string, SendResult[]>();
  const sendUntilConfirmed = async (n: number): Promise<void> => {
    const key = `m${n}`;
    const options = {
      key,
      dedupId: `d${n}`,
      timeoutMs: 20 + Math.floor(random() * 100),
      ...(n % 3 === 0 ? { messageGroup: `g${n % 7}` } : {}),
      ...(n % 5 === 0 ? { delayMs: 500 } : {}),
    };
    for (;;) {
      tries += 1;
      const sender = senders[Math.floor(random() * senders.length)]!;
      try {
        const result = await sender.producer.send('orders', { n }, options);
        results.set(key, [...(results.get(key) ?? []), result]);
        return;
      } catch (error) {
        if (error instanceof SendOutcomeUnknownError) unknown += 1;
        else if (!(error instanceof SendFailedError)) throw error;
        await pass(random() * 20);
      }
    }
  };
  const workers = Array.from({ length: 40 }, async (_, worker) => {
    for (let n = worker; n < SENDS; n += 40) {
      await sendUntilConfirmed(n);
      // Some senders do not trust the confirm.
      if (random() < 0.2) await sendUntilConfirmed(n);
    }
  });
  await within(60_000, 'the confirms', Promise.all(workers));
  proxy.heal();

  const consuming = connect(redis.url, 'dedup');
  const handled = new Handled();
  consuming.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'billing',
    concurrency: 50,
    handler: (delivery) => handled.note(delivery),
  });
  await consuming.consume();
  await within(60_000, 'all messages', handled.all(results.keys())).catch(() => {});
  const disagree = [...results.values()].filter(
    (some) => new Set(some.map(({ messageId }) => messageId)).size > 1,
  );
  console.log(
    `dedup seed=${seed} messages=${SENDS} tries=${tries} unknown=${unknown} cuts=${proxy.cuts} ` +
      `missing=${handled.missing(results.keys()).length} doubled=${handled.repeated} different-answers=${disagree.length}`,
  );
  expect(results.size).toBe(SENDS);
  expect(handled.missing(results.keys())).toEqual([]);
  expect(handled.repeated).toBe(0);
  expect(disagree).toEqual([]);
  await Promise.all([...senders, consuming].map((one) => one.stop(2_000)));
});
