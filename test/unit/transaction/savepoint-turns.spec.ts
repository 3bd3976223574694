import { SavepointTurns } from '../../../lib/core/transaction/savepoint-turns.js';

describe('SavepointTurns', () => {
  let isEnded: boolean;
  let turns: SavepointTurns;
  let begun: string[];

  beforeEach(() => {
    isEnded = false;
    begun = [];
    turns = new SavepointTurns({
      check: () => {
        if (isEnded) throw new Error('the transaction has ended');
      },
    });
  });

  /** A savepoint, and what ends it. */
  function savepoint(name: string) {
    let end!: { resolve(name: string): void; reject(error: Error): void };
    const work = new Promise<string>((resolve, reject) => (end = { resolve, reject }));
    const running = turns.run(() => {
      begun.push(name);
      return work;
    });
    return { running, succeed: () => end.resolve(name), fail: () => end.reject(new Error(name)) };
  }

  it('begins one at a time, in the order of the calls, also behind one that fails', async () => {
    const [first, second, third] = ['first', 'second', 'third'].map(savepoint);
    expect(begun).toEqual(['first']);
    const [turnOfSecond] = turns.waiting;
    first!.fail();
    await expect(first!.running).rejects.toThrow('first');
    await turnOfSecond;
    expect(begun).toEqual(['first', 'second']);
    second!.succeed();
    expect(await second!.running).toBe('second');
    third!.succeed();
    expect(await third!.running).toBe('third');
    expect(begun).toEqual(['first', 'second', 'third']);
  });

  it('has an end to wait for only where one had to wait for its turn', async () => {
    const first = savepoint('first');
    expect(turns.whenOver).toBeUndefined();
    const second = savepoint('second');
    let isOver = false;
    const over = turns.whenOver!.then(() => (isOver = true));
    first.succeed();
    await first.running;
    await Promise.all(turns.waiting);
    expect(isOver).toBe(false);
    second.fail();
    await expect(second.running).rejects.toThrow('second');
    await over;
    expect(turns.waiting).toEqual([]);
    expect(turns.whenOver).toBeUndefined();
  });

  it('begins none any more once its transaction has ended, and says so to who waits', async () => {
    const first = savepoint('first');
    const second = savepoint('second');
    const refused = [Promise.all(turns.waiting), second.running].map((each) =>
      expect(each).rejects.toThrow('the transaction has ended'),
    );
    isEnded = true;
    first.succeed();
    await Promise.all(refused);
    expect(begun).toEqual(['first']);
  });
});
