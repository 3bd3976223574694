import { bodies } from '../bodies.mjs';
import { add, connect } from '../raw.mjs';
import { sendPaced } from './paced-sender.mjs';

export default async function rawSender(job) {
  const redis = connect();
  let i = 0;
  await sendPaced(job, (sentAt) => add(redis, i, JSON.stringify({ ...bodies[i++ % 100], sentAt })));
}
