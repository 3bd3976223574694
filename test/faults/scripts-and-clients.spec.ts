import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { seed as newSeed } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Traffic } from '../helpers/traffic.js';

const SECONDS = Number(process.env['RIVULET_UNREST_SECONDS'] ?? 3);

it('goes on while Redis forgets its scripts, closes connections and pauses clients', async () => {
  const seed = newSeed();
  const redis = await startRedis();
  const operator = new Redis(redis.url);
  const traffic = await Traffic.start({ seed, directUrl: redis.url, namespace: 'unrest' });
  traffic.history.broken();
  const done = { flushes: 0, closings: 0, pauses: 0 };
  const endAt = performance.now() + SECONDS * 1_000;
  for (let round = 0; performance.now() < endAt; round++) {
    await operator.script('FLUSH');
    done.flushes += 1;
    if (round % 20 === 10) {
      await operator.call('client', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      done.closings += 1;
    }
    if (round % 60 === 20) {
      await operator.call('client', 'PAUSE', SECONDS < 10 ? '500' : '5000', 'ALL');
      done.pauses += 1;
    }
    await pass(100);
  }
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures('scripts-and-clients', { seed, ...figuresOf(ending), ...done });
  operator.disconnect();
  await redis.stop();
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
});
