// `XADD s * b body`, as often as asked.
import { textAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { connect } from '../raw.mjs';

export default async function raw({ messages }) {
  const redis = connect();
  await inParallel({ count: messages, inFlight: 200 }, (i) => redis.xadd('s', '*', 'b', textAt(i)));
}
