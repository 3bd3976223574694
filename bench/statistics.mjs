/** The value below which `share` of the values lie (nearest rank). */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** Of an even number of values the mean of the two in the middle. */
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Nanoseconds as p50 and p99 in milliseconds. */
export const latencies = (ns) => ({
  messages: ns.length,
  p50Ms: percentile(ns, 0.5) / 1e6,
  p99Ms: percentile(ns, 0.99) / 1e6,
});
