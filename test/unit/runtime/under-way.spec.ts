import { UnderWay } from '../../../lib/core/runtime/under-way.js';

describe('UnderWay', () => {
  it('holds what was added, oldest first, until it is taken out', () => {
    const all = new UnderWay<string>();
    const [a, b, c] = ['a', 'b', 'c'].map((item) => all.add(item));
    expect([...all]).toEqual(['a', 'b', 'c']);
    expect([b!(), b!()]).toEqual([true, false]);
    expect([...all]).toEqual(['a', 'c']);
    c!();
    all.add('d');
    a!();
    expect([[...all], all.size]).toEqual([['d'], 1]);
  });

  it('lets what is visited be taken out', () => {
    const all = new UnderWay<() => void>();
    const seen: number[] = [];
    for (const i of [0, 1, 2]) {
      const out = all.add(() => {
        out();
        seen.push(i);
      });
    }
    for (const leave of all) leave();
    expect([seen, all.size]).toEqual([[0, 1, 2], 0]);
  });
});
