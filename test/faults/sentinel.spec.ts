import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { seed as newSeed } from '../helpers/random.js';
import { promoted, startSentinel, type TestSentinel } from '../helpers/sentinel.js';
import { Traffic } from '../helpers/traffic.js';

/** Long: RIVULET_FROZEN_MASTER_SECONDS=7. */
const FROZEN_MS = Number(process.env['RIVULET_FROZEN_MASTER_SECONDS'] ?? 4) * 1_000;

let fleet: TestSentinel;
beforeEach(async () => {
  fleet = await startSentinel();
}, 60_000);
afterEach(() => fleet.stop());

it('a master that is killed is followed by a replica, which has all that was confirmed', async () => {
  const seed = newSeed();
  const traffic = await Traffic.start({
    ...{ seed, directUrl: fleet.connection, namespace: 'killed', replicas: 1 },
  });
  const [master, ...followers] = fleet.nodes;
  traffic.history.broken();
  const brokenAt = performance.now();
  await master!.kill('SIGKILL');
  await promoted(...followers);
  const promotedMs = Math.round(performance.now() - brokenAt);
  await traffic.healed();
  const backMs = Math.round(performance.now() - brokenAt);
  const ending = await traffic.finish();
  tellFigures('sentinel-killed', { seed, promotedMs, backMs, ...figuresOf(ending) });
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
}, 120_000);

it('a master that was frozen meanwhile confirms nothing that its follower does not have', async () => {
  const seed = newSeed();
  const traffic = await Traffic.start({
    ...{ seed, directUrl: fleet.connection, namespace: 'frozen', replicas: 1 },
  });
  const [master, ...followers] = fleet.nodes;
  traffic.history.broken();
  const brokenAt = performance.now();
  await master!.kill('SIGSTOP');
  await Promise.all([promoted(...followers), pass(FROZEN_MS)]);
  await traffic.whenNewsFlow();
  const backMs = Math.round(performance.now() - brokenAt);
  await master!.kill('SIGCONT');
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures('sentinel-frozen', { seed, backMs, frozenMs: FROZEN_MS, ...figuresOf(ending) });
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
}, 120_000);
