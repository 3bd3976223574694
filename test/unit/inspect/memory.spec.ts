import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import { describeAdmin } from './all.js';
import { consume, deadLettered, openMemoryBed, publish } from './bed.js';

describeAdmin('in memory', openMemoryBed);

describe('MessageAdmin under a clock that is moved by hand', () => {
  it('redrives no faster than it is told to', async () => {
    const bed = await openMemoryBed({ topics: { queues: 1 } });
    await consume(bed, () => {
      throw new RejectMessageError('no');
    });
    const done = deadLettered(bed, 10);
    for (let i = 0; i < 10; i++) await publish(bed, i);
    await done;
    const begunAt = bed.clock.now();
    const times: number[] = [];
    await bed.until(
      bed.admin.redriveDeadLetters('orders', 'billing', {
        perSecond: 4,
        onProgress: () => times.push(bed.clock.now() - begunAt),
      }),
    );
    expect(times).toEqual([0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250]);
    await bed.close();
  });

  it('wakes from the pause of a slow redrive when it is stopped', async () => {
    const bed = await openMemoryBed({ topics: { queues: 1 } });
    await consume(bed, () => {
      throw new RejectMessageError('no');
    });
    const done = deadLettered(bed, 2);
    for (let i = 0; i < 2; i++) await publish(bed, i);
    await done;
    const stop = new AbortController();
    const run = bed.admin.redriveDeadLetters('orders', 'billing', {
      perSecond: 0.001,
      signal: stop.signal,
    });
    await bed.clock.advance(10);
    stop.abort();
    expect(await run).toMatchObject({ redriven: 1, state: 'stopped' });
    await bed.close();
  });

  it('knows a member that fell silent', async () => {
    const bed = await openMemoryBed({ topics: { queues: 1 } });
    const other = await bed.another();
    other.subscribe({ topic: 'orders', group: 'billing', origin: 'a test', handler: () => {} });
    await bed.until(other.consume());
    const acked = other.events.next('acked');
    await publish(bed, 'a');
    await bed.until(acked);
    const { members } = await bed.admin.describeGroup('orders', 'billing');
    expect(members).toEqual([{ member: other.member, alive: true }]);
    (other.stores as unknown as { goDown(): void }).goDown();
    await bed.clock.advance(20_000);
    const later = await bed.admin.describeGroup('orders', 'billing');
    expect(later.members).toEqual([{ member: other.member, alive: false }]);
    expect(await bed.admin.deleteGroup('orders', 'billing')).toBe(true);
    await bed.close();
  });

  it('finds a message by id whose sender had another time', async () => {
    const bed = await openMemoryBed({ topics: { queues: 2 } });
    const { messageId } = await publish(bed, 'early', { delayMs: 3_600_000 });
    bed.clock.set(bed.clock.now() - 86_400_000);
    await bed.admin.reschedule('orders', messageId, { deliverAt: new Date(1) });
    await bed.clock.advance(2_000);
    expect(await bed.admin.findById('orders', messageId)).toMatchObject([{ state: 'visible' }]);
    await bed.close();
  });
});
