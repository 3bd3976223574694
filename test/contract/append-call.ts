import type { AppendCall } from '../../lib/core/store/message-log.js';
import { entryOf, QUEUE } from './messages.js';

export type Numbers = {
  session?: string;
  epoch?: number;
  number: number;
  generation?: number;
  queue?: number;
};

/** A call of session `p` in epoch 1 of generation 1, unless said otherwise. */
export function callOf(numbers: Numbers, bodies: readonly string[]): AppendCall {
  return {
    ...QUEUE,
    generation: 1,
    session: 'p',
    epoch: 1,
    ...numbers,
    entries: bodies.map((body) => entryOf(body)),
  };
}
