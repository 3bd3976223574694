// For programs that a test forks: they end with it, however it goes.

// Whoever started it may be gone before it could say so.
const orphaned = () => process.exit();
process.once('disconnect', orphaned);
if (!process.connected) orphaned();

/** Resolves once it has left this process: what happens afterwards, a kill included, comes after it. */
export function tell(what) {
  return new Promise((resolve) => process.send(what, resolve));
}

/** The last thing that a program does: what is left open must keep it alive, and be seen. */
export function leave() {
  process.off('disconnect', orphaned);
  process.disconnect();
}
