import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { sleep } from '../../../lib/core/runtime/clock.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const MINUTE_MS = 60_000;

describe('the release of scheduled messages', () => {
  it('does not forget a message behind one that was cancelled', async () => {
    const bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    const other = await bed.sibling();
    const admin = new MessageAdmin({ rivulet: bed.rivulet });
    await bed.publish('orders', 'now');
    await bed.advance(2_000);
    const cancelled = await bed.publish('orders', 'cancelled', { delayMs: 10 * MINUTE_MS });
    await bed.advance(100);
    await admin.cancelScheduled('orders', cancelled.messageId);
    // Another process schedules something earlier and releases it: for it, nothing more is scheduled then.
    await other.publish('orders', 'early', { delayMs: 10_000 });
    const { perform } = other.rivulet['parts'].upkeep;
    expect(perform).toBeDefined();
    bed.rivulet['parts'].upkeep.perform = () => Promise.reject(new Error('busy elsewhere'));
    await bed.advance(20_000);
    delete (bed.rivulet['parts'].upkeep as { perform?: unknown }).perform;

    const { messageId } = await bed.publish('orders', 'late', { delayMs: 12 * MINUTE_MS });
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(15 * MINUTE_MS);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
    await other.close();
    await bed.close();
  });

  it('does not forget a message that came to the store later than it should have become visible', async () => {
    const bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    await bed.publish('orders', 'now');
    await bed.advance(2_000);
    const { log } = bed.stores;
    const append = log.append.bind(log);
    // As a send with acks is, whose connection has to be made first.
    log.append = async (call) => {
      await sleep(bed.clock, 2_000);
      return append(call);
    };
    const sending = bed.publish('orders', 'soon', { delayMs: 500 });
    await bed.advance(3_000);
    const { messageId } = await sending;
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
    await bed.close();
  });

  it('does not forget a message whose answer was lost, with the note about it', async () => {
    const bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    await bed.publish('orders', 'now');
    await bed.advance(2_000);
    const { log, agenda } = bed.stores;
    const [append, note] = [log.append.bind(log), agenda.note.bind(agenda)];
    agenda.note = () => Promise.reject(new StoreUnavailableError('cut'));
    log.append = async (call) => {
      await append(call);
      Object.assign(log, { append });
      Object.assign(agenda, { note });
      throw new StoreUnavailableError('cut');
    };
    const sending = bed.publish('orders', 'soon', { delayMs: 5_000 });
    await bed.advance(1_000);
    const { messageId, state } = await sending;
    expect(state).toBe('scheduled');
    await bed.advance(5_000);
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
    await bed.close();
  });

  it('does not trust the clock of a process before the store was asked', async () => {
    const storeClock = new ManualClock();
    const aheadClock = new ManualClock(storeClock.now() + 60 * MINUTE_MS);
    const stores = new MemoryStores({ clock: storeClock });
    const rivulet = new Rivulet({ stores, clock: aheadClock });
    // Sent before anything was ever heard of the store.
    const sent = rivulet.producer.send('orders', 'soon', { delayMs: 1_000 });
    await rivulet.open();
    const released = rivulet.events.next('released');
    let isReleased = false;
    void released.then(() => (isReleased = true));
    for (let i = 0; i < 200; i++) {
      await storeClock.advance(50);
      await aheadClock.advance(50);
    }
    expect(await sent).toMatchObject({ state: 'scheduled' });
    expect(isReleased).toBe(true);
    const stopped = rivulet.stop();
    await aheadClock.advance(20_000);
    await stopped;
  });
});

describe('the agenda', () => {
  it('keeps nothing of a topic that was removed', async () => {
    const bed = await TestBed.open();
    const other = await bed.sibling();
    await bed.publish('orders', 'a');
    await bed.advance(1_000);
    bed.crash();
    await other.stores.topics.remove('orders');
    await other.advance(5 * MINUTE_MS);
    expect(await other.stores.agenda.take({ limit: 100, leaseMs: 1 })).toMatchObject({
      taken: [],
      nextAt: null,
    });
    await other.close();
    await bed.close();
  });
});
