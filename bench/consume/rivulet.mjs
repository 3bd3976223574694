import { openApp, subscriber, TOPIC } from '../rivulet.mjs';
import { Meter } from './meter.mjs';

export default async function rivulet({ topics = [TOPIC], concurrency, ...job }) {
  const meter = new Meter(job);
  const Consumer = subscriber(topics, { concurrency }, () => meter.tick());
  const app = await openApp({ providers: [Consumer] });
  const figures = await meter.finished;
  await app.close();
  return figures;
}
