import { describe, expect, it } from '@jest/globals';
import { FanOut } from '../../../lib/nest/transport/fan-out.js';
import { deferred } from '../helpers/deferred.js';

describe('A delivery that several handlers share', () => {
  it('comes to all of them again once it had succeeded, whatever an attempt of long ago ends with', async () => {
    const fanOut = new FanOut<string>();
    const hung = deferred();
    const runs: string[] = [];
    const attempt = (second: () => Promise<void>): Promise<void> =>
      fanOut.run(
        'a message',
        ['first', 'second'],
        (name) => {
          runs.push(name);
          return name === 'first' ? Promise.resolve() : second();
        },
        () => undefined,
      );
    const ofLongAgo = attempt(() => hung.promise.then(() => Promise.reject(new Error('too late'))));
    await attempt(() => Promise.resolve());
    hung.resolve();
    await expect(ofLongAgo).rejects.toThrow('too late');

    runs.length = 0;
    await attempt(() => Promise.resolve());
    expect(runs).toEqual(['first', 'second']);
  });

  it('comes no more to those that have succeeded when an attempt of long ago ends well, and the latest hangs', async () => {
    const fanOut = new FanOut<string>();
    const runs: string[] = [];
    const attempt = (second: Promise<void>): Promise<void> =>
      fanOut.run(
        'a message',
        ['first', 'second'],
        (name) => {
          runs.push(name);
          return name === 'first' ? Promise.resolve() : second;
        },
        () => undefined,
      );
    const hung = deferred();
    const ofLongAgo = attempt(hung.promise);
    const latest = deferred();
    const hangs = attempt(latest.promise);
    hung.resolve();
    await ofLongAgo;

    runs.length = 0;
    await attempt(Promise.resolve());
    expect(runs).toEqual([]);
    latest.resolve();
    await hangs;
  });
});
