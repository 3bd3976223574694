// Throughput over many topics, each with its own `@Subscribe` handler: all of them read before the first message is
// sent, so that their start is no part of it. Another process sends as fast as it can meanwhile. It waits until its
// warm-up was handled: with few topics it gets ahead, and what it had sent by then would be measured as if it cost nothing.
import { Meter } from '../consume/meter.mjs';
import { start } from '../process.mjs';
import { openApp, subscriber } from '../rivulet.mjs';

export default async function consume({ concurrency, ...job }) {
  const topics = Array.from({ length: job.topics }, (_, i) => `bench-${i}`);
  const meter = new Meter(job);
  const Consumer = subscriber(topics, { concurrency }, () => meter.tick());
  const app = await openApp({ providers: [Consumer] });
  const load = await start('topics/load.mjs', { ...job, topics });
  await meter.warm;
  // Its word to go on; resolves when it has sent all.
  await load.stop();
  const figures = await meter.finished;
  await app.close();
  return figures;
}
