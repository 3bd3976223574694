/** Whether there is something to wait for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Nobody waits for it: that it fails must not end the process. */
export function unawaited(value: unknown): void {
  if (isThenable(value)) void Promise.resolve(value).catch(() => undefined);
}
