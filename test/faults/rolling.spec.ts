import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { connect, lagLeft, within } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/member.mjs', import.meta.url);
/** Long: RIVULET_RESTARTS=100. */
const RESTARTS = Number(process.env['RIVULET_RESTARTS'] ?? 6);
const MEMBERS = 3;
const CONCURRENCY = 8;
const LANES = 6;
/** One in so many is killed; the others are asked to stop. */
const KILLED = 10;

it('hands over without a repeat when processes are replaced one by one; a killed one repeats what it had in hand', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const redis = await startRedis();
  const history = new History();
  const namespace = 'rolling';
  const settings = { heartbeatMs: 300, deadAfterMs: 5_000, topics: { queues: 2 } };
  const consumes = {
    ...{ group: 'billing', concurrency: CONCURRENCY, handlerMs: 10, maxAttempts: 50 },
  };
  const launch = async (): Promise<Fleet> => {
    const args = [redis.url, JSON.stringify({ namespace, settings, consumes })];
    const fleet = new Fleet({ program: PROGRAM, history, args });
    await fleet.launch();
    return fleet;
  };
  const producing = connect(redis.url, namespace, settings);
  await producing.open();
  const calm = new AbortController();
  const sending = Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let seq = 0; !calm.signal.aborted; seq++) {
        const key = `${lane}:${seq}`;
        history.sent(key, { lane: `g${lane}`, seq });
        await producing.producer.send('orders', {}, { key, messageGroup: `g${lane}` });
        history.answered(key, 'confirmed');
        await pass(random() * 40);
      }
    }),
  );
  const members = await Promise.all(Array.from({ length: MEMBERS }, launch));
  let killed = 0;
  let mostStopMs = 0;
  for (let restart = 1; restart <= RESTARTS; restart++) {
    const enough = history.count('handled') + 20;
    await within(
      60_000,
      'messages',
      history.when(() => history.count('handled') >= enough),
    );
    const old = members.shift()!;
    // At least one in the short form, too.
    const isKilled = restart === 3 || random() < 1 / KILLED;
    const beganAt = performance.now();
    if (isKilled) await old.killOne(random);
    else await old.stop();
    if (isKilled) killed += 1;
    else mostStopMs = Math.max(mostStopMs, Math.round(performance.now() - beganAt));
    members.push(await launch());
  }
  calm.abort();
  await sending;
  const left = await lagLeft(producing, { topic: 'orders', group: 'billing' });
  const refs = [0, 1].map((queue) => ({ topic: 'orders', queue, group: 'billing' }));
  const listed = await Promise.all(refs.map((ref) => producing.stores.deliveries.consumers(ref)));
  await Promise.all(members.map((fleet) => fleet.stop()));
  await producing.stop(2_000);
  await redis.stop();
  const verdict = judge(history.happenings);
  const consumersListed = Math.max(...listed.map(({ length }) => length));
  tellFigures('rolling', {
    ...{ seed, restarts: RESTARTS, killed, ...figuresOf(verdict), left },
    ...{ mostStopMs, consumersListed },
  });
  expect(verdict).toMatchObject(FLAWLESS);
  expect(left).toBe(0);
  expect(verdict.again).toBeLessThanOrEqual(killed * 2 * CONCURRENCY);
  expect(consumersListed).toBeLessThanOrEqual(MEMBERS + 5);
}, 600_000);
