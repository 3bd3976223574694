import { once } from 'node:events';
import { setTimeout as pass } from 'node:timers/promises';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { lagLeft, publishMany, within } from '../helpers/workload.js';

/** Long: RIVULET_MESSAGES=1000. */
const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 100);
const LIMIT = { max: 10, perMs: 400 };
const CONCURRENCY = 4;
const PROGRAM = new URL('./programs/limited-consumer.mjs', import.meta.url);
const PATIENCE_MS = 60_000;

const server = useOperatedRedis();

/** The most that began within any `spanMs`. */
function mostWithin(spanMs: number, times: readonly number[]): number {
  return Math.max(
    ...times.map((from) => times.filter((at) => at >= from && at < from + spanMs).length),
  );
}

it('a rate limit holds for all processes together while some are killed and frozen, and nothing is lost', async () => {
  const facts = { namespace: 'limited', topic: 'orders', group: 'billing' };
  const producing = server.connect(facts.namespace);
  await producing.open();
  await publishMany(producing, MESSAGES);
  const job = { ...facts, concurrency: CONCURRENCY, rateLimit: LIMIT };
  const fleet = new Fleet({ program: PROGRAM, args: [server.url, JSON.stringify(job)] });
  const handled = (part: number): Promise<void> =>
    within(PATIENCE_MS, `part ${part}`, fleet.whenHandled(Math.floor(MESSAGES * part)));
  const [dying, freezing] = await Promise.all([fleet.launch(), fleet.launch(), fleet.launch()]);
  await handled(0.3);
  dying!.kill('SIGKILL');
  await once(dying!, 'exit');
  await fleet.launch();
  await handled(0.5);
  freezing!.kill('SIGSTOP');
  // Tokens it has taken are void by then.
  await pass(1_200);
  freezing!.kill('SIGCONT');
  await handled(1);
  expect(await lagLeft(producing, facts)).toBe(0);
  await fleet.stop();
  const entries = await server.operator.xrange('starts', '-', '+');
  const times = entries.map(([id]) => Number(id.split('-')[0]));
  const spanMs = Math.max(...times) - Math.min(...times);
  const most = mostWithin(LIMIT.perMs, times);
  tellFigures('rate-limit', { messages: MESSAGES, starts: times.length, most, spanMs });
  // A full bucket and what flows into it, and what was in the hands of who died or stood still.
  expect(most).toBeLessThanOrEqual(2 * LIMIT.max + 2 * CONCURRENCY);
  expect(times.length).toBeLessThanOrEqual(MESSAGES + 2 * CONCURRENCY);
});
