// BullMQ as its documentation advises for throughput: jobs leave Redis when they are done, nothing else is kept.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const NAME = 'bench';
const NOTHING = { count: 0 };

const connect = () => new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

export const openQueue = () =>
  new Queue(NAME, {
    connection: connect(),
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });

export const openWorker = (handle, options) =>
  new Worker(NAME, handle, {
    connection: connect(),
    removeOnComplete: NOTHING,
    removeOnFail: NOTHING,
    ...options,
  });
