import { WORTH_ANOTHER_CALL } from '../../../lib/core/producer/producer-settings.js';
import { QueueTurns } from '../../../lib/core/producer/queue-turns.js';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns of queues', () => {
  it('stay with one queue until the turn of the event loop ends', async () => {
    const turns = new QueueTurns({ queues: 3 });
    const taken: number[][] = [];
    for (let i = 0; i < 4; i++) {
      taken.push([turns.next(), turns.next()]);
      await nextTurn();
    }
    expect(taken).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [0, 0],
    ]);
  });

  it('go on behind a message that leaves at once, so that nobody waits for its answer', async () => {
    const turns = new QueueTurns({ queues: 3 });
    const taken: number[][] = [];
    for (let i = 0; i < 3; i++) {
      taken.push([turns.nextAlone(), turns.next(), turns.next()]);
      await nextTurn();
    }
    expect(taken).toEqual([
      [0, 1, 1],
      [1, 2, 2],
      [2, 0, 0],
    ]);
    expect([turns.nextAlone(), turns.nextAlone(), turns.nextAlone()]).toEqual([0, 1, 2]);
  });

  it('give each of two queues as much of what comes in one go after each rest', async () => {
    const turns = new QueueTurns({ queues: 2 });
    const counts = [0, 0];
    for (let i = 0; i < 4; i++) {
      counts[turns.nextAlone()]! += 1;
      for (let more = 1; more < WORTH_ANOTHER_CALL; more++) counts[turns.next()]! += 1;
      await nextTurn();
    }
    expect(counts).toEqual([2 * WORTH_ANOTHER_CALL, 2 * WORTH_ANOTHER_CALL]);
  });

  it('go on behind each message or batch that comes by itself, whether the one before left at once or not', async () => {
    const turns = new QueueTurns({ queues: 4 });
    const taken = [turns.nextAlone()];
    await nextTurn();
    taken.push(turns.next());
    await nextTurn();
    taken.push(turns.nextAlone());
    turns.expect(2);
    taken.push(turns.next(), turns.next());
    turns.expect(0);
    await nextTurn();
    taken.push(turns.next());
    expect(taken).toEqual([0, 1, 2, 3, 3, 0]);
  });

  it('let no message leave at once that others of its batch follow, or that has the only queue', () => {
    const turns = new QueueTurns({ queues: 2 });
    expect(turns.mayLeaveAlone).toBe(true);
    turns.expect(2);
    expect(turns.mayLeaveAlone).toBe(false);
    turns.expect(1);
    expect(turns.mayLeaveAlone).toBe(true);
    expect(new QueueTurns({ queues: 1 }).mayLeaveAlone).toBe(false);
  });

  it('go on when a queue has as much as is worth a call', () => {
    const turns = new QueueTurns({ queues: 2 });
    const queues = Array.from({ length: 2 * WORTH_ANOTHER_CALL }, () => turns.next());
    expect(queues.slice(0, WORTH_ANOTHER_CALL).every((queue) => queue === 0)).toBe(true);
    expect(queues.slice(WORTH_ANOTHER_CALL).every((queue) => queue === 1)).toBe(true);
    expect(turns.isComplete).toBe(true);
    expect(turns.next()).toBe(0);
    expect(turns.isComplete).toBe(false);
  });

  it('go on after what is left of a batch and would be too little for a call of its own', () => {
    const turns = new QueueTurns({ queues: 3 });
    const batch = (messages: number): number[] => {
      turns.expect(messages);
      const queues = Array.from({ length: messages }, () => turns.next());
      turns.expect(0);
      return [0, 1, 2].map((queue) => queues.filter((each) => each === queue).length);
    };
    expect(batch(WORTH_ANOTHER_CALL + 36)).toEqual([WORTH_ANOTHER_CALL + 36, 0, 0]);
    expect(turns.isComplete).toBe(true);
    expect(batch(2 * WORTH_ANOTHER_CALL + 1)).toEqual([
      0,
      WORTH_ANOTHER_CALL,
      WORTH_ANOTHER_CALL + 1,
    ]);
    expect(batch(10)).toEqual([10, 0, 0]);
    expect(turns.isComplete).toBe(false);
  });
});
