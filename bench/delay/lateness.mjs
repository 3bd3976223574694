import { run } from '../process.mjs';
import { openApp, subscriber, TOPIC } from '../rivulet.mjs';
import { percentile } from '../statistics.mjs';

/** Start of the handler minus the time the message was due. */
export default async function lateness(job) {
  const lateMs = [];
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const Receiver = subscriber([TOPIC], { concurrency: 100 }, ({ dueAt }) => {
    if (lateMs.push(Date.now() - dueAt) === job.messages) finish();
  });
  const app = await openApp({ providers: [Receiver] });
  await run('delay/load.mjs', job);
  await finished;
  await app.close();
  return {
    p50Ms: percentile(lateMs, 0.5),
    p99Ms: percentile(lateMs, 0.99),
    earliestMs: Math.min(...lateMs),
  };
}
