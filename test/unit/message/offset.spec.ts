import {
  compareOffsets,
  offsetInRun,
  offsetsOfRun,
  storedAt,
} from '../../../lib/core/message/offset.js';

describe('offsets', () => {
  it('are compared as two numbers of 64 bits, not as text or doubles', () => {
    const inOrder = [
      '0-0',
      '0-1',
      '9-10',
      '10-2',
      '10-9',
      '10-10',
      '9007199254740992-0',
      '9007199254740993-0',
      '18446744073709551615-18446744073709551614',
      '18446744073709551615-18446744073709551615',
    ];
    expect([...inOrder].reverse().sort(compareOffsets)).toEqual(inOrder);
    expect(compareOffsets('5-5', '5-5')).toBe(0);
  });

  it('of a run follow each other, beyond what a double can count', () => {
    expect(offsetInRun('5-7', 0)).toBe('5-7');
    expect(offsetInRun('5-7', 3)).toBe('5-10');
    expect(offsetInRun('5-9007199254740991', 2)).toBe('5-9007199254740993');
    expect(offsetInRun('5-18446744073709551000', 5)).toBe('5-18446744073709551005');
  });

  it('are listed for a run, also beyond what a number can count to', () => {
    expect(offsetsOfRun('5-7', 3)).toEqual(['5-7', '5-8', '5-9']);
    expect(offsetsOfRun('5-7', 0)).toEqual([]);
    expect(offsetsOfRun('5-18446744073709551613', 2)).toEqual([
      '5-18446744073709551613',
      '5-18446744073709551614',
    ]);
  });

  it('tell when the store appended', () => {
    expect(storedAt('1767225600000-7')).toBe(1_767_225_600_000);
  });
});
