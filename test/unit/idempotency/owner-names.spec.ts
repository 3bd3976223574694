import { OwnerNames } from '../../../lib/core/idempotency/owner-names.js';

describe('a name for who claims a dedup record', () => {
  it('is never given twice for the same key', () => {
    const names = new OwnerNames();
    const given = new Set<string>();
    const keys = ['a', 'b', 'c', 'd', 'e'];
    // Each key again after one, two, three and four others, and at once.
    for (let i = 0; i < 2_000; i++) {
      const key = keys[(i * i) % keys.length]!;
      given.add(`${key} ${names.next(key)}`);
    }
    expect(given.size).toBe(2_000);
  });

  it('is shared by hundreds of keys that follow each other', () => {
    const names = new OwnerNames();
    const given = Array.from({ length: 1_024 }, (_, i) => names.next(`k${i}`));
    expect(new Set(given).size).toBe(4);
  });

  it('is no other process’s', () => {
    expect(new OwnerNames().next('a')).not.toBe(new OwnerNames().next('a'));
  });
});
