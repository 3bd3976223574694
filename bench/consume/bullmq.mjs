import { openWorker } from '../bullmq.mjs';
import { Meter } from './meter.mjs';

export default async function bullmq(job) {
  const meter = new Meter(job);
  openWorker(async () => meter.tick(), { concurrency: job.concurrency });
  return meter.finished;
}
