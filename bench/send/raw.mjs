import { add, connect } from '../raw.mjs';
import { measureSends } from './measure.mjs';

export default async function raw(job) {
  const redis = connect();
  return measureSends(job, (i) => add(redis, i));
}
