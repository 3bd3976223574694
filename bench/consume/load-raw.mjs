import { inParallel } from '../clock.mjs';
import { add, connect } from '../raw.mjs';

export default async function loadRaw({ warmUp, messages }) {
  const redis = connect();
  await inParallel({ count: warmUp + messages, inFlight: 200 }, (i) => add(redis, i));
}
