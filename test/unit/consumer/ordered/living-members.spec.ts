import { LivingMembers } from '../../../../lib/core/consumer/ordered/living-members.js';

const DEAD_AFTER_MS = 15_000;

describe('LivingMembers', () => {
  let members: LivingMembers;
  let now: number;
  /** What the roster says `afterMs` later: when each of them beat last. */
  const observe = (afterMs: number, beats: Record<string, number>): readonly string[] => {
    now += afterMs;
    const listed = Object.entries(beats).map(([member, beatAt]) => ({ member, beatAt }));
    members.observe(listed, now);
    return members.names;
  };

  beforeEach(() => {
    members = new LivingMembers({ deadAfterMs: DEAD_AFTER_MS });
    now = 1_000;
    observe(0, { a: 1, b: 1 });
  });

  it('are those whose beat has moved within their time', () => {
    expect(observe(5_000, { a: 2, b: 1 })).toEqual(['a', 'b']);
    expect(observe(5_000, { a: 3, b: 1 })).toEqual(['a', 'b']);
    expect(observe(5_000, { a: 4, b: 1 })).toEqual(['a']);
    expect(observe(5_000, { a: 5, b: 2 })).toEqual(['a', 'b']);
  });

  it('are not fewer after an outage in which nobody could beat, and are judged by what comes after it', () => {
    expect(observe(60_000, { a: 2, b: 1 })).toEqual(['a', 'b']);
    expect(observe(5_000, { a: 3, b: 1 })).toEqual(['a', 'b']);
    expect(observe(5_000, { a: 4, b: 1 })).toEqual(['a']);
  });

  it('are not forgotten because of an outage', () => {
    observe(DEAD_AFTER_MS * 30, { a: 2, b: 1 });
    expect(members.forgotten(now)).toEqual([]);
    for (let i = 0; i < 60; i++) observe(5_000, { a: 3 + i, b: 1 });
    expect(members.forgotten(now)).toEqual(['b']);
  });
});
