import { bodyAt } from '../bodies.mjs';
import { openQueue } from '../bullmq.mjs';
import { measureSends } from './measure.mjs';

export default async function bullmq(job) {
  const queue = openQueue();
  await queue.waitUntilReady();
  return measureSends(job, (i) => queue.add('job', bodyAt(i)));
}
