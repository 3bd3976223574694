import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { seed as newSeed } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Traffic } from '../helpers/traffic.js';

const SECONDS = (process.env['RIVULET_FROZEN_SECONDS'] ?? '1').split(',').map(Number);

it.each(SECONDS)(
  'a Redis that stands still for %i s costs nothing but that time',
  async (seconds) => {
    const seed = newSeed();
    const redis = await startRedis();
    const traffic = await Traffic.start({ seed, directUrl: redis.url, namespace: 'frozen' });
    traffic.history.broken();
    await redis.kill('SIGSTOP');
    await pass(seconds * 1_000);
    await redis.kill('SIGCONT');
    await traffic.healed();
    const ending = await traffic.finish();
    tellFigures('frozen-redis', { seed, seconds, ...figuresOf(ending) });
    await redis.stop();
    expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
  },
);
