// One read after the other, each of one stream, and one XACK for what it brought.
import { connect, createGroup, STREAMS } from '../raw.mjs';
import { Meter } from './meter.mjs';

export default async function raw(job) {
  const redis = connect();
  await createGroup(redis);
  const meter = new Meter(job);
  let done = false;
  const finished = meter.finished.finally(() => (done = true));
  for (let turn = 0; !done; turn++) {
    const stream = STREAMS[turn % STREAMS.length];
    const reply = await redis.xreadgroup(
      ...['GROUP', 'bench', 'consumer', 'COUNT', 100, 'STREAMS', stream, '>'],
    );
    if (!reply) continue;
    const ids = [];
    for (const [id, [, text]] of reply[0][1]) {
      JSON.parse(text);
      ids.push(id);
      meter.tick();
    }
    await redis.xack(stream, 'bench', ...ids);
    await Promise.resolve(); // `done` is set by now if that was the last
  }
  return finished;
}
