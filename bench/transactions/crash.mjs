import { fork } from 'node:child_process';
import { once } from 'node:events';
import { pgParticipant } from '../../dist/participants/pg.js';
import { nanoseconds } from '../clock.mjs';
import { openApp, subscriber, TOPIC } from '../rivulet.mjs';
import { latencies } from '../statistics.mjs';
import { makeTables, openPool } from './database.mjs';

/** From the death of a process, after COMMIT and before it could show its message, to the handler of another process. */
export default async function crash({ crashes }) {
  const pool = openPool({ inFlight: crashes });
  await makeTables(pool);
  const diedAt = new Map();
  const taken = [];
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const onOrder = ({ order }) => {
    taken.push(nanoseconds() - diedAt.get(order));
    if (taken.length === crashes) finish();
  };
  await openApp({
    providers: [subscriber([TOPIC], {}, onOrder)],
    transactions: { participants: [pgParticipant(pool)] },
  });
  for (let order = 0; order < crashes; order++) {
    const victim = fork(new URL('./victim.mjs', import.meta.url), [String(order)]);
    victim.on('message', ({ at }) => diedAt.set(order, at));
    const [, signal] = await once(victim, 'exit');
    if (signal !== 'SIGKILL') throw new Error(`The victim ended with ${signal}`);
  }
  await finished;
  return latencies(taken);
}
