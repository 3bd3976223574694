// Throughput while so many messages wait. Slices of the same size are consumed by applications that start one after
// the other in a warm process; for a short backlog it is refilled for each slice, a long one hardly shrinks.
import { Meter } from '../consume/meter.mjs';
import { run } from '../process.mjs';
import { openApp, subscriber } from '../rivulet.mjs';

export default async function slices({ waiting, slices: count, sliceMessages, concurrency }) {
  const isRefilled = waiting === sliceMessages;
  const warmUp = sliceMessages / 5;
  const perSecond = [];
  if (!isRefilled) await load('backlog', waiting);
  for (let i = -1; i < count; i++) {
    const topic = isRefilled ? `backlog-${i + 1}` : 'backlog';
    if (isRefilled) await load(topic, waiting);
    const figures = await consumeSlice({
      topic,
      warmUp,
      messages: sliceMessages - warmUp,
      concurrency,
    });
    if (i >= 0) perSecond.push(figures.perSecond); // the first only warms the process up
  }
  return { perSecond: perSecond.reduce((sum, each) => sum + each) / count };
}

const load = (topic, messages) => run('consume/load-rivulet.mjs', { messages, topics: [topic] });

async function consumeSlice({ topic, concurrency, ...job }) {
  const meter = new Meter(job);
  const Consumer = subscriber([topic], { concurrency }, () => meter.tick());
  const app = await openApp({ providers: [Consumer] });
  const figures = await meter.finished;
  await app.close();
  return figures;
}
