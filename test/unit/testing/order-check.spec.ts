import { checkOrder, type Trace } from '../../helpers/order-check.js';

const base = { group: 'g', token: 1, ok: true, aborted: false };
const start = (seq: number, who = 'a', more: Partial<Trace> = {}): Trace => ({
  ...{ ...base, kind: 'start', seq, who, ...more },
});
const end = (seq: number, who = 'a', more: Partial<Trace> = {}): Trace => ({
  ...{ ...base, kind: 'end', seq, who, ...more },
});
const told = (seq: number, who: string, more: Partial<Trace> = {}): Trace => ({
  ...{ ...base, kind: 'told', seq, who, ...more },
});
const check = (...trace: Trace[]) => checkOrder(trace, new Set(['frozen']));

describe('the order checker', () => {
  it('finds nothing wrong with retries, repeats of the last one, and what zombies do', () => {
    const report = check(
      ...[start(1), end(1, 'a', { ok: false }), start(1), end(1), start(2), end(2)],
      ...[start(2, 'b', { token: 2 }), end(2, 'b', { token: 2 })],
      ...[start(3, 'frozen', { token: 3 }), start(3, 'b', { token: 4 }), end(3, 'b', { token: 4 })],
      end(3, 'frozen', { token: 3 }),
      told(3, 'frozen', { token: 3, aborted: true }),
    );
    expect(report).toEqual({
      ...{ violations: [], done: 3, again: 1 },
      ...{ besideZombies: 1, zombieEnds: 1 },
    });
  });

  it('wants nothing of the signal of a handler that nobody followed', () => {
    expect(check(start(1), end(1), told(1, 'a')).violations).toEqual([]);
  });

  it.each([
    ['two at once', [start(1), start(1, 'b')]],
    ['a successor beside its predecessor', [start(1), start(2)]],
    ['a gap', [start(1), end(1), start(3)]],
    ['a step back', [start(1), end(1), start(2), end(2), start(1)]],
    ['a successor of a failure', [start(1), end(1, 'a', { ok: false }), start(2)]],
    ['a late start', [start(1, 'b', { token: 2 }), end(1, 'b', { token: 2 }), start(2)]],
    [
      'a zombie that does not know it',
      [
        start(1, 'frozen'),
        start(1, 'b', { token: 2 }),
        end(1, 'b', { token: 2 }),
        end(1, 'frozen'),
        told(1, 'frozen'),
      ],
    ],
  ])('sees %s', (_, trace) => {
    expect(check(...trace).violations).toHaveLength(1);
  });
});
