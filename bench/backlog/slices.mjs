// Throughput while so many messages wait. Slices of the same size are consumed by applications that start one after
// the other in a warm process. A short backlog is a slice, in a topic of its own; a long one hardly shrinks.
import { Meter } from '../consume/meter.mjs';
import { run } from '../process.mjs';
import { openApp, subscriber } from '../rivulet.mjs';

export default async function slices({ waiting, slices: count, sliceMessages, concurrency }) {
  const isShort = waiting === sliceMessages;
  const topics = Array.from({ length: isShort ? count + 1 : 1 }, (_, i) => `backlog-${i}`);
  await run('consume/load-rivulet.mjs', { messages: waiting * topics.length, topics });
  const warmUp = sliceMessages / 5;
  const perSecond = [];
  for (let i = 0; i <= count; i++) {
    const figures = await consumeSlice({
      topic: topics[i % topics.length],
      warmUp,
      messages: sliceMessages - warmUp,
      concurrency,
    });
    if (i > 0) perSecond.push(figures.perSecond); // the first only warms the process up
  }
  return { perSecond: perSecond.reduce((sum, each) => sum + each) / count };
}

async function consumeSlice({ topic, concurrency, ...job }) {
  const meter = new Meter(job);
  const Consumer = subscriber([topic], { concurrency }, () => meter.tick());
  const app = await openApp({ providers: [Consumer] });
  const figures = await meter.finished;
  await app.close();
  return figures;
}
