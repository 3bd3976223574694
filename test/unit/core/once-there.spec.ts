import { onceThere } from '../../../lib/core/once-there.js';
import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const { signal } = new AbortController();

describe('what waits until the store is there', () => {
  const refusing = (reason: string, times: number) => {
    let tries = 0;
    const clock = new ManualClock();
    const work = async (): Promise<void> => {
      tries += 1;
      if (tries <= times) throw new StoreRefusedError('Redis refused it', { reason });
    };
    return {
      clock,
      done: onceThere(work, { clock, timeoutMs: 1_000, signal }),
      tries: () => tries,
    };
  };

  it.each(['NOT_SENT', 'READONLY', 'LOADING', 'CLUSTERDOWN', 'NOREPLICAS'])(
    'tries again while another server takes over: %s',
    async (reason) => {
      const { clock, done, tries } = refusing(reason, 2);
      await clock.advance(400);
      await done;
      expect(tries()).toBe(3);
    },
  );

  it('rejects with the last refusal when the time is up', async () => {
    const { clock, done, tries } = refusing('READONLY', Infinity);
    const refused = done.catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(await refused).toMatchObject({ reason: 'READONLY' });
    expect(tries()).toBe(6);
  });

  it('does not try again what is refused for good', async () => {
    const { done, tries } = refusing('WRONGTYPE', Infinity);
    await expect(done).rejects.toMatchObject({ reason: 'WRONGTYPE' });
    expect(tries()).toBe(1);
  });
});
