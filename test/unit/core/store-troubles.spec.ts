import {
  ClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../../lib/core/message/errors.js';
import { StoreTroubles } from '../../../lib/core/store-troubles.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryGate } from '../../../lib/testing/memory-gate.js';

describe('What people read when the store cannot be used', () => {
  let clock: ManualClock;
  let gate: MemoryGate;
  let said: string[];
  let troubles: StoreTroubles;
  let stop: () => void;

  beforeEach(() => {
    clock = new ManualClock();
    gate = new MemoryGate(clock);
    said = [];
    const at = (level: string) => (line: string) => void said.push(`${level}: ${line}`);
    troubles = new StoreTroubles({
      availability: gate,
      clock,
      logger: { error: at('error'), warn: at('warn'), log: at('log'), debug: () => {} },
      sendTimeoutMs: 7_000,
    });
    stop = troubles.watch();
    said.splice(0);
  });
  afterEach(() => stop());

  const unavailable = () => new StoreUnavailableError('Redis did not answer XACK');
  const notSent = () => new StoreRefusedError('not sent', { reason: 'NOT_SENT' });

  it('is one line when it goes away, with what follows, and one when it is back', async () => {
    for (let again = 0; again < 3; again++) gate.goDown(new Error('connect ECONNREFUSED'));
    for (let queue = 0; queue < 50; queue++) troubles.tell(`settle queue ${queue}`, notSent());
    troubles.tell('beat', unavailable());
    await clock.advance(4_200);
    gate.comeUp();
    expect(said).toEqual([
      'warn: the store in memory is away (connect ECONNREFUSED). Sends wait for it, up to 7000 ms; handlers that run go on and are settled afterwards; nothing new is delivered. It is tried again all the time: nothing here needs a restart.',
      'warn: the store in memory is back after 4.2 s; what failed meanwhile, 51 times, is tried again.',
    ]);
  });

  it('is a line each minute while it lasts', async () => {
    gate.goDown();
    for (let second = 0; second < 185; second++) {
      troubles.tell('fetch (orders/billing)', notSent());
      await clock.advance(1_000);
    }
    gate.comeUp();
    const reminders = said.filter((line) => line.startsWith('error: '));
    expect(reminders.map((line) => /away for (.*?), since \d{4}-/.exec(line)?.[1])).toEqual([
      '1 min 0 s',
      '2 min 0 s',
      '3 min 0 s',
    ]);
    expect(said.at(-1)).toMatch(/is back after 3 min 5 s;/);
    expect(said).toHaveLength(5);
  });

  it('calls what was under way when it came back a part of that', async () => {
    gate.goDown();
    gate.comeUp();
    said.splice(0);
    // Ten seconds later it is no part of that any more, and ten more are more than a store may take.
    const isSaidAfter = 20;
    for (let second = 0; second < isSaidAfter; second++) {
      troubles.tell('fetch (orders/billing)', unavailable());
      expect(said).toEqual([]);
      await clock.advance(1_000);
    }
    troubles.tell('fetch (orders/billing)', unavailable());
    expect(said).toEqual([expect.stringContaining('does not answer every call')]);
  });

  it('begins with a store that is away already, and ends once', async () => {
    stop();
    said.splice(0);
    gate.goDown();
    stop = troubles.watch();
    gate.comeUp();
    await clock.advance(180_000);
    expect(said.map((line) => /Connected|is (away|back)/.exec(line)?.[0])).toEqual([
      ...['Connected', 'is away', 'is back'],
    ]);
    expect(clock.armed).toBe(0);
  });

  it('reminds of nothing that nobody watches', async () => {
    gate.goDown();
    await clock.settle();
    expect(clock.armed).toBe(1);
    stop();
    await clock.settle();
    expect(clock.armed).toBe(0);
  });

  it('counts a store that is still loading as away', () => {
    gate.goDown();
    const loading = new StoreRefusedError('loading', { reason: 'LOADING' });
    troubles.tell('beat', loading);
    troubles.tell('fetch (orders/billing)', new Error('no read', { cause: loading }));
    gate.comeUp();
    expect(said).toEqual([
      expect.stringContaining('is away'),
      expect.stringContaining('what failed meanwhile, 2 times'),
    ]);
  });

  it('is nothing for what was under way when it was closed', () => {
    troubles.tell('beat', new ClosedError('closed'));
    expect(said).toEqual([]);
  });

  it('says once a minute that a store which is there does not answer, once that lasts', async () => {
    const failFor = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        troubles.tell('fetch (orders/billing)', unavailable());
        await clock.advance(1_000);
      }
    };
    await failFor(10);
    expect(said).toEqual([]);
    await failFor(80);
    expect(said).toEqual([
      'warn: the store in memory does not answer every call. Could not fetch (orders/billing): StoreUnavailableError: Redis did not answer XACK. Trying again.',
      expect.stringMatching(/ Trying again\. It failed 59 more times in between\.$/),
    ]);
  });

  it('is nothing for a call that fails now and then', async () => {
    for (let minute = 0; minute < 10; minute++) {
      troubles.tell('fetch (orders/billing)', unavailable());
      await clock.advance(60_000);
    }
    expect(said).toEqual([]);
  });

  it('is not said of what failed just before the connection is known to be lost', async () => {
    troubles.tell('fetch (orders/billing)', unavailable());
    gate.goDown();
    gate.comeUp();
    const isSaid = ['is away', 'is back'];
    expect(said.map((line) => /is (away|back)/.exec(line)?.[0])).toEqual(isSaid);
    // Nor is the outage a part of what fails afterwards.
    await clock.advance(12_000);
    troubles.tell('fetch (orders/billing)', unavailable());
    expect(said).toHaveLength(isSaid.length);
  });

  it('says once a minute what is refused to all, and each thing that is refused by itself', () => {
    const refused = (reason: string) => new StoreRefusedError(reason, { reason });
    for (const queue of [0, 1, 2]) {
      troubles.tell(`settle queue ${queue}`, refused('MISCONF'));
      troubles.tell(`read queue ${queue}`, refused('WRONGTYPE'));
      troubles.tell(`read queue ${queue}`, refused('WRONGTYPE'));
    }
    expect(said.map((line) => line.split(':')[1])).toEqual([
      ' Could not settle queue 0',
      ' Could not read queue 0',
      ' Could not read queue 1',
      ' Could not read queue 2',
    ]);
  });

  it('is nothing when the connection is closed on purpose', () => {
    stop();
    gate.goDown();
    troubles.tell('beat', unavailable());
    expect(said).toEqual([]);
  });
});
