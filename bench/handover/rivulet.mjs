import { run } from '../process.mjs';
import { openApp, subscriber, TOPIC } from '../rivulet.mjs';
import { Stopwatch } from './stopwatch.mjs';

export default async function rivulet(job) {
  const stopwatch = new Stopwatch(job);
  const Receiver = subscriber([TOPIC], { concurrency: 100 }, ({ sentAt }) =>
    stopwatch.arrived(sentAt),
  );
  const app = await openApp({ providers: [Receiver] });
  await run('handover/rivulet-sender.mjs', job);
  const figures = await stopwatch.finished;
  await app.close();
  return figures;
}
