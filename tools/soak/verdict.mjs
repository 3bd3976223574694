/** Shorter runs say nothing about what grows slowly. */
const LONG_ENOUGH_S = 120;
const MB = 1_000_000;
/** At rest 33 to 47 of them are seen, without a trend, after 5 000 and after 79 000 messages: loops are at other points. */
const TIMERS_VARY_BY = 16;
/** One for each topic, first written ten minutes after the start: the floor before does not have it. */
const COMES_LATE = /:seen$/;

/** What a run ended with, in lines, and what of it must not be. */
export function judge({ floors, curve, ledger, left, endedByItself, seconds }) {
  const [first, last] = floors;
  const newKeys = [...last.stays.keys()].filter(
    (key) => !first.stays.has(key) && !COMES_LATE.test(key),
  );
  const grown = [...last.stays]
    .filter(([key, bytes]) => bytes > 2 * (first.stays.get(key) ?? 0) + 4_000)
    .map(([key, bytes]) => `${key} ${first.stays.get(key) ?? 0} to ${bytes}`);
  const heap = growth(curve, 'heapUsed', median);
  const native = growth(curve, 'native', lowest);
  const rss = growth(curve, 'rss', highest);
  const [heapBefore, heapAfter] = floors.map(({ application }) => application.heapUsed);
  const open = countsOf(left.resources);
  const { confirmed, failed, unknown, handled, again, ghosts, reordered, outstanding } = ledger;
  const isLong = seconds >= LONG_ENOUGH_S;
  const problems = [
    outstanding.size > 0 && `lost or stuck: ${[...outstanding].slice(0, 5).join(', ')}`,
    ghosts > 0 && `${ghosts} failed sends were handled`,
    reordered > 0 && `${reordered} messages out of order`,
    newKeys.length > 0 && `keys that stay: ${newKeys.slice(0, 5).join(', ')}`,
    last.bytes > first.bytes * 1.05 + 64_000 &&
      `Redis is not back at its floor: ${grown.slice(0, 8).join(', ')}`,
    last.consumers > 7 && `${last.consumers} consumers are listed for 2 that live`,
    isLong && heap.to > heap.from * 1.05 + MB && 'the heap of the application grows',
    isLong && native.to > native.from * 1.02 + 2 * MB && 'its memory outside of V8 grows',
    isLong && rss.to > rss.from * 1.02 + 4 * MB && 'the memory of the application grows',
    isLong && heapAfter > heapBefore * 1.1 + MB && 'its heap is not back where it was',
    holdsMore(first.application.resources, last.application.resources) &&
      `open at rest: ${countsOf(first.application.resources)}, then ${countsOf(last.application.resources)}`,
    !endedByItself && `something kept a process alive: ${open}`,
  ].filter(Boolean);
  const mb = (bytes) => (bytes / MB).toFixed(2);
  return {
    problems,
    lines: [
      `sent: confirmed=${confirmed} failed=${failed} unknown=${unknown}; handled=${handled} again=${again} LOST=${outstanding.size} GHOSTS=${ghosts} REORDERED=${reordered}`,
      `also: requests=${left.requests} unanswered=${left.requestsLost} duplicates-recognised=${left.duplicates} rolled-back=${left.rolledBack} codes=${JSON.stringify(left.codes)}`,
      `application, second quarter to last: heap after gc ${mb(heap.from)} to ${mb(heap.to)} MB (median), outside of V8 ${mb(native.from)} to ${mb(native.to)} MB (lowest), rss ${mb(rss.from)} to ${mb(rss.to)} MB (highest)`,
      `at rest, before and after: heap ${mb(heapBefore)} to ${mb(heapAfter)} MB, open ${sumOf(first.application.resources)} to ${sumOf(last.application.resources)}`,
      `Redis at rest, before and after: ${mb(first.bytes)} to ${mb(last.bytes)} MB in ${first.stays.size} to ${last.stays.size} keys that stay; ${last.expires.keys} keys (${mb(last.expires.bytes)} MB) expire by themselves; used_memory ${mb(first.used)} to ${mb(last.used)} MB; consumers listed per group: ${last.consumers}`,
      `open after stop: ${open}; ended by themselves: ${endedByItself}`,
      ...problems.map((problem) => `PROBLEM ${problem}`),
    ],
  };
}

/**
 * Of the second quarter of the run and of the last; the first warms up. What leaks raises all three: the median of what is
 * used, the lowest of what V8 may keep for a while after it let go of it, and the highest of what comes and goes with the
 * load.
 */
function growth(curve, what, of) {
  const quarter = Math.max(1, Math.floor(curve.length / 4));
  const ofThese = (samples) => of(samples.map((one) => one[what]).toSorted((a, b) => a - b));
  return { from: ofThese(curve.slice(quarter, 2 * quarter)), to: ofThese(curve.slice(-quarter)) };
}

/**
 * What leaks with a hundredth of the messages exceeds either bar in the shortest run. Immediates are over with their turn: how
 * many there are in one moment says nothing.
 */
function holdsMore(
  { Timeout: timersBefore = 0, Immediate: _before, ...before },
  { Timeout: timersAfter = 0, Immediate: _after, ...after },
) {
  return timersAfter > timersBefore + TIMERS_VARY_BY || sumOf(after) > sumOf(before) + 2;
}

const lowest = (sorted) => sorted[0];
const median = (sorted) => sorted[Math.floor(sorted.length / 2)];
const highest = (sorted) => sorted.at(-1);

const sumOf = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
const countsOf = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `${name}=${count}`)
    .join(' ');
