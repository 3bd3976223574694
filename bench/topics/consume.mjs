// Throughput over many topics, each with its own `@Subscribe` handler: all of them read before the first message is
// sent, so that their start is no part of it. Another process sends as fast as it can meanwhile.
import { Meter } from '../consume/meter.mjs';
import { run } from '../process.mjs';
import { openApp, subscriber } from '../rivulet.mjs';

export default async function consume({ concurrency, ...job }) {
  const topics = Array.from({ length: job.topics }, (_, i) => `bench-${i}`);
  const meter = new Meter(job);
  const Consumer = subscriber(topics, { concurrency }, () => meter.tick());
  const app = await openApp({ providers: [Consumer] });
  await run('topics/load.mjs', { ...job, topics });
  const figures = await meter.finished;
  await app.close();
  return figures;
}
