import { inParallel, nanoseconds, settleDown } from '../clock.mjs';
import { latencies, percentile } from '../statistics.mjs';

/**
 * How long transactions take until the caller has the answer, and until their messages can be read; those of the warm-up
 * are not counted. `place(i)` resolves with the answer; `messages.whenVisible(listen)` calls `listen(i)`.
 */
export async function measureTransactions({ warmUp, transactions, inFlight }, place, messages) {
  const begun = new Map();
  const taken = [];
  const visible = [];
  let allVisible;
  const seen = new Promise((resolve) => (allVisible = resolve));
  messages?.whenVisible((i) => {
    if (i >= warmUp) visible.push(nanoseconds() - begun.get(i));
    if (visible.length === transactions) allVisible();
  });
  const act = async (i) => {
    const from = nanoseconds();
    begun.set(i, from);
    await place(i);
    if (i >= warmUp) taken.push(nanoseconds() - from);
  };
  await inParallel({ count: warmUp, inFlight }, act);
  await settleDown();
  const from = nanoseconds();
  await inParallel({ count: transactions, inFlight }, (i) => act(warmUp + i));
  const perSecond = transactions / ((nanoseconds() - from) / 1e9);
  if (!messages) return { ...latencies(taken), perSecond };
  await seen;
  return { ...latencies(taken), perSecond, visibleMs: percentile(visible, 0.5) / 1e6 };
}
