import { compareOffsets } from '../../../lib/core/message/offset.js';
import type { TestBed } from '../../../lib/testing/test-bed.js';

/** Bodies of what is visible, in the order that consumers see: one queue after the other. */
export async function inQueues(bed: TestBed, topic = 'orders'): Promise<unknown[]> {
  await bed.advance(1);
  return (await bed.sent(topic))
    .filter(({ offset }) => offset !== null)
    .sort((a, b) => a.queue - b.queue || compareOffsets(a.offset!, b.offset!))
    .map(({ body }) => body);
}
