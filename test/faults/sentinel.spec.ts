import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import type { Happening } from '../helpers/history.js';
import { seed as newSeed } from '../helpers/random.js';
import { promoted, startSentinel, type TestSentinel } from '../helpers/sentinel.js';
import { Traffic } from '../helpers/traffic.js';

/** Long: RIVULET_FROZEN_MASTER_SECONDS=7. */
const FROZEN_MS = Number(process.env['RIVULET_FROZEN_MASTER_SECONDS'] ?? 4) * 1_000;

const CUT_OFF_MS = 1_000;

let fleet: TestSentinel;
beforeEach(async () => {
  fleet = await startSentinel();
});
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
});

it('a master whose replicas were cut off for a moment before it was killed has confirmed nothing that they lack', async () => {
  const seed = newSeed();
  const traffic = await Traffic.start({
    ...{ seed, directUrl: fleet.connection, namespace: 'cut-off', replicas: 1 },
  });
  const [master, ...followers] = fleet.nodes;
  const clients = fleet.nodes.map(({ port }) => new Redis(port, '127.0.0.1'));
  for (const client of clients) client.on('error', () => {}); // one of them dies
  const [ofMaster, ...ofFollowers] = clients;
  traffic.history.broken();
  const brokenAt = performance.now();
  // They lose their connections, and the user with whom they could have new ones.
  for (const follower of ofFollowers) await follower.config('SET', 'masteruser', 'nobody');
  await ofMaster!.call('client', 'KILL', 'TYPE', 'replica');
  const isCutOff = async (): Promise<boolean> =>
    (await ofMaster!.info('replication')).includes('connected_slaves:0');
  while (!(await isCutOff())) await pass(20);
  const { happenings } = traffic.history;
  const from = happenings.length;
  await pass(CUT_OFF_MS);
  // Of what was sent before, a confirm may still be on its way here.
  const meanwhile = happenings.slice(from);
  const news = new Set(meanwhile.flatMap(({ kind, key }) => (kind === 'sent' ? [key] : [])));
  const isConfirmed = ({ kind, key }: Happening): boolean => kind === 'confirmed' && news.has(key);
  const confirmedMeanwhile = meanwhile.filter(isConfirmed).length;
  await master!.kill('SIGKILL');
  await promoted(...followers);
  const promotedMs = Math.round(performance.now() - brokenAt);
  for (const follower of ofFollowers) await follower.config('SET', 'masteruser', '');
  for (const client of clients) client.disconnect();
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures('sentinel-cut-off', {
    ...{ seed, cutOffMs: CUT_OFF_MS, confirmedMeanwhile, promotedMs, ...figuresOf(ending) },
  });
  expect(confirmedMeanwhile).toBe(0);
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
});

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
});
