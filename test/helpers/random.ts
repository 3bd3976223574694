/** Repeatable randomness: the same seed, the same numbers (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: `RIVULET_SEED`, or a new one. Print it, so that a failure can be repeated. */
export function seed(): number {
  return Number(process.env['RIVULET_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
}
