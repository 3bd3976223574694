import { inParallel, settleDown, startMeter } from '../clock.mjs';

/** Awaited sends, so many in flight; those of the warm-up are not counted. `send(i)` resolves when it is stored. */
export async function measureSends({ warmUp, messages, inFlight }, send) {
  await inParallel({ count: warmUp, inFlight }, send);
  await settleDown();
  const measured = startMeter();
  await inParallel({ count: messages, inFlight }, (i) => send(warmUp + i));
  return measured(messages);
}
