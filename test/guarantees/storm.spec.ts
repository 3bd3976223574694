import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, IMPATIENT, within } from '../helpers/workload.js';

const SECONDS = Number(process.env['RIVULET_STORM_SECONDS'] ?? 6);
const PROGRAM = new URL('./programs/consumer.mjs', import.meta.url);
const FLEET = 3;

it('handles everything that was confirmed, whatever goes wrong at the same time', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const redis = await startRedis({ persistence: 'aof-always' });
  const proxy = await TcpProxy.inFrontOf(redis.port);
  const facts = { namespace: 'storm', topic: 'orders', group: 'billing' };
  const producing = connect(proxy.url, facts.namespace, {
    ...IMPATIENT,
    producer: { sendTimeoutMs: 5_000 },
  });
  const operator = new Redis(redis.url, { maxRetriesPerRequest: null });
  operator.on('error', () => {});
  const fleet = new Fleet({
    program: PROGRAM,
    args: [
      proxy.url,
      JSON.stringify({ ...facts, concurrency: 8, handlerMs: 10, maxAttempts: 100 }),
    ],
  });
  const crew = async (): Promise<void> => {
    while (fleet.size < FLEET) await fleet.launch().catch(() => undefined);
  };
  await producing.open();
  await crew();

  const outcomes = new Map<string, 'resolved' | 'failed' | 'unknown'>();
  const calm = new AbortController();
  const sending = Promise.all(
    Array.from({ length: 4 }, async (_, producer) => {
      for (let n = 0; !calm.signal.aborted; n++) {
        const key = `${producer}:${n}`;
        const delayMs = n % 5 === 0 ? 300 : 0;
        try {
          await producing.producer.send('orders', n, {
            key,
            messageGroup: `g${producer}`,
            delayMs,
          });
          outcomes.set(key, 'resolved');
        } catch (error) {
          if (error instanceof SendOutcomeUnknownError) outcomes.set(key, 'unknown');
          else if (error instanceof SendFailedError) outcomes.set(key, 'failed');
          else throw error;
        }
      }
    }),
  );

  const harms: Record<string, () => Promise<unknown>> = {
    'cut everything': async () => proxy.cutNow(),
    'kill a consumer': () => fleet.killOne(random),
    'crash Redis': async () => {
      await redis.kill();
      await redis.restart();
    },
    'forget the scripts': () => operator.script('FLUSH'),
    'close every connection': () =>
      operator.call('client', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    'swallow for a moment': async () => {
      proxy.swallow();
      await pass(200 + random() * 600);
      proxy.heal();
      proxy.cutNow();
    },
    'freeze Redis for a moment': async () => {
      await redis.kill('SIGSTOP');
      await pass(random() * 500);
      await redis.kill('SIGCONT');
    },
  };
  const done: Record<string, number> = {};
  const endAt = performance.now() + SECONDS * 1_000;
  while (performance.now() < endAt) {
    const names = Object.keys(harms);
    const name = names[Math.floor(random() * names.length)]!;
    await harms[name]!();
    done[name] = (done[name] ?? 0) + 1;
    await crew();
    await pass(random() * 400);
  }
  calm.abort();
  await sending;

  const count = (wanted: string): number =>
    [...outcomes.values()].filter((outcome) => outcome === wanted).length;
  const resolved = [...outcomes]
    .filter(([, outcome]) => outcome === 'resolved')
    .map(([key]) => key);
  const missing = (): string[] => resolved.filter((key) => !fleet.handled.has(key));
  const drained = (async () => {
    while (missing().length > 0) await fleet.change();
  })();
  await within(60_000, 'handling what was confirmed', drained).catch(() => {});
  const ghosts = [...outcomes].filter(([key, o]) => o === 'failed' && fleet.handled.has(key));
  const again = [...fleet.handled.values()].filter((times) => times > 1).length;

  // Nothing was restarted by hand: what is sent now is handled soon.
  const probes = Array.from({ length: 100 }, (_, i) => `probe${i}`);
  await Promise.all(probes.map((key) => producing.producer.send('orders', key, { key })));
  const probed = (async () => {
    while (probes.some((key) => !fleet.handled.has(key))) await fleet.change();
  })();
  await within(60_000, 'the probe', probed);
  const admin = new MessageAdmin({ rivulet: producing });
  // An ack that was lost brings its message again: that one, too, is settled before the fleet may go.
  const settled = (async () => {
    while ((await admin.describeGroup('orders', 'billing')).total.lag !== 0) await pass(50);
  })();
  await within(60_000, 'settling everything', settled).catch(() => {});
  await fleet.stop();

  const { total, members } = await admin.describeGroup('orders', 'billing');
  let entries = 0;
  const keys = new Keys({ namespace: facts.namespace });
  for (let queue = 0; queue < 4; queue++)
    entries += await operator.xlen(keys.queue({ topic: 'orders', queue }).log);
  const doubled = entries - fleet.handled.size;
  tellFigures('storm', {
    ...{ seed, seconds: SECONDS, harms: Object.values(done).reduce((a, b) => a + b, 0) },
    ...{ sent: outcomes.size, confirmed: resolved.length, failed: count('failed') },
    ...{ unknown: count('unknown'), lost: missing().length, ghosts: ghosts.length, doubled, again },
    ...{ kills: fleet.kills, left: total.lag, deadLetters: total.deadLetters },
    membersLeft: members.length,
  });
  expect(missing()).toEqual([]);
  expect(ghosts).toEqual([]);
  expect(doubled).toBe(0);
  expect(total).toMatchObject({ lag: 0, deadLetters: 0 });
  expect(members).toEqual([]);
  await producing.stop(2_000);
  operator.disconnect();
  await proxy.close();
  await redis.stop();
});
