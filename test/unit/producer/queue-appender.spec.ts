import {
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
} from '../../../lib/core/message/errors.js';
import { WORTH_ANOTHER_CALL } from '../../../lib/core/producer/producer-settings.js';
import { AppenderBed, many, TIMEOUT_MS } from './appender-bed.js';

describe('QueueAppender', () => {
  let bed: AppenderBed;

  beforeEach(() => void (bed = new AppenderBed()));

  it('sends everything of one event-loop turn in one call', async () => {
    bed.send('a', 'b', 'c');
    await bed.turn();
    expect(bed.log.appends).toHaveLength(1);
    expect(bed.log.bodies(0)).toEqual(['a', 'b', 'c']);
    bed.log.store(0);
    await bed.turn();
    expect(bed.outcomes.get('b')).toMatchObject({ messageId: 'b', offset: '1-2', state: 'stored' });
    expect(bed.appender.idle).toBe(true);
  });

  it('sends at once what comes alone, unless a call is under way', async () => {
    bed.appender.enqueueAlone(bed.pending('a'));
    expect(bed.log.appends).toHaveLength(1);
    bed.appender.enqueueAlone(bed.pending('b'));
    bed.send('c');
    await bed.turn();
    expect(bed.log.appends).toHaveLength(1);
    bed.log.store(0);
    await bed.turn();
    expect(bed.log.bodies(1)).toEqual(['b', 'c']);
    bed.log.store(1);
    await bed.turn();
    expect(bed.outcomes.get('c')).toMatchObject({ messageId: 'c', state: 'stored' });
    expect(bed.appender.idle).toBe(true);
  });

  it('answers what comes alone once it is closed', () => {
    bed.appender.close();
    bed.appender.enqueueAlone(bed.pending('a'));
    expect(bed.outcomes.get('a')).toBeInstanceOf(SendFailedError);
    expect(bed.log.appends).toHaveLength(0);
  });

  it('keeps the timer of its first deadline for what comes after, and none once it is closed', async () => {
    for (const body of ['a', 'b', 'c']) {
      bed.send(body);
      await bed.turn();
      bed.log.store(bed.log.appends.length - 1);
      await bed.turn();
      expect(bed.appender.idle).toBe(true);
      expect(bed.clock.armed).toBe(1);
    }
    bed.appender.close();
    expect(bed.clock.armed).toBe(0);
  });

  it('cuts a call at the most messages and at the most bytes', async () => {
    bed.send(...many(0, 150));
    await bed.turn();
    expect(bed.log.appends.map(({ call }) => call.entries.length)).toEqual([100]);
    bed.log.store(0);
    await bed.turn();
    expect(bed.log.appends.map(({ call }) => call.entries.length)).toEqual([100, 50]);
    bed.log.store(1);
    bed.send('x'.repeat(9_000), 'y'.repeat(2_000), 'z'.repeat(20_000));
    await bed.turn();
    for (let n = 2; n < bed.log.appends.length; n++) {
      bed.log.store(n);
      await bed.turn();
    }
    expect(bed.log.appends.slice(2).map(({ call }) => call.entries.length)).toEqual([1, 1, 1]);
  });

  it('has at most five calls under way', async () => {
    bed.send(...many(0, 1_000));
    await bed.turn();
    expect(bed.log.mostUnderWay).toBe(5);
    for (let n = 0; n < bed.log.appends.length; n++) {
      bed.log.store(n);
      await bed.turn();
    }
    expect(bed.log.mostUnderWay).toBe(5);
    expect(bed.log.numbers).toEqual(many(1, 10).map((number) => `1:${number}`));
    expect(bed.stored()).toEqual(many(0, 1_000));
  });

  it('lets sends wait for the call under way while they are few, so that they travel together', async () => {
    bed.send('a');
    await bed.turn();
    bed.send('b');
    await bed.turn();
    bed.send('c');
    await bed.turn();
    expect(bed.log.appends).toHaveLength(1);
    bed.log.store(0);
    await bed.turn();
    expect(bed.log.bodies(1)).toEqual(['b', 'c']);
  });

  it('never sends what it has called failed, also when that lets enough others in for a call', async () => {
    bed.send('under way');
    await bed.turn();
    const letIn = (): void => {
      bed.send(...many(0, WORTH_ANOTHER_CALL));
      bed.appender.flush();
    };
    bed.appender.enqueue(bed.pending('late', { onFailed: letIn }));
    await bed.clock.advance(TIMEOUT_MS);
    expect(bed.outcomes.get('late')).toBeInstanceOf(SendFailedError);
    expect(bed.log.bodies(1)).toEqual(many(0, WORTH_ANOTHER_CALL));
  });

  it('uses the number of a refused call again', async () => {
    bed.send('a');
    await bed.turn();
    bed.log.appends[0]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
    await bed.pause();
    expect(bed.rejectedWith(SendFailedError)).toEqual(['a']);
    bed.send('b');
    await bed.turn();
    expect(bed.log.numbers).toEqual(['1:1', '1:1']);
    expect(bed.log.reopens).toHaveLength(0);
  });

  it('sends what stood behind a refused call again, with the numbers that are free', async () => {
    bed.send(...many(0, 300));
    await bed.turn();
    bed.log.appends[0]!.fail(new StoreRefusedError('WRONGTYPE', { reason: 'WRONGTYPE' }));
    bed.log.appends[1]!.answer({ state: 'gap' });
    bed.log.appends[2]!.answer({ state: 'gap' });
    await bed.pause();
    expect(bed.log.numbers).toEqual(['1:1', '1:2', '1:3', '1:1', '1:2']);
    expect(bed.log.bodies(3)[0]).toBe('100');
    expect(bed.rejectedWith(SendFailedError)).toEqual(many(0, 100));
  });

  it.each(['NOT_SENT', 'LOADING', 'READONLY', 'CLUSTERDOWN', 'BUSY', 'NOREPLICAS'])(
    'tries again by itself after a refusal that passes: %s',
    async (reason) => {
      bed.send('a');
      await bed.turn();
      bed.log.appends[0]!.fail(new StoreRefusedError(reason, { reason }));
      await bed.pause();
      expect(bed.outcomes.size).toBe(0);
      expect(bed.log.numbers).toEqual(['1:1', '1:1']);
      bed.log.store(1);
      await bed.turn();
      expect(bed.stored()).toEqual(['a']);
    },
  );

  it('answers "failed" when the store could never be asked in time', async () => {
    bed.log.refusal = new StoreRefusedError('not sent', { reason: 'NOT_SENT' });
    bed.send('a');
    await bed.clock.advance(TIMEOUT_MS);
    expect(bed.log.appends.length).toBeGreaterThan(15);
    expect(bed.rejectedWith(SendFailedError)).toEqual(['a']);
    expect(bed.outcomes.get('a')).toHaveProperty('messageId', 'a');
  });

  it('hands everything back in order when the topic moved', async () => {
    bed.send(...many(0, 200));
    await bed.turn();
    bed.send('after');
    bed.log.appends[0]!.answer({ state: 'moved', generation: 2 });
    bed.log.appends[1]!.answer({ state: 'moved', generation: 2 });
    await bed.pause();
    expect(bed.moved).toEqual([[...many(0, 200), 'after']]);
    expect(bed.appender.idle).toBe(true);
  });

  it('answers each message of a call by its own result', async () => {
    bed.send('a', 'c', 'd');
    await bed.turn();
    bed.log.appends[0]!.answer({
      state: 'appended',
      repeat: false,
      results: [
        { state: 'stored', offset: '1-1' },
        { state: 'duplicate', messageId: 'first', offset: '1-0' },
        { state: 'scheduled', dueAt: 5 },
      ],
    });
    await bed.turn();
    expect(bed.outcomes.get('a')).toMatchObject({
      state: 'stored',
      offset: '1-1',
      duplicate: false,
    });
    expect(bed.outcomes.get('c')).toMatchObject({
      messageId: 'first',
      duplicate: true,
      offset: '1-0',
    });
    expect(bed.outcomes.get('d')).toMatchObject({ state: 'scheduled', offset: null });
  });

  it('calls none a duplicate that finds itself, stored by a try before', async () => {
    bed.send('a');
    await bed.turn();
    const results = [{ state: 'duplicate', messageId: 'a', offset: '1-0' } as const];
    bed.log.appends[0]!.answer({ state: 'appended', repeat: false, results });
    await bed.turn();
    expect(bed.outcomes.get('a')).toMatchObject({
      messageId: 'a',
      duplicate: false,
      offset: '1-0',
    });
  });

  it('leaves nobody waiting whom the store does not answer, also when it is asked again', async () => {
    const [only] = bed.log.stored({ entries: [{}] } as never);
    bed.send('a', 'b');
    await bed.turn();
    bed.log.appends[0]!.answer({ state: 'appended', results: [only!], repeat: true });
    await bed.turn();
    bed.send('c', 'd');
    await bed.turn();
    bed.log.appends[1]!.lose();
    await bed.pause();
    bed.log.reopens[0]!.answer({ state: 'open', answers: [[only!]] });
    await bed.turn();
    expect(bed.stored()).toEqual(['a', 'c']);
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['b', 'd']);
    expect(bed.log.appends).toHaveLength(2);
  });

  it('is idle once every send was answered', async () => {
    let idle = false;
    bed.send('a');
    void bed.appender.whenIdle().then(() => (idle = true));
    await bed.turn();
    expect(idle).toBe(false);
    bed.log.store(0);
    await bed.turn();
    expect(idle).toBe(true);
  });

  it('answers everything when it is closed, and sends nothing more', async () => {
    bed.send('a');
    await bed.turn();
    bed.send('b');
    bed.appender.close();
    expect(bed.rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
    expect(bed.rejectedWith(SendFailedError)).toEqual(['b']);
    bed.log.appends[0]!.lose();
    bed.send('c');
    await bed.clock.advance(60_000);
    expect(bed.rejectedWith(SendFailedError)).toEqual(['b', 'c']);
    expect([bed.log.appends.length, bed.log.reopens.length]).toEqual([1, 0]);
    expect(bed.clock.armed).toBe(0);
  });
});
