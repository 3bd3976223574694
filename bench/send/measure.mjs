import { inParallel, settleDown, startMeter } from '../clock.mjs';

/**
 * Awaited sends, so many in flight; those of the warm-up are not counted. `send(i)` resolves when it is stored.
 *
 * A forced collection makes V8 drop compiled code whose objects are gone at that moment, so most of the warm-up comes
 * after it.
 */
export async function measureSends({ warmUp, messages, inFlight }, send) {
  const first = Math.floor(warmUp / 4);
  await inParallel({ count: first, inFlight }, send);
  await settleDown();
  await inParallel({ count: warmUp - first, inFlight }, (i) => send(first + i));
  const measured = startMeter();
  await inParallel({ count: messages, inFlight }, (i) => send(warmUp + i));
  return measured(messages);
}
