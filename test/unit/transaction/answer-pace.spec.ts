import { WORTH_ANOTHER_CALL } from '../../../lib/core/producer/producer-settings.js';
import { AnswerPace } from '../../../lib/core/transaction/answer-pace.js';
import { TurnBatch } from '../../../lib/core/transaction/turn-batch.js';

const HALF = WORTH_ANOTHER_CALL / 2;

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
      seen.push(`asked ${items.join('+')}`);
      return Promise.resolve(items);
    });
  });

  /** One call's answers, which make somebody ask for more some promises later. Resolves when that is answered. */
  function answered(name: string, answers: number): Promise<string> {
    return new Promise((resolve) =>
      pace.take(answers, () => {
        seen.push(name);
        const later = Promise.resolve().then(() => undefined);
        void later.then(() => asks.ask(place, name)).then(resolve);
      }),
    );
  }

  it('hands on at once what comes alone', async () => {
    const done = answered('a', 1);
    expect(seen).toEqual(['a']);
    await done;
  });

  it.each(['an I/O callback', 'the end of a turn'])(
    'hands on in portions, each after what the one before asks for has left, begun in %s',
    async (where) => {
      if (where === 'the end of a turn') await new Promise((resolve) => setImmediate(resolve));
      const names = ['a', 'b', 'c'];
      await Promise.all(names.map((name) => answered(name, WORTH_ANOTHER_CALL)));
      expect(seen).toEqual(['a', 'asked a', 'b', 'asked b', 'c', 'asked c']);
    },
  );

  it('hands on together what is worth a call together only', async () => {
    const sizes = { a: 1, b: HALF, c: HALF, d: HALF, e: HALF - 1 };
    await Promise.all(Object.entries(sizes).map(([name, size]) => answered(name, size)));
    expect(seen).toEqual(['a', 'asked a', 'b', 'c', 'asked b+c', 'd', 'e', 'asked d+e']);
  });

  it('hands on a small rest with those before it', async () => {
    const sizes = { a: 1, b: WORTH_ANOTHER_CALL, c: HALF - 1 };
    await Promise.all(Object.entries(sizes).map(([name, size]) => answered(name, size)));
    expect(seen).toEqual(['a', 'asked a', 'b', 'c', 'asked b+c']);
  });

  it('hands on at once what would be many to wait', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const done = names.map((name) => answered(name, WORTH_ANOTHER_CALL));
    expect(seen).toEqual(names);
    await Promise.all(done);
    expect(seen).toEqual([...names, `asked ${names.join('+')}`]);
  });

  it('hands on at once again when everything has been', async () => {
    await answered('a', 1);
    await answered('b', 1);
    // So many turns of the event loop after the last one nothing is waited for.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    const done = answered('c', 1);
    expect(seen).toEqual(['a', 'asked a', 'b', 'asked b', 'c']);
    await done;
  });
});
