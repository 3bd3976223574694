import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { describeWithNamespace, Namespace } from '../helpers/namespace.js';
import { seed as newSeed } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Traffic } from '../helpers/traffic.js';

describeWithNamespace('mount')('a full disk', () => {
  it.each(['everysec', 'always'] as const)(
    'fails sends, costs nothing that was confirmed, and is over once there is room (appendfsync %s)',
    async (fsync) => {
      const seed = newSeed();
      const space = await Namespace.open('mount');
      let dir = '';
      const redis = await startRedis({
        persistence: `aof-${fsync}`,
        args: ['--auto-aof-rewrite-percentage', '0'],
        through: (place) => {
          ({ dir } = place);
          space.run(`mount -t tmpfs -o size=12m tmpfs ${dir}`);
          return space.enter;
        },
      });
      const namespace = `full-${fsync}`;
      const traffic = await Traffic.start({ seed, directUrl: redis.url, namespace });
      const { history } = traffic;
      history.broken();
      // All but two pages, so that the next writes find no room.
      space.run(
        `dd if=/dev/zero of=${dir}/ballast bs=4k count=$(($(df --output=avail -k ${dir} | tail -1) / 4 - 2)) 2>/dev/null`,
      );
      const from = history.happenings.length;
      const isRefused = (): boolean =>
        history.happenings.slice(from).some(({ kind }) => kind === 'failed' || kind === 'unknown');
      await history.when(isRefused);
      await pass(500); // of a full disk
      space.run(`rm ${dir}/ballast`);
      const hasEnded = fsync === 'always';
      if (hasEnded) await redis.restart();
      await traffic.healed();
      const ending = await traffic.finish();
      tellFigures(namespace, { seed, ...figuresOf(ending), restarted: hasEnded });
      await redis.stop();
      await space.close();
      expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
    },
  );
});
