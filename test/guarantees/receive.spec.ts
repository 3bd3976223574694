import { once } from 'node:events';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { IMPATIENT, lagLeft, publishMany, within } from '../helpers/workload.js';

/** Long: RIVULET_MESSAGES=5000 RIVULET_KILLS=20 RIVULET_LONG=1. */
const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 300);
const KILLS = Number(process.env['RIVULET_KILLS'] ?? 3);
const POINTS: [at: string, nth: number][] = [
  ['reader.read answered', 1],
  ['deliveries.settle answered', 1],
  ...(process.env['RIVULET_LONG']
    ? ([
        ['reader.read sent', 1],
        ['deliveries.settle sent', 1],
        ['deliveries.settle sent', 4],
        ['deliveries.claimDue answered', 3],
        ['deliveries.settle answered', 5],
      ] as [string, number][])
    : []),
];
const PROGRAM = new URL('./programs/receiver.mjs', import.meta.url);
const PATIENCE_MS = 60_000;
const MAX = 8;
const INVISIBLE_MS = 1_000;

const server = useOperatedRedis();

/** Receivers of a namespace with so many jobs, whose keys are numbers. */
async function jobs(namespace: string, count: number) {
  const facts = { namespace, topic: 'jobs', group: 'workers' };
  const producing = server.connect(namespace, { ...IMPATIENT, topics: { queues: 2 } });
  await producing.open();
  const keys = await publishMany(producing, count, { topic: 'jobs', prefix: '' });
  expect(keys).toHaveLength(count);
  const job = { ...facts, max: MAX, invisibleMs: INVISIBLE_MS, workMs: 5 };
  const fleetOf = (more: object = {}): Fleet =>
    new Fleet({ program: PROGRAM, args: [server.url, JSON.stringify({ ...job, ...more })] });
  return { keys, fleetOf, left: () => lagLeft(producing, facts) };
}

/** Of each message: which attempts its deliveries were, in the order in which they were told. */
function attemptsOf(...fleets: Fleet[]): (key: string) => number[] {
  return (key) => fleets.flatMap((fleet) => fleet.started.get(key) ?? []);
}

it('jobs that were received are not lost with who received them: each comes again, with the next attempt', async () => {
  const { keys, fleetOf, left } = await jobs('dies', 20);
  // It dies with eight jobs in hand, of which it has done three.
  const doomed = fleetOf({ harm: { at: 'acked', nth: 3 } });
  const survivor = fleetOf();
  const dying = await doomed.launch();
  await within(PATIENCE_MS, 'its death', once(dying, 'exit'));
  const inHand = [...doomed.started.keys()].filter((key) => !doomed.handled.has(key));
  expect(inHand.length).toBeGreaterThan(0);
  await survivor.launch();
  await within(PATIENCE_MS, 'the rest', survivor.whenHandled(20 - doomed.handled.size));
  expect(await left()).toBe(0);
  await survivor.stop();
  for (const key of doomed.handled.keys()) expect(survivor.started.has(key)).toBe(false);
  const attempts = attemptsOf(doomed, survivor);
  for (const key of keys) expect(attempts(key)).toEqual(attempts(key).map((_, i) => i + 1));
  for (const key of inHand) expect(attempts(key).length).toBeGreaterThan(1);
  expect([...survivor.handled.values()]).toEqual(Array(survivor.handled.size).fill(1));
});

it.each(POINTS)(
  'a receiver that dies between a call and its reply (%s, %s) loses none, and no attempt is left out',
  async (at, nth) => {
    const { keys, fleetOf, left } = await jobs(`${at.replaceAll(/\W/g, '-')}-${nth}`, 20);
    const doomed = fleetOf({ harm: { at, nth } });
    const dying = await doomed.launch();
    if (dying.exitCode === null && dying.signalCode === null)
      await within(PATIENCE_MS, 'its death', once(dying, 'exit'));
    const survivor = fleetOf();
    await survivor.launch();
    const done = (): number => new Set([...doomed.handled.keys(), ...survivor.handled.keys()]).size;
    const all = (async () => {
      while (done() < keys.length && (await left()) !== 0) await survivor.change();
    })();
    await within(PATIENCE_MS, 'the rest', all);
    expect(await left()).toBe(0);
    await survivor.stop();
    // What was acked by a call whose answer nobody heard is done, too.
    expect(done()).toBeGreaterThanOrEqual(keys.length - 1);
    const attempts = attemptsOf(doomed, survivor);
    for (const key of keys) {
      const found = attempts(key);
      // One delivery at most was told to nobody.
      expect(found.filter((attempt, i) => attempt > i + 2)).toEqual([]);
      expect(found).toEqual(found.toSorted((a, b) => a - b));
    }
  },
);

it('a receiver that was frozen for longer than its jobs were hidden settles none of them any more', async () => {
  const { keys, fleetOf, left } = await jobs('frozen', 20);
  const slow = fleetOf({ workMs: 100 });
  const quick = fleetOf();
  const frozen = await slow.launch();
  while (slow.started.size < MAX) await within(PATIENCE_MS, 'its jobs', slow.change());
  frozen.kill('SIGSTOP');
  const mine = [...slow.started.keys()];
  const before = slow.handled.size;
  await quick.launch();
  expect(await left()).toBe(0);
  frozen.kill('SIGCONT');
  while (slow.refused.length === 0) await within(PATIENCE_MS, 'its refusal', slow.change());
  await Promise.all([slow.stop(), quick.stop()]);
  // One ack may have been on its way; what it said afterwards does not count.
  expect(slow.handled.size - before).toBeLessThanOrEqual(1);
  expect(slow.refused.every((key) => mine.includes(key))).toBe(true);
  const both = keys.filter((key) => slow.handled.has(key) && quick.handled.has(key));
  expect(both).toEqual([]);
  for (const key of slow.refused) expect(quick.started.get(key)!.at(-1)).toBeGreaterThan(1);
});

it('every job is done, and none is left, while receivers are killed again and again', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const { keys, fleetOf, left } = await jobs('killed', MESSAGES);
  const fleet = fleetOf();
  await Promise.all([fleet.launch(), fleet.launch(), fleet.launch()]);
  for (let kill = 1; kill <= KILLS; kill++) {
    const part = Math.floor((MESSAGES * kill) / (KILLS + 2));
    await within(PATIENCE_MS, `part ${kill}`, fleet.whenHandled(part));
    await fleet.killOne(random);
    await fleet.launch();
  }
  // An ack that its process could not tell of any more is found in the store.
  const isOver = async (): Promise<boolean> => (await left()) === 0;
  while (fleet.handled.size < MESSAGES && !(await isOver())) await fleet.change();
  const lag = await left();
  await fleet.stop();
  const silent = keys.filter((key) => !fleet.handled.has(key));
  const twice = [...fleet.handled.values()].filter((times) => times > 1).length;
  tellFigures('receive', {
    ...{ seed, sent: MESSAGES, kills: fleet.kills, handled: fleet.handled.size },
    ...{ silent: silent.length, twice, left: lag },
  });
  expect(lag).toBe(0);
  expect(silent.filter((key) => !fleet.started.has(key))).toEqual([]);
  expect(silent.length).toBeLessThanOrEqual(KILLS);
  expect(twice).toBe(0);
});
