import { inParallel, settleDown, startMeter } from '../clock.mjs';

/**
 * Awaited sends, so many in flight; those of the warm-up are not counted. `send(i)` resolves when it is stored.
 *
 * A forced collection makes V8 drop compiled code whose objects are gone at that moment, so half of the warm-up comes
 * after it.
 */
export async function measureSends({ warmUp, messages, inFlight }, send) {
  const half = Math.floor(warmUp / 2);
  await inParallel({ count: half, inFlight }, send);
  await settleDown();
  await inParallel({ count: warmUp - half, inFlight }, (i) => send(half + i));
  const measured = startMeter();
  await inParallel({ count: messages, inFlight }, (i) => send(warmUp + i));
  return measured(messages);
}
