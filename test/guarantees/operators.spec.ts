import { RejectMessageError } from '../../lib/core/consumer/handler-errors.js';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, publishMany, within } from '../helpers/workload.js';

const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 400);
const GROUP = 20;
/** When what is put off was due at first; a machine that is slow may be late for some. */
const FIRST_MS = 2_000;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Counts messages that are scheduled no more: released by one of these processes, or cancelled. */
class Tally {
  private count = 0;
  private wake = (): void => {};

  constructor(processes: readonly Rivulet[]) {
    for (const { events } of processes) events.on('released', ({ count }) => this.add(count));
  }

  add(count: number): void {
    this.count += count;
    this.wake();
  }

  async reaches(count: number): Promise<void> {
    while (this.count < count) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}

describe('operators who act at the same time as the library, and as each other', () => {
  it('cancel a scheduled message or let it be delivered, never both and never neither', async () => {
    const rivulet = connect(redis.url, 'cancel');
    const other = connect(redis.url, 'cancel');
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      concurrency: 50,
      handler: (delivery) => handled.note(delivery),
    });
    await Promise.all([rivulet.consume(), other.open()]);
    const admins = [rivulet, other].map((one) => new MessageAdmin({ rivulet: one }));
    // They fall due in groups: half of a group at once, a quarter a little later, a quarter not before it is cancelled,
    // however slow this machine is.
    const sent = await Promise.all(
      Array.from({ length: MESSAGES }, (_, i) =>
        rivulet.producer.send('orders', i, {
          key: `m${i}`,
          delayMs: 500 + Math.floor(i / GROUP) * 40 + [0, 5, 0, 60_000][i % 4]!,
        }),
      ),
    );
    const gone = new Tally([rivulet, other]);
    const cancelled: number[] = [];
    // A group is cancelled by two operators at once when its first message was released, and others are about to be.
    for (let first = 0; first < MESSAGES; first += GROUP) {
      await within(60_000, `a release of group ${first}`, gone.reaches(first + 1));
      const group = await Promise.all(
        sent.slice(first, first + GROUP).map(async ({ messageId }) => {
          const both = await Promise.all(
            admins.map((admin) => admin.cancelScheduled('orders', messageId)),
          );
          return both.filter((did) => did).length;
        }),
      );
      cancelled.push(...group);
      gone.add(group.filter((times) => times > 0).length);
    }
    const kept = sent.flatMap((_, i) => (cancelled[i] === 0 ? [`m${i}`] : []));
    await within(60_000, 'what was not cancelled', handled.all(kept)).catch(() => {});
    // Whatever was wrongly released would be delivered before this one.
    const last = await publishMany(rivulet, 8, { prefix: 'last' });
    await within(60_000, 'the last message', handled.all(last));
    const ghosts = sent.filter((_, i) => cancelled[i]! > 0 && handled.times.has(`m${i}`));
    console.log(
      `operators scheduled=${MESSAGES} cancelled=${MESSAGES - kept.length} delivered=${kept.length} missing=${handled.missing(kept).length} both=${ghosts.length} twice=${handled.repeated}`,
    );
    expect(Math.max(...cancelled)).toBe(1);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(MESSAGES);
    expect(handled.missing(kept)).toEqual([]);
    expect(ghosts).toEqual([]);
    expect(handled.repeated).toBe(0);
    await Promise.all([rivulet.stop(2_000), other.stop(2_000)]);
  });

  it('bring messages forward and put them off; each comes once, not before its last time', async () => {
    const rivulet = connect(redis.url, 'again');
    const admin = new MessageAdmin({ rivulet });
    const at = new Map<string, number>();
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      concurrency: 50,
      handler: (delivery) => {
        at.set(delivery.message.key!, performance.now());
        handled.note(delivery);
      },
    });
    await rivulet.consume();
    const sent = await Promise.all(
      Array.from({ length: MESSAGES }, (_, i) =>
        rivulet.producer.send('orders', i, { key: `m${i}`, delayMs: i % 2 ? 60_000 : FIRST_MS }),
      ),
    );
    const begunAt = performance.now();
    const changed = await Promise.all(
      sent.map(({ messageId }, i) =>
        admin.reschedule('orders', messageId, { delayMs: i % 2 ? 300 : 2_500 }),
      ),
    );
    await within(60_000, 'all of them', handled.all(sent.map((_, i) => `m${i}`))).catch(() => {});
    const wait = (i: number): number => at.get(`m${i}`)! - begunAt;
    const early = sent.filter((_, i) => changed[i] && wait(i) < (i % 2 ? 300 : 2_500) - 5).length;
    const latest = Math.round(Math.max(...sent.map((_, i) => wait(i) - (i % 2 ? 300 : 2_500))));
    console.log(
      `operators rescheduled=${changed.filter((did) => did).length} of ${MESSAGES} delivered=${handled.times.size} twice=${handled.repeated} early=${early} latest-ms=${latest}`,
    );
    expect(changed.filter((did, i) => !did && i % 2)).toEqual([]);
    expect(handled.times.size).toBe(MESSAGES);
    expect(handled.repeated).toBe(0);
    expect(early).toBe(0);
    await rivulet.stop(2_000);
  });

  it('redrive and delete the same dead letters: each comes once, or is gone', async () => {
    const rivulet = connect(redis.url, 'redrive');
    const other = connect(redis.url, 'redrive');
    await other.open();
    const handled = new Handled();
    let rejecting = true;
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      concurrency: 50,
      handler: (delivery) => {
        if (rejecting) throw new RejectMessageError('no');
        handled.note(delivery);
      },
    });
    let dead = 0;
    const allDead = new Promise<void>((resolve) => {
      rivulet.events.on('dead-lettered', () => void (++dead === MESSAGES && resolve()));
    });
    await rivulet.consume();
    await publishMany(rivulet, MESSAGES);
    await within(60_000, 'the dead letters', allDead);
    rejecting = false;
    const admins = [rivulet, rivulet, other].map((one) => new MessageAdmin({ rivulet: one }));
    const [first, second, deleted] = await Promise.all([
      admins[0]!.redriveDeadLetters('orders', 'billing'),
      admins[1]!.redriveDeadLetters('orders', 'billing'),
      admins[2]!.deleteDeadLetters('orders', 'billing', ({ queue }) => queue === 3),
    ]);
    const redriven = first.redriven + second.redriven;
    while (handled.times.size < redriven)
      await within(60_000, 'a redriven message', rivulet.events.next('acked'));
    console.log(
      `operators dead-letters=${MESSAGES} redriven=${redriven} deleted=${deleted} handled=${handled.times.size} twice=${handled.repeated}`,
    );
    expect(redriven + deleted).toBe(MESSAGES);
    expect(handled.times.size).toBe(redriven);
    expect(handled.repeated).toBe(0);
    expect((await admins[0]!.describeGroup('orders', 'billing')).total).toMatchObject({
      deadLetters: 0,
      lag: 0,
    });
    await Promise.all([rivulet.stop(2_000), other.stop(2_000)]);
  });
});
