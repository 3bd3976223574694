import { OwnerNames } from '../../../lib/core/idempotency/owner-names.js';

describe('a name for who claims a dedup record', () => {
  it('is never given twice for the same key', () => {
    const names = new OwnerNames();
    const given = new Set<string>();
    // A key comes again at once, and after one, two, three and four others.
    const keys = 'a a b a c b a d c b a e d c b a'.split(' ');
    for (let i = 0; i < 200; i++) for (const key of keys) given.add(`${key} ${names.next(key)}`);
    expect(given.size).toBe(200 * keys.length);
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
