import { Pace } from '../../../lib/core/consumer/pace.js';

describe('Pace', () => {
  it('is none before anything is known', () => {
    const pace = new Pace({ now: 1_000 });
    expect(pace.within(1_000)).toBe(0);
    pace.note(1_001, 500);
    expect(pace.within(1_000)).toBe(0);
  });

  it('is what was done since it was asked before', () => {
    const pace = new Pace({ now: 0 });
    pace.note(10, 100);
    expect(pace.within(20)).toBe(200);
    pace.note(20, 105);
    expect(pace.within(20)).toBe(10);
  });

  it('counts what ended together to the time it took all of it', () => {
    const pace = new Pace({ now: 0 });
    pace.note(1, 50);
    pace.note(4, 60);
    expect(pace.within(2)).toBe(30);
  });

  it('is slow after a long wait', () => {
    const pace = new Pace({ now: 0 });
    pace.note(10, 1_000);
    pace.note(10_010, 1_001);
    expect(pace.within(20)).toBe(0);
  });
});
