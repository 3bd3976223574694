import { run } from '../process.mjs';
import { connect, createGroup, STREAMS } from '../raw.mjs';
import { Stopwatch } from './stopwatch.mjs';

const READ = ['GROUP', 'bench', 'consumer', 'COUNT', 100, 'BLOCK', 5_000, 'STREAMS'];

export default async function raw(job) {
  const redis = connect();
  await createGroup(redis);
  const stopwatch = new Stopwatch(job);
  const sent = run('handover/raw-sender.mjs', job);
  void receive(redis, stopwatch);
  await sent;
  return stopwatch.finished;
}

async function receive(redis, stopwatch) {
  for (;;) {
    const reply = await redis.xreadgroup(...READ, ...STREAMS, ...STREAMS.map(() => '>'));
    for (const [stream, entries] of reply ?? []) {
      for (const [, [, text]] of entries) stopwatch.arrived(JSON.parse(text).sentAt);
      void redis.xack(stream, 'bench', ...entries.map(([id]) => id));
    }
  }
}
