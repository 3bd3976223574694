import { randomBytes } from 'node:crypto';
import { firstIdAt } from '../../lib/core/message/message-id.js';

/** Id of a transaction that began at `ms`. */
export function transactionId(ms = Date.now()): string {
  const tail = randomBytes(9).toString('hex');
  return `${firstIdAt(ms).slice(0, 14)}7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(6)}`;
}

export const soon = (): number => Date.now() + 60_000;

/** What a concurrent step waits for. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
