import { openApp, subscriber, TOPIC } from '../rivulet.mjs';
import { Meter } from './meter.mjs';

/** `options`: of the handler, besides its concurrency. */
export default async function rivulet({ topics = [TOPIC], concurrency, options, ...job }) {
  const meter = new Meter(job);
  const Consumer = subscriber(topics, { concurrency, ...options }, () => meter.tick());
  const app = await openApp({ providers: [Consumer] });
  const figures = await meter.finished;
  await app.close();
  return figures;
}
