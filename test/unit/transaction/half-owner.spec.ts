import {
  boardOf,
  checkWork,
  ownerKey,
  readCheckWork,
} from '../../../lib/core/transaction/half-owner.js';

describe('the owner of a half', () => {
  it('is a database, whatever it is called, or a method of a producer group', () => {
    const database = { kind: 'database', database: 'a/b:c', name: 'default' } as const;
    expect(ownerKey(database)).toBe(ownerKey({ ...database, name: 'main' }));
    expect(boardOf(database)).toBe(ownerKey(database));
    const method = { kind: 'method', group: 'g:1', name: 'place/order' } as const;
    expect(ownerKey(method)).not.toBe(ownerKey({ ...method, group: 'g', name: '1:place/order' }));
    expect(boardOf(method)).toBe(boardOf({ ...method, name: 'refund' }));
  });

  it('is found again in the work it is part of', () => {
    const owner = ownerKey({ kind: 'method', group: 'g', name: 'a/b c' });
    const work = checkWork(owner, { topic: 'orders', queue: 12 });
    expect(readCheckWork(work)).toEqual({ owner, topic: 'orders', queue: 12 });
  });

  it.each(['purge', 'a/b', 'a/b/1/c', ''])('is not read from other work: %s', (work) => {
    expect(readCheckWork(work)).toBeUndefined();
  });
});
