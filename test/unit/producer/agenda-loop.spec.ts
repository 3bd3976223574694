import { AgendaLoop, type ForOthers } from '../../../lib/core/producer/agenda-loop.js';
import type { Agenda } from '../../../lib/core/store/agenda.js';
import { StoreTime } from '../../../lib/core/store/store-time.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

describe('AgendaLoop', () => {
  let clock: ManualClock;
  let agenda: Agenda;
  let loop: AgendaLoop;
  let done: string[];
  /** Undefined: not done. What is not in it is done for good. */
  let nextAt: Map<string, number | ForOthers | null | undefined>;
  let takes: number[];
  /** How long a question takes to be answered, and a piece of work to be finished. */
  let slowMs: { take: number; finish: number };
  let errors: number;
  beforeEach(() => {
    clock = new ManualClock(0);
    const stores = new MemoryStores({ clock });
    done = [];
    takes = [];
    nextAt = new Map();
    slowMs = { take: 0, finish: 0 };
    errors = 0;
    const pause = (ms: number): Promise<void> =>
      ms === 0 ? Promise.resolve() : new Promise((resolve) => clock.after(ms, resolve));
    agenda = {
      note: (work, at) => stores.agenda.note(work, at),
      take: async (options) => {
        takes.push(clock.monotonic());
        const reply = await stores.agenda.take(options);
        await pause(slowMs.take);
        return reply;
      },
      list: () => stores.agenda.list(),
      finish: async (...args) => {
        await pause(slowMs.finish);
        await stores.agenda.finish(...args);
      },
    };
    loop = new AgendaLoop({
      agenda,
      clock,
      storeTime: new StoreTime({ clock }),
      perform: async (work) => {
        done.push(`${work} at ${clock.monotonic()}`);
        const failure = nextAt.get(work);
        if (failure === -1) throw new Error('not now');
        return nextAt.has(work) ? nextAt.get(work) : null;
      },
      onError: () => (errors += 1),
    });
  });
  afterEach(async () => {
    const stopped = loop.stop();
    await clock.advance(1_000);
    await stopped;
  });

  it('leaves what is not done to its lease', async () => {
    loop.start();
    nextAt.set('half done', undefined);
    loop.note('half done', 1_000);
    await clock.advance(4_000);
    expect(done).toEqual(['half done at 1000']);
    nextAt.set('half done', null);
    await clock.advance(3_000);
    expect(done).toHaveLength(2);
    await clock.advance(20_000);
    expect(done).toHaveLength(2);
  });

  it('leaves to others what it cannot do, and looks again when nobody did it', async () => {
    nextAt.set('w', { forOthersAt: 300 });
    await agenda.note('w', 0);
    loop.start();
    await clock.advance(999);
    expect(done).toEqual(['w at 0']);
    await clock.advance(1);
    expect(done).toEqual(['w at 0', 'w at 1000']);
  });

  it('does what was noted, then', async () => {
    loop.start();
    await clock.advance(2_000);
    loop.note('b', 2_700);
    loop.note('a', 2_300);
    await clock.advance(5_000);
    expect(done).toEqual(['a at 2300', 'b at 2700']);
  });

  it('asks once a second while nothing is due', async () => {
    loop.start();
    await clock.advance(10_500);
    expect(takes).toHaveLength(11);
  });

  it('does in time what was noted while it was asking, or finishing other work', async () => {
    slowMs = { take: 15, finish: 15 };
    loop.start();
    await clock.advance(3_005);
    // Asked at 3000, not answered yet.
    loop.note('while asking', 3_200);
    await clock.advance(400);
    loop.note('first', 3_450);
    await clock.advance(75);
    // Each is asked for 15 ms late, since the store's time is known from an answer that took as long, and so never
    // early; then it takes another 15 ms. Here the first one is finishing.
    expect(done.at(-1)).toBe('first at 3480');
    loop.note('while finishing', 3_600);
    await clock.advance(2_000);
    expect(done).toEqual(['while asking at 3230', 'first at 3480', 'while finishing at 3630']);
  });

  it('does what other processes noted within a second of its time', async () => {
    loop.start();
    await clock.advance(500);
    await agenda.note('theirs', 700);
    await clock.advance(1_500);
    expect(done).toEqual(['theirs at 1000']);
  });

  it('goes on with work that has more to do', async () => {
    nextAt.set('a', 5_000);
    loop.start();
    loop.note('a', 0);
    await clock.advance(1_000);
    nextAt.set('a', null);
    await clock.advance(10_000);
    expect(done).toEqual(['a at 0', 'a at 5000']);
  });

  it('comes back to work that failed, when its lease has ended', async () => {
    nextAt.set('a', -1);
    loop.start();
    loop.note('a', 0);
    await clock.advance(1_000);
    nextAt.delete('a');
    await clock.advance(10_000);
    expect(errors).toBe(1);
    expect(done).toEqual(['a at 0', 'a at 5000']);
  });

  it('reports a note that could not be made, and makes it again', async () => {
    const note = agenda.note;
    agenda.note = () => Promise.reject(new Error('down'));
    loop.start();
    loop.note('lost', 100);
    agenda.note = note;
    await clock.advance(10);
    loop.note('kept', 200);
    await clock.advance(2_000);
    expect(errors).toBe(1);
    expect(done).toEqual(['lost at 100', 'kept at 200']);
  });
});
