import { Pace } from '../../../lib/core/consumer/pace.js';

describe('a pace', () => {
  it('is how much was done of late', () => {
    const pace = new Pace({ now: 0 });
    pace.note(10, 100);
    expect(pace.within(5)).toBe(50);
    pace.note(20, 120);
    expect(pace.within(5)).toBe(10);
  });

  it('is not known of a time that is too short', () => {
    const pace = new Pace({ now: 0 });
    pace.note(1, 100);
    expect(pace.within(5)).toBe(0);
    pace.note(4, 200);
    expect(pace.within(5)).toBe(250);
  });

  it('does not count the time in which there was nothing to do', () => {
    const pace = new Pace({ now: 0 });
    pace.note(10, 100);
    pace.rested(1_000);
    pace.note(1_020, 200);
    expect(pace.within(5)).toBe(50);
  });
});
