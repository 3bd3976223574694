import { type Happening, History } from '../helpers/history.js';
import { judge, type Scene, type Verdict } from '../helpers/judge.js';

/** Two messages of one lane, sent, confirmed, handled and settled in order. */
function goodHistory(): History {
  const history = new History();
  for (const seq of [1, 2]) {
    history.sent(`a${seq}`, { lane: 'a', seq });
    history.answered(`a${seq}`, 'confirmed');
  }
  for (const seq of [1, 2]) {
    history.handled(`a${seq}`);
    history.settled(`a${seq}`);
  }
  return history;
}

const SCENE: Scene = { stored: ['a1', 'a2'], ordered: [''], tellsSettled: true };
const FLAWLESS = {
  ...{ hung: [], lost: [], stuck: [], ghosts: [], phantoms: [], doubled: [] },
  ...{ reordered: [], overtook: [], again: 0 },
};

it('finds nothing in a history in which everything went well', () => {
  expect(judge(goodHistory().happenings, SCENE)).toMatchObject({
    ...{ sent: 2, confirmed: 2, failed: 0, unknown: 0 },
    ...FLAWLESS,
  });
});

/** A flaw that is put into the good history, and all that must be found because of it. */
const FLAWS: [string, (history: History) => Scene | void, Partial<Verdict>][] = [
  ['a send that was never answered', (history) => history.sent('b'), { hung: ['b'] }],
  [
    'a message that is gone before anybody handled it',
    (history) => {
      history.sent('b');
      history.answered('b', 'confirmed');
    },
    { lost: ['b'] },
  ],
  [
    'a message that nobody handles',
    (history) => {
      history.sent('b');
      history.answered('b', 'confirmed');
      return { stored: ['a1', 'a2', 'b'] };
    },
    { stuck: ['b'] },
  ],
  [
    'a message that is handled and never settled',
    (history) => {
      history.sent('b');
      history.answered('b', 'confirmed');
      history.handled('b');
    },
    { stuck: ['b'] },
  ],
  [
    'a failed send that is handled',
    (history) => {
      history.sent('b');
      history.answered('b', 'failed');
      history.handled('b');
    },
    { ghosts: ['b'] },
  ],
  [
    'a failed send that is only stored',
    (history) => {
      history.sent('b');
      history.answered('b', 'failed');
      return { stored: ['a1', 'a2', 'b'] };
    },
    { ghosts: ['b'] },
  ],
  ['a message that nobody sent', (history) => history.handled('b'), { phantoms: ['b'] }],
  ['a message that is stored twice', () => ({ stored: ['a1', 'a2', 'a2'] }), { doubled: ['a2'] }],
  ['a message that is handled twice', (history) => history.handled('a1'), { again: 1 }],
  [
    'a message that comes after its successor',
    (history) => {
      history.sent('a3', { lane: 'a', seq: 3 });
      history.answered('a3', 'unknown');
      history.sent('a4', { lane: 'a', seq: 4 });
      history.answered('a4', 'confirmed');
      for (const key of ['a4', 'a3']) {
        history.handled(key);
        history.settled(key);
      }
    },
    { reordered: ['a3'] },
  ],
  [
    'a message that passes one that was not handled at all',
    (history) => {
      for (const seq of [3, 4]) {
        history.sent(`a${seq}`, { lane: 'a', seq });
        history.answered(`a${seq}`, 'confirmed');
      }
      history.handled('a4');
      history.settled('a4');
    },
    { lost: ['a3'], overtook: ['a4'] },
  ],
];

it.each(FLAWS)('finds %s, and nothing else', (_, spoil, found) => {
  const history = goodHistory();
  const scene = { ...SCENE, ...spoil(history) };
  expect(judge(history.happenings, scene)).toMatchObject({ ...FLAWLESS, ...found });
});

it('asks each consumer group for every message, and names it', () => {
  const history = goodHistory();
  history.handled('a1', 'mail');
  const { lost, stuck } = judge(history.happenings, { ...SCENE, groups: ['', 'mail'] });
  expect({ lost, stuck }).toEqual({ lost: [], stuck: ['mail a1', 'mail a2'] });
});

it('measures from each healing until a message sent after it is confirmed, and handled', () => {
  const at = (kind: Happening['kind'], atMs: number, key = 'old'): Happening => ({
    ...{ kind, atMs, key, group: '', lane: undefined, seq: 0 },
  });
  const happenings = [
    ...[at('sent', 0), at('handled', 5), at('healed', 10), at('confirmed', 11), at('handled', 12)],
    ...[at('sent', 13, 'a'), at('confirmed', 30, 'a'), at('handled', 40, 'a'), at('healed', 100)],
    ...[at('sent', 101, 'b'), at('confirmed', 102, 'b'), at('handled', 170, 'b')],
  ];
  expect(judge(happenings)).toMatchObject({
    ...{ sendsBackMs: 20, handlingBackMs: 70, longestGapMs: 130 },
  });
  expect(judge([...happenings, at('healed', 200)])).toMatchObject({ handlingBackMs: Infinity });
  expect(judge([])).toMatchObject({ sendsBackMs: null, handlingBackMs: null, longestGapMs: 0 });
});
