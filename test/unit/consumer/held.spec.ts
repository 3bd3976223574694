import { encodeFrame, WIRE_VERSION } from '../../../lib/core/message/wire-format.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const QUEUE = { topic: 'orders', queue: 0 };
const HOUR_MS = 3_600_000;

describe('a message of a newer wire version', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => bed.close());

  it('is in its first attempt for a consumer that can read it, however long it was held', async () => {
    const alarms: number[] = [];
    const unusual: string[] = [];
    bed.rivulet.events.on('message-held', ({ version }) => alarms.push(version));
    bed.rivulet.events.on('retried', () => unusual.push('retried'));
    bed.rivulet.events.on('dead-lettered', () => unusual.push('dead-lettered'));
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const frame = encodeFrame({}, '1', () => {});
    frame[0] = WIRE_VERSION + 1;
    bed.stores.tamper.addMessage(QUEUE, frame);
    await bed.advance(HOUR_MS);
    expect(alarms.length).toBeGreaterThan(30);
    expect(unusual).toEqual([]);
    await bed.rivulet.stopConsuming();

    await bed.advance(60_000);
    const newer = await bed.stores
      .sibling()
      .deliveries.claimDue(
        { ...QUEUE, group: 'billing' },
        { consumer: 'newer', limit: 1, suspect: false },
      );
    expect(newer.entries).toMatchObject([{ attempt: 1, history: '' }]);
  });
});
