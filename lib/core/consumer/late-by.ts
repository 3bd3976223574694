/**
 * By how much an answer that comes each `usualMs` was late, where that is worth a word: perhaps nobody could reach the store
 * meanwhile, and the silence of others says nothing. The time that a call takes is no lateness: it would add up.
 */
export function lateBy(sinceLastMs: number, usualMs: number): number {
  const lateMs = sinceLastMs - usualMs;
  return lateMs > usualMs ? lateMs : 0;
}
