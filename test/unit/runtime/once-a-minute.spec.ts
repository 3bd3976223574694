import { OnceAMinute } from '../../../lib/core/runtime/once-a-minute.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('OnceAMinute', () => {
  it('says a line at once, then once a minute with how often it was left unsaid', async () => {
    const clock = new ManualClock();
    const line = new OnceAMinute({ clock });
    expect(line.says('away')).toBe(0);
    expect(line.says('away')).toBeUndefined();
    expect(line.says('other')).toBe(0);
    await clock.advance(59_999);
    expect(line.says('away')).toBeUndefined();
    await clock.advance(1);
    expect(line.says('away')).toBe(2);
    expect(line.says('away')).toBeUndefined();
  });

  it('remembers no more lines than a thousand, whatever they name', () => {
    const line = new OnceAMinute({ clock: new ManualClock() });
    expect(line.says('first')).toBe(0);
    for (let i = 0; i < 999; i++) line.says(`${i}`);
    expect(line.says('first')).toBeUndefined();
    expect(line.says('one more')).toBe(0);
    expect(line.says('first')).toBe(0);
  });
});
