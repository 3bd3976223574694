import { joined, parted } from '../../../lib/core/message/joined.js';

describe('joined byte strings', () => {
  it('come apart as they were, also none, empty ones and large ones', () => {
    const lists = [[], [''], ['a', '', 'ü'], ['x'.repeat(70_000), 'y']];
    for (const texts of lists) {
      const parts = texts.map((text) => Buffer.from(text));
      expect(parted(joined(parts)).map(String)).toEqual(texts);
    }
  });

  it('of which bytes are missing answer with what there is', () => {
    const all = joined([Buffer.from('abc'), Buffer.from('def')]);
    expect(parted(all.subarray(0, all.length - 1)).map(String)).toEqual(['abc', 'de']);
    expect(parted(all.subarray(0, 9)).map(String)).toEqual(['abc']);
  });
});
