import type { OpenHarness } from './harness.js';
import { Random } from './random.js';
import { RandomLife } from './random-life.js';
import { Twin, Twins } from './twins.js';

const STEPS = 300;
const SHOWN = 40;

/** The same ones each time. `RIVULET_LIVES=n` lives so many new ones as well, `RIVULET_SEED=n` repeats one. */
function seeds(): number[] {
  const { RIVULET_SEED, RIVULET_LIVES = '0' } = process.env;
  if (RIVULET_SEED !== undefined) return [Number(RIVULET_SEED)];
  const fresh = Array.from({ length: Number(RIVULET_LIVES) }, () =>
    Math.floor(Math.random() * 1e9),
  );
  return [1, 2, 3, 4, 5, 6, ...fresh];
}

/** Two stores give the same answers to random calls of two clients. */
export function describeSameAnswers(
  name: string,
  openLeft: OpenHarness,
  openRight: OpenHarness,
): void {
  describe(name, () => {
    it.each(seeds())('give the same answers in the random life of seed %i', async (seed) => {
      const [left, right] = [await Twin.open(openLeft), await Twin.open(openRight)];
      const twins = new Twins(left, right);
      const life = new RandomLife(twins, new Random(seed));
      try {
        await life.begin();
        for (let step = 0; step < STEPS; step++) await life.step();
      } catch (error) {
        const story = twins.story.slice(-SHOWN).join('\n  ');
        (error as Error).message += `\n\nRIVULET_SEED=${seed}, after:\n  ${story}`;
        throw error;
      } finally {
        await life.end();
        await Promise.all([left.close(), right.close()]);
      }
    });
  });
}
