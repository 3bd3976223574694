// For programs that a test forks: they end with it, however it goes.

// Whoever started it may be gone before it could say so.
const orphaned = () => process.exit();
process.once('disconnect', orphaned);
if (!process.connected) orphaned();

/** The last thing that a program does: what is left open must keep it alive, and be seen. */
export function leave() {
  process.off('disconnect', orphaned);
  process.disconnect();
}
