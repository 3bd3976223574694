import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { describeWithPreload, Preload } from '../helpers/preload.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Traffic } from '../helpers/traffic.js';

/** Long: RIVULET_FSYNC_SLOW_MS=900. */
const SLOW_MS = Number(process.env['RIVULET_FSYNC_SLOW_MS'] ?? 200);
const DISKS = [
  // While an fsync runs, Redis puts a write off for up to 2 s, and has confirmed it (aof.c).
  { what: 'slow-disk-everysec', fsync: 'everysec', slowMs: SLOW_MS, isCut: false, doubtMs: 2_500 },
  { what: 'slow-disk-always', fsync: 'always', slowMs: SLOW_MS / 20, isCut: false, doubtMs: 0 },
  { what: 'power-cut-everysec', fsync: 'everysec', slowMs: 0, isCut: true, doubtMs: 2_000 },
  { what: 'power-cut-always', fsync: 'always', slowMs: 0, isCut: true, doubtMs: 0 },
] as const;

describeWithPreload('what a disk had not kept when Redis ended', () => {
  let preload: Preload;
  beforeAll(() => {
    preload = Preload.compile('disk');
  });
  afterAll(() => preload.remove());

  it.each(DISKS)(
    '$what: nothing older than $doubtMs ms is lost, and the rest goes on',
    async ({ what, fsync, slowMs, isCut, doubtMs }) => {
      const seed = newSeed();
      const synced = preload.file(what);
      const redis = await startRedis({
        persistence: `aof-${fsync}`,
        // A rewritten file would make what is cut off harder to tell.
        args: ['--auto-aof-rewrite-percentage', '0'],
        env: {
          ...{ ...preload.env, RIVULET_SYNCED: synced },
          ...{ RIVULET_FSYNC_SLOW_MS: String(slowMs) },
        },
      });
      const traffic = await Traffic.start({ seed, directUrl: redis.url, namespace: what });
      // What Redis has never asked the disk to keep is no file of which something would be left.
      while (isCut && keptOf(synced).size === 0) await pass(20);
      await pass(seededRandom(seed)() * 1_000);
      await redis.kill();
      const doubted = traffic.history.doubt(doubtMs);
      traffic.history.broken();
      const takenBytes = isCut ? cutOff(synced) : 0;
      await redis.restart();
      await traffic.healed();
      const ending = await traffic.finish();
      const { happenings } = traffic.history;
      const handled = new Set(happenings.flatMap((one) => (one.kind === 'handled' ? one.key : [])));
      tellFigures(what, {
        ...{ seed, slowMs, ...figuresOf(ending), takenBytes, confirmedJustBefore: doubted.length },
        ofTheseNeverHandled: doubted.filter((key) => !handled.has(key)).length,
      });
      await redis.stop();
      expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
    },
  );
});

/** What no fdatasync had reached is gone. @returns how many bytes. */
function cutOff(synced: string): number {
  const kept = keptOf(synced);
  expect(kept.size).toBe(1);
  const [[file, size]] = kept as unknown as [[string, number]];
  const taken = statSync(file).size - size;
  truncateSync(file, size);
  return taken;
}

/** Append-only files, by how much of them the last fdatasync has kept. */
function keptOf(synced: string): Map<string, number> {
  const kept = new Map<string, number>();
  if (!existsSync(synced)) return kept;
  for (const line of readFileSync(synced, 'utf8').trim().split('\n')) {
    const [size, ...path] = line.split(' ');
    if (line.includes('.incr.aof')) kept.set(path.join(' '), Number(size));
  }
  return kept;
}
