// Throughput over many topics: counted from when all subscriptions read, so that their start is no part of it.
import { startMeter } from '../clock.mjs';
import { openApp, subscriber } from '../rivulet.mjs';

export default async function consume({ topics, messages, warmUp, concurrency }) {
  const total = warmUp + messages;
  let handled = 0;
  let measured;
  let handledBefore;
  let started = false;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const Consumer = subscriber(topics, { concurrency }, () => {
    handled += 1;
    if (!measured && started && handled >= warmUp) begin();
    if (handled === total) finish(measured(total - handledBefore));
  });
  const begin = () => {
    measured = startMeter();
    handledBefore = handled;
  };
  const app = await openApp({ providers: [Consumer] });
  if (handled > total / 2)
    throw new Error(`${handled} of ${total} messages were handled before all subscriptions read`);
  started = true;
  const figures = await finished;
  await app.close();
  return figures;
}
