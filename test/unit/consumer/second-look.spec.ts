import { SecondLook } from '../../../lib/core/consumer/second-look.js';

describe('SecondLook', () => {
  /** Full reads that wait, until it is looked for more after one of them. */
  const readsUntilDue = (look: SecondLook): number => {
    let reads = 1;
    while (!look.noteFull()) reads++;
    return reads;
  };

  it('is due after the first full read, and as long as there was more', () => {
    const look = new SecondLook();
    for (let i = 0; i < 5; i++) {
      expect(look.noteFull()).toBe(true);
      look.brought(3);
    }
  });

  it('is due more and more rarely while it finds nothing, but comes again', () => {
    const look = new SecondLook();
    const waited = Array.from({ length: 8 }, () => {
      const reads = readsUntilDue(look);
      look.brought(0);
      return reads;
    });
    expect(waited).toEqual([1, 2, 3, 5, 9, 17, 17, 17]);
  });

  it('is due each time again once it found something', () => {
    const look = new SecondLook();
    for (let i = 0; i < 6; i++) {
      readsUntilDue(look);
      look.brought(0);
    }
    expect(readsUntilDue(look)).toBeGreaterThan(1);
    look.brought(1);
    expect(readsUntilDue(look)).toBe(1);
  });

  it('says nothing about reads that do not follow one that waited', () => {
    const look = new SecondLook();
    readsUntilDue(look);
    look.brought(5);
    look.brought(0);
    look.brought(0);
    expect(readsUntilDue(look)).toBe(1);
  });
});
