import {
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
} from '../../../lib/core/message/errors.js';
import { AppenderBed, many, TIMEOUT_MS } from './appender-bed.js';

describe('QueueAppender, when an answer does not come or makes no sense', () => {
  let bed: AppenderBed;

  beforeEach(() => void (bed = new AppenderBed()));

  it('repeats a lost call only after the store said that it never arrived', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.pause();
    expect(bed.log.reopens[0]!.call).toMatchObject({ epoch: 2, asked: [{ epoch: 1, number: 1 }] });
    expect(bed.log.appends).toHaveLength(1);
    bed.log.reopens[0]!.answer({ state: 'open', answers: ['never'] });
    await bed.turn();
    expect(bed.log.numbers).toEqual(['1:1', '2:1']);
    bed.log.store(1);
    await bed.turn();
    expect(bed.stored()).toEqual(['a']);
  });

  it('takes the answer of a lost call from the store', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'open', answers: [[{ state: 'stored', offset: '5-0' }]] });
    await bed.turn();
    expect(bed.outcomes.get('a')).toMatchObject({ offset: '5-0' });
    expect(bed.log.appends).toHaveLength(1);
  });

  it('keeps the order when an early call is lost and later ones find a gap', async () => {
    bed.send(...many(0, 400));
    await bed.turn();
    expect(bed.log.appends).toHaveLength(4);
    bed.log.appends[0]!.lose();
    for (const n of [1, 2, 3]) bed.log.appends[n]!.answer({ state: 'gap' });
    bed.send('after');
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'open', answers: ['never'] });
    await bed.turn();
    const resent: string[] = [];
    for (let n = 4; n < bed.log.appends.length; n++) {
      resent.push(...bed.log.bodies(n));
      bed.log.store(n);
      await bed.turn();
    }
    expect(resent).toEqual([...many(0, 400), 'after']);
    expect(bed.stored()).toEqual(resent);
  });

  it('asks only when every call under way has ended', async () => {
    bed.send(...many(0, 200));
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.pause();
    expect(bed.log.reopens).toHaveLength(0);
    bed.log.store(1);
    await bed.pause();
    expect(bed.log.reopens[0]!.call.asked).toEqual([{ epoch: 1, number: 1 }]);
  });

  it('answers "unknown" when the store was asked and did not answer in time', async () => {
    bed.send('a');
    await bed.turn();
    bed.send('b');
    await bed.clock.advance(TIMEOUT_MS);
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
    expect(bed.rejectedWith(SendFailedError)).toEqual(['b']);
  });

  it('stays "unknown" once an answer was lost, whatever later tries were refused with', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.clock.advance(500);
    for (let n = 0; bed.clock.monotonic() < TIMEOUT_MS; n++) {
      bed.log.reopens[n]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
      await bed.clock.advance(1_000);
    }
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
  });

  it('never sends a message again that was answered "unknown"', async () => {
    bed.send('a');
    await bed.turn();
    await bed.clock.advance(TIMEOUT_MS);
    bed.log.appends[0]!.lose();
    bed.send('b');
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'open', answers: ['never'] });
    await bed.turn();
    expect(bed.log.bodies(1)).toEqual(['b']);
    expect(bed.log.numbers).toEqual(['1:1', '2:1']);
  });

  it('gives up asking when nobody waits, and begins a new epoch with the next send', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.clock.advance(TIMEOUT_MS);
    for (let n = 0; n < bed.log.reopens.length; n++) {
      bed.log.reopens[n]!.lose();
      await bed.clock.advance(1_000);
    }
    const asked = bed.log.reopens.length;
    await bed.clock.advance(60_000);
    expect(bed.log.reopens).toHaveLength(asked);
    expect(bed.appender.idle).toBe(true);
    expect(bed.clock.armed).toBe(0);

    bed.send('b');
    await bed.pause();
    const last = bed.log.reopens.at(-1)!;
    expect(last.call.epoch).toBe(asked + 2);
    last.answer({ state: 'open', answers: [] });
    await bed.turn();
    expect(bed.log.bodies(1)).toEqual(['b']);
    expect(bed.log.appends[1]!.call).toMatchObject({ epoch: asked + 2, number: 1 });
  });

  it('sends a first call again that the store knows nothing of', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'new-session' });
    await bed.turn();
    bed.log.store(1);
    await bed.turn();
    expect(bed.stored()).toEqual(['a']);
  });

  it('does not say "not stored" of what a server that failed may have delivered', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'new-session' });
    await bed.turn();
    bed.log.appends[1]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
    await bed.turn();
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
  });

  it('does not say so either where a follower took over that knows the session, and stores it otherwise', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.store(0);
    bed.send('b');
    await bed.turn();
    bed.send('c');
    bed.log.appends[1]!.lose();
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'open', answers: ['not-here'] });
    await bed.turn();
    expect(bed.log.bodies(2)).toEqual(['b', 'c']);
    bed.log.appends[2]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
    await bed.turn();
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['b']);
    expect(bed.rejectedWith(SendFailedError)).toEqual(['c']);
  });

  it('answers "unknown" when the store forgot a session it had acknowledged', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.store(0);
    bed.send('b');
    await bed.turn();
    bed.log.appends[1]!.lose();
    bed.send('c');
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'new-session' });
    await bed.turn();
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['b']);
    bed.log.store(2);
    await bed.turn();
    expect(bed.stored()).toEqual(['a', 'c']);
  });

  it('opens a new session when the store says it knows none', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.store(0);
    bed.send('b');
    await bed.turn();
    bed.log.appends[1]!.answer({ state: 'new-session' });
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'new-session' });
    await bed.turn();
    expect(bed.log.numbers).toEqual(['1:1', '1:2', '2:1']);
    bed.log.store(2);
    await bed.turn();
    expect(bed.stored()).toEqual(['a', 'b']);
  });

  it('opens a new epoch when the store is behind what it had acknowledged', async () => {
    // A store that lost its last second still knows the session, at an older number: every call is a gap for it.
    bed.send('a');
    await bed.turn();
    bed.log.store(0);
    bed.send('b');
    await bed.turn();
    bed.log.appends[1]!.answer({ state: 'gap' });
    await bed.pause();
    expect(bed.log.reopens).toHaveLength(1);
    bed.log.reopens[0]!.answer({ state: 'open', answers: [] });
    await bed.turn();
    expect(bed.log.numbers.at(-1)).toBe('2:1');
    bed.log.store(bed.log.appends.length - 1);
    await bed.turn();
    expect(bed.stored()).toEqual(['a', 'b']);
  });

  it('asks with a newer epoch each time, so that an older answer cannot be taken for it', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.pause();
    bed.log.reopens[0]!.lose();
    await bed.pause();
    expect(bed.log.reopens.map(({ call }) => call.epoch)).toEqual([2, 3]);
    expect(bed.log.reopens[1]!.call.asked).toEqual([{ epoch: 1, number: 1 }]);
  });

  it('asks what became of a call that was fenced', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.answer({ state: 'fenced' });
    await bed.pause();
    expect(bed.log.reopens[0]!.call.asked).toEqual([{ epoch: 1, number: 1 }]);
  });

  it('learns what became of a lost call before it hands the rest back', async () => {
    bed.send(...many(0, 200));
    await bed.turn();
    bed.log.appends[0]!.lose();
    bed.log.appends[1]!.answer({ state: 'moved', generation: 2 });
    await bed.pause();
    expect(bed.moved).toEqual([]);
    bed.log.reopens[0]!.answer({
      state: 'open',
      answers: [many(0, 100).map((_, i) => ({ state: 'stored', offset: `1-${i}` }))],
    });
    await bed.turn();
    expect(bed.stored()).toEqual(many(0, 100));
    expect(bed.moved).toEqual([many(100, 100)]);
  });
});
