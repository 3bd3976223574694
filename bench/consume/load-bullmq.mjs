import { bodyAt } from '../bodies.mjs';
import { openQueue } from '../bullmq.mjs';

const BULK = 1_000;

export default async function loadBullmq({ warmUp, messages }) {
  const queue = openQueue();
  for (let i = 0; i < warmUp + messages; i += BULK)
    await queue.addBulk(
      Array.from({ length: BULK }, (_, k) => ({ name: 'job', data: bodyAt(i + k) })),
    );
}
