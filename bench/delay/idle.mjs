import { setTimeout as sleep } from 'node:timers/promises';
import { settleDown } from '../clock.mjs';
import { run } from '../process.mjs';
import { openApp, subscriber, TOPIC } from '../rivulet.mjs';

/** Share of one CPU that a process takes while nothing falls due. */
export default async function idle({ windowMs, ...job }) {
  const Receiver = subscriber([TOPIC], { concurrency: 100 }, () => {});
  const app = await openApp({ providers: [Receiver] });
  await run('delay/load.mjs', job);
  await settleDown();
  await sleep(1_000);
  const from = performance.now();
  const before = process.cpuUsage();
  await sleep(windowMs);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1e3 / (performance.now() - from);
  await app.close();
  return { share };
}
