import { AnswerPace } from '../../../lib/core/transaction/answer-pace.js';
import { TurnBatch } from '../../../lib/core/transaction/turn-batch.js';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('AnswerPace', () => {
  let pace: AnswerPace;
  let seen: string[];
  /** What is asked because of an answer. */
  let asks: TurnBatch<object, string, string>;
  const place = {};

  beforeEach(() => {
    pace = new AnswerPace();
    seen = [];
    asks = new TurnBatch((_, items) => {
      seen.push(`asked ${items.join(', ')}`);
      return Promise.resolve(items);
    });
  });

  /** One call's answers: whoever hears of one asks for another, some promises later. Resolves when all of that is answered. */
  async function answered(name: string, answers: number): Promise<void> {
    const later: Promise<string>[] = [];
    await new Promise<void>((resolve) =>
      pace.take(answers, (from, to) => {
        const part = `${name} ${from}-${to}`;
        seen.push(part);
        pace.expect(to - from);
        later.push(nextPromise().then(() => asks.ask(place, part)));
        if (to === answers) resolve();
      }),
    );
    await Promise.all(later);
  }

  const nextPromise = (): Promise<void> => Promise.resolve().then(() => undefined);

  it('hands on at once what comes alone', async () => {
    pace.expect(1);
    const done = answered('a', 1);
    expect(seen).toEqual(['a 0-1']);
    await done;
  });

  it.each(['an I/O callback', 'the end of a turn'])(
    'hands on in portions, each after what the one before asks for has left, begun in %s',
    async (where) => {
      pace.expect(192);
      if (where === 'the end of a turn') await nextTurn();
      await Promise.all(['a', 'b', 'c'].map((name) => answered(name, 64)));
      expect(seen).toEqual(
        ['a 0-64', 'b 0-64', 'c 0-64'].flatMap((part) => [part, `asked ${part}`]),
      );
    },
  );

  it('hands on one call in two portions when nothing else is in flight', async () => {
    pace.expect(32);
    await answered('a', 32);
    expect(seen).toEqual(['a 0-16', 'asked a 0-16', 'a 16-32', 'asked a 16-32']);
  });

  it('hands on a portion across calls', async () => {
    pace.expect(40);
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => answered(name, 10)));
    expect(seen).toEqual([
      ...['a 0-10', 'asked a 0-10'],
      ...['b 0-10', 'c 0-10', 'asked b 0-10, c 0-10'],
      ...['d 0-10', 'asked d 0-10'],
    ]);
  });

  it('hands on a small rest with those before it', async () => {
    pace.expect(40);
    await answered('a', 29);
    expect(seen).toEqual(['a 0-29', 'asked a 0-29']);
  });

  it('hands on at once where many are in flight', async () => {
    pace.expect(513);
    const names = ['a', 'b', 'c'];
    const done = names.map((name) => answered(name, 64));
    expect(seen).toEqual(names.map((name) => `${name} 0-64`));
    await Promise.all(done);
  });

  it('does not count what will not come', async () => {
    pace.expect(513);
    pace.missed(481);
    await answered('a', 32);
    expect(seen[0]).toBe('a 0-16');
  });

  it('hands on at once again when everything has been', async () => {
    pace.expect(2);
    await answered('a', 1);
    await answered('b', 1);
    // So many turns of the event loop after the last one nothing is waited for.
    for (let turn = 0; turn < 2; turn++) await nextTurn();
    const done = answered('c', 1);
    expect(seen).toEqual(['a 0-1', 'asked a 0-1', 'b 0-1', 'asked b 0-1', 'c 0-1']);
    await done;
  });
});
