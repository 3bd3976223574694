import { KeptAppendKeys } from '../../lib/redis/append-keys.js';
import { Keys } from '../../lib/redis/keys.js';

describe('keys of queues that are appended to', () => {
  const keys = new Keys({ namespace: 'shop' });
  const texts = ({ meta, log, sessions, scheduled, due }: ReturnType<Keys['queue']>): string[] => [
    meta,
    log,
    sessions,
    scheduled,
    due,
  ];

  it('are those of their queue, and the same ones the next time', () => {
    const kept = new KeptAppendKeys({ keys });
    for (const queue of [0, 3, 1]) {
      const ref = { topic: 'orders', queue };
      const first = kept.of(ref);
      expect(first).toMatchObject({ log: `{shop:orders:${queue}}:log` });
      expect(texts(keys.queue(ref))).toEqual([
        first.meta,
        first.log,
        first.sessions,
        first.scheduled,
        first.due,
      ]);
      expect(first.dedup('a b')).toBe(keys.queue(ref).dedup('a b'));
      expect(kept.of({ ...ref })).toBe(first);
    }
  });

  it('are not kept without bound', () => {
    const kept = new KeptAppendKeys({ keys });
    const first = kept.of({ topic: 'orders', queue: 0 });
    for (let i = 0; i < 4_096; i++) kept.of({ topic: `topic-${i}`, queue: 0 });
    const again = kept.of({ topic: 'orders', queue: 0 });
    expect(again).not.toBe(first);
    expect(again.log).toBe(first.log);
  });
});
