import type { Resolution } from '../../../lib/core/transaction/participant.js';
import { halfOf, newTransaction } from '../../contract/halves.js';
import { entryOf, QUEUE } from '../../contract/messages.js';
import { CHECK_AFTER_MS, CheckBed } from './check-bed.js';
import { FakeDatabase } from './fake-database.js';

const HOUR_MS = 3_600_000;
const DATABASE = { kind: 'database', database: 'db-1', name: 'default' } as const;
const METHOD = { kind: 'method', group: 'orders', name: 'place-order' } as const;

describe('the back-check of a database', () => {
  let db: FakeDatabase;
  let bed: CheckBed;
  beforeEach(async () => {
    db = new FakeDatabase();
    bed = await new CheckBed({ databases: [db] }).open();
  });
  afterEach(() => bed.stop());

  it('makes the messages of a committed transaction visible, as soon as its owner is overdue', async () => {
    const half = await bed.prepare(DATABASE, ['a', 'b']);
    db.markers.set(half.id, 'commit');
    await bed.clock.advance(CHECK_AFTER_MS - 1);
    expect(db.asked).toEqual([]);
    await bed.clock.advance(1_001);
    expect(await bed.visible()).toEqual(['a', 'b']);
    expect(bed.checked).toEqual([
      { ...QUEUE, transactionId: half.id, name: 'default', messages: 2, resolution: 'commit' },
    ]);
  });

  it('decides as soon as ever when the clock of the store was set back, also for who starts then', async () => {
    const half = await bed.prepare(DATABASE, ['a']);
    db.markers.set(half.id, 'commit');
    bed.clock.set(bed.clock.now() - HOUR_MS);
    await bed.clock.advance(2 * CHECK_AFTER_MS + 1_000);
    expect(await bed.visible()).toEqual(['a']);

    const left = await bed.prepare(DATABASE, ['b']);
    db.markers.set(left.id, 'commit');
    await bed.stop();
    bed.clock.set(bed.clock.now() - HOUR_MS);
    const later = await new CheckBed({ databases: [db], of: bed }).open();
    await bed.clock.advance(2 * CHECK_AFTER_MS + 1_000);
    expect(await bed.visible()).toEqual(['a', 'b']);
    await later.stop();
  });

  it('drops what was not committed, for good', async () => {
    const half = await bed.prepare(DATABASE, ['a']);
    await bed.clock.advance(CHECK_AFTER_MS + 1_000);
    expect(db.markers.get(half.id)).toBe('rollback');
    expect(bed.checked).toMatchObject([{ resolution: 'rollback' }]);
    expect(await bed.sender.commit(await bed.place(DATABASE), half)).toMatchObject({
      state: 'rolled-back',
    });
    expect(await bed.visible()).toEqual([]);
  });

  it('asks nobody about a transaction that its owner decided', async () => {
    const half = await bed.prepare(DATABASE, ['a']);
    await bed.sender.commit(await bed.place(DATABASE), half);
    await bed.clock.advance(10 * CHECK_AFTER_MS);
    expect(db.asked).toEqual([]);
  });

  it('asks again, ever later, for as long as the database does not know, and counts nothing', async () => {
    const half = await bed.prepare(DATABASE, ['a']);
    db.locked.add(half.id);
    const times: number[] = [];
    for (let seconds = 0; seconds < 600; seconds++) {
      const before = db.asked.length;
      await bed.clock.advance(1_000);
      if (db.asked.length > before) times.push(seconds);
    }
    const pauses = times.slice(1).map((at, i) => at - times[i]!);
    expect(pauses.slice(0, 4)).toEqual([...pauses.slice(0, 4)].sort((a, b) => a - b));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(61);
    expect(await bed.stores.halves.find(QUEUE, half.id)).toMatchObject({ checks: 0, parked: null });
    db.locked.clear();
    db.markers.set(half.id, 'commit');
    await bed.clock.advance(61_000);
    expect(await bed.visible()).toEqual(['a']);
  });

  it('decides nothing while the database is away', async () => {
    const half = await bed.prepare(DATABASE, ['a']);
    db.markers.set(half.id, 'commit');
    db.failure = new Error('connection refused');
    await bed.clock.advance(14 * 60_000);
    expect(await bed.stores.halves.count(QUEUE)).toEqual({ waiting: 1, parked: 0 });
    db.failure = undefined;
    await bed.clock.advance(61_000);
    expect(await bed.visible()).toEqual(['a']);
  });

  it.each(['failure', 'trouble'] as const)(
    'tells once why the database says nothing, and when it answers again (%s)',
    async (kind) => {
      db[kind] = new Error('permission denied for table rivulet_tx');
      await bed.prepare(DATABASE, ['a']);
      await bed.clock.advance(14 * 60_000);
      expect(bed.said).toEqual([
        'Database "default" does not say what became of 1 transaction: permission denied for table rivulet_tx. They wait; it is asked again.',
      ]);
      db[kind] = undefined;
      await bed.clock.advance(61_000);
      expect(bed.said.slice(1)).toEqual(['Database "default" answers again.']);
      await bed.prepare(DATABASE, ['b']);
      await bed.clock.advance(61_000);
      expect(bed.said).toHaveLength(2);
    },
  );

  it('says nothing of a transaction that is still open', async () => {
    db.locked.add((await bed.prepare(DATABASE, ['a'])).id);
    await bed.clock.advance(5 * 60_000);
    expect(bed.said).toEqual([]);
  });

  it('asks no other database than the one that the transaction belongs to', async () => {
    const half = await bed.prepare(DATABASE, ['a']);
    // Restored into another server, or somebody pointed the address elsewhere.
    db.id = 'db-2';
    await bed.clock.advance(10 * 60_000);
    expect(db.asked).toEqual([]);
    expect(bed.said).toEqual([expect.stringContaining('is connected to database db-2; 1 trans')]);
    expect(await bed.stores.halves.find(QUEUE, half.id)).toMatchObject({ parked: null });
    db.id = 'db-1';
    db.markers.set(half.id, 'commit');
    await bed.clock.advance(61_000);
    expect(await bed.visible()).toEqual(['a']);
  });

  it('leaves to processes with another database what is theirs', async () => {
    const theirs = new FakeDatabase();
    theirs.id = 'db-2';
    const other = await new CheckBed({ databases: [theirs], of: bed }).open();
    const half = await bed.prepare({ ...DATABASE, database: 'db-2' }, ['a']);
    await bed.clock.advance(CHECK_AFTER_MS + 1_000);
    expect(db.asked).toEqual([]);
    expect(theirs.asked).toEqual([[half.id]]);
    await other.stop();
  });

  it('parks a half whose verdict was purged, and tells the operator', async () => {
    const id = (await bed.prepare(DATABASE, ['a'])).id;
    await db.participant.purge(bed.clock.now() + 1, 9);
    await bed.clock.advance(CHECK_AFTER_MS + 1_000);
    expect(bed.parked).toEqual([
      { ...QUEUE, transactionId: id, messages: 1, reason: expect.stringContaining('purged') },
    ]);
    expect(await bed.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 1 });
    expect(await bed.visible()).toEqual([]);
  });

  it('decides many at once, after the database was away, and each once', async () => {
    const bodies = Array.from({ length: 120 }, (_, i) => `m${i}`);
    db.failure = new Error('connection refused');
    for (const body of bodies) {
      const { id } = await bed.prepare(DATABASE, [body]);
      db.markers.set(id, 'commit');
      await bed.clock.advance(1);
    }
    await bed.clock.advance(10 * 60_000);
    db.failure = undefined;
    await bed.clock.advance(62_000);
    expect((await bed.visible()).sort()).toEqual([...bodies].sort());
    expect(db.asked.length).toBeLessThan(bodies.length / 2);
  });

  it('notes when delayed messages are due before it commits them', async () => {
    const half = await bed.prepare(DATABASE, [entryOf('a', { due: { delayMs: 60_000 } })]);
    db.markers.set(half.id, 'commit');
    await bed.clock.advance(CHECK_AFTER_MS + 1_000);
    expect(bed.released).toHaveLength(1);
    expect(await bed.stores.schedule.count(QUEUE)).toBe(1);
  });

  it('joins once a database that was away at the start is there', async () => {
    const late = new FakeDatabase();
    late.id = 'late';
    late.failure = new Error('connection refused');
    const other = await new CheckBed({ databases: [late], of: bed }).open();
    const half = await other.prepare({ ...DATABASE, database: 'late' }, ['a']);
    late.markers.set(half.id, 'commit');
    await bed.clock.advance(60_000);
    expect(await bed.visible()).toEqual([]);
    late.failure = undefined;
    await bed.clock.advance(10_000);
    expect(await bed.visible()).toEqual(['a']);
    await other.stop();
  });
});

describe('several checkers', () => {
  it('ask once about each transaction', async () => {
    const db = new FakeDatabase();
    const bed = await new CheckBed({ databases: [db] }).open();
    const others = await Promise.all(
      [1, 2, 3].map(() => new CheckBed({ databases: [db], of: bed }).open()),
    );
    for (let i = 0; i < 20; i++) await bed.prepare(DATABASE, [`m${i}`]);
    await bed.clock.advance(60_000);
    const asked = db.asked.flat();
    expect(asked).toHaveLength(20);
    expect(new Set(asked).size).toBe(20);
    for (const one of [bed, ...others]) await one.stop();
  });

  it('take over what one that died had claimed', async () => {
    const db = new FakeDatabase();
    const dead = await new CheckBed({ databases: [db] }).open();
    const half = await dead.prepare(DATABASE, ['a']);
    db.markers.set(half.id, 'commit');
    const { participant } = db;
    const { decide } = participant;
    // It claims, asks, and is never heard of again.
    participant.decide = () => new Promise(() => {});
    await dead.clock.advance(CHECK_AFTER_MS + 1_000);
    participant.decide = decide;
    const other = await new CheckBed({ databases: [db], of: dead }).open();
    await other.clock.advance(20_000);
    expect(await other.visible()).toEqual(['a']);
    await other.stop();
  });

  it('go on when a reply of the store is lost at any point', async () => {
    for (let lost = 1; lost <= 6; lost++) {
      const db = new FakeDatabase();
      const bed = await new CheckBed({ databases: [db] }).open();
      const [a, b] = [await bed.prepare(DATABASE, ['a']), await bed.prepare(DATABASE, ['b'])];
      db.markers.set(a.id, 'commit');
      await bed.clock.advance(CHECK_AFTER_MS - 1_000);
      bed.stores.loseReplies(lost);
      await bed.clock.advance(60_000);
      expect(await bed.visible()).toEqual(['a']);
      expect(await bed.stores.halves.commit({ ...QUEUE, owner: 'd:db-1' }, [b.id])).toMatchObject([
        { state: 'rolled-back' },
      ]);
      await bed.stop();
    }
  });
});

describe('the list of queues to check', () => {
  it('is asked twice in the time that a half waits, whatever number of topics was used before', async () => {
    const db = new FakeDatabase();
    const bed = await new CheckBed({ databases: [db], sets: true }).open();
    for (let i = 0; i < 100; i++) {
      const { topic, generation } = await bed.stores.topics.declare(`topic-${i}`, { queues: 1 });
      const place = { topic, queue: 0, generation, owner: DATABASE };
      const half = halfOf(['a'], { id: newTransaction(bed.clock.now()) });
      const preparing = bed.sender.prepare(place, half, 250);
      await bed.clock.settle();
      expect(await preparing).toMatchObject({ state: 'prepared' });
      await bed.sender.commit(place, half);
    }
    await bed.clock.advance(10 * 60_000);
    const { calls } = bed;
    calls.length = 0;
    await bed.clock.advance(60_000);
    expect(calls.filter((call) => call !== 'take')).toEqual([]);
    const lists = 2;
    expect(calls).toHaveLength((lists * 2 * 60_000) / CHECK_AFTER_MS);
    expect(await bed.stores.halves.agenda('d:db-1').list()).toEqual(['purge']);
    await bed.stop();
  });

  it.each([
    { checkAfterMs: 100, lists: 1, pollMs: 1_000 },
    { checkAfterMs: 60_000, lists: 1, pollMs: 5_000 },
    { checkAfterMs: 60_000, lists: 10, pollMs: 10_000 },
  ])(
    'is asked every $pollMs ms where a half waits for $checkAfterMs ms, with $lists of them',
    async ({ checkAfterMs, lists, pollMs }) => {
      const databases = Array.from({ length: lists }, (_, i) => {
        const database = new FakeDatabase();
        database.id = `db-${i}`;
        return database;
      });
      const bed = await new CheckBed({ databases, checkAfterMs }).open();
      await bed.clock.advance(60_000);
      bed.calls.length = 0;
      await bed.clock.advance(60_000);
      expect(bed.calls).toHaveLength((lists * 60_000) / pollMs);
      await bed.stop();
    },
  );

  it('finds in time what a process stores that had noted the queue a while ago', async () => {
    const db = new FakeDatabase();
    const bed = await new CheckBed({ databases: [db] }).open();
    for (const pauseMs of [0, 3_000, 29_000, 31_000, 89_000, 91_000, 119_000, 121_000, 600_000]) {
      await bed.clock.advance(pauseMs);
      const half = await bed.prepare(DATABASE, ['x']);
      db.markers.set(half.id, 'commit');
      await bed.clock.advance(CHECK_AFTER_MS + 1_000);
      expect([pauseMs, await bed.stores.halves.find(QUEUE, half.id)]).toEqual([pauseMs, undefined]);
    }
    await bed.stop();
  });
});

describe('the back-check by a method', () => {
  let answer: Resolution;
  let asked: { name: string; id: string; frame: Buffer }[];
  let bed: CheckBed;
  beforeEach(async () => {
    answer = 'unknown';
    asked = [];
    const ask = (name: string, half: { id: string; frame: Buffer }): Promise<Resolution> => {
      asked.push({ name, id: half.id, frame: half.frame });
      return Promise.resolve(answer);
    };
    bed = await new CheckBed({ methods: { names: ['place-order'], ask } }).open();
  });
  afterEach(() => bed.stop());

  it('shows the method the message and does what it says', async () => {
    answer = 'commit';
    const half = await bed.prepare(METHOD, ['a']);
    await bed.clock.advance(CHECK_AFTER_MS + 1_000);
    const { frame } = half.entries[0]!;
    expect(asked).toEqual([{ name: 'place-order', id: half.id, frame }]);
    expect(await bed.visible()).toEqual(['a']);
  });

  it('believes "rollback" only once the owner had time to come back', async () => {
    answer = 'rollback';
    const half = await bed.prepare(METHOD, ['a']);
    await bed.clock.advance(50_000);
    expect(asked.length).toBeGreaterThan(1);
    expect(await bed.stores.halves.find(QUEUE, half.id)).toMatchObject({ checks: 0 });
    await bed.clock.advance(70_000);
    expect(await bed.stores.halves.find(QUEUE, half.id)).toBeUndefined();
    expect(bed.checked.at(-1)).toMatchObject({ resolution: 'rollback' });
  });

  it('is not asked while the owner says that it is at work', async () => {
    const place = await bed.place(METHOD);
    const half = await bed.prepare(METHOD, ['a']);
    for (let i = 0; i < 30; i++) {
      await bed.clock.advance(2_000);
      await bed.sender.extend(place, half.id, CHECK_AFTER_MS);
    }
    expect(asked).toEqual([]);
    expect(await bed.sender.commit(place, half)).toMatchObject({ state: 'committed' });
  });

  it('parks a half that nobody knew of fifteen times, and never drops it', async () => {
    const half = await bed.prepare(METHOD, ['a']);
    await bed.clock.advance(14 * 60_000);
    expect(asked).toHaveLength(15);
    expect(bed.parked).toMatchObject([{ transactionId: half.id }]);
    expect(await bed.stores.halves.find(QUEUE, half.id)).toMatchObject({ checks: 14 });
    expect(await bed.sender.commit(await bed.place(METHOD), half)).toMatchObject({
      state: 'committed',
    });
    expect(await bed.visible()).toEqual(['a']);
  });

  it('does not answer for names it does not have, nor burn their checks', async () => {
    const half = await bed.prepare({ ...METHOD, name: 'refund' }, ['a']);
    await bed.clock.advance(10 * 60_000);
    expect(asked).toEqual([]);
    expect(await bed.stores.halves.find(QUEUE, half.id)).toMatchObject({ checks: 0, parked: null });
  });

  it.each([0, 130, 410, 1_500])(
    'is asked in time beside a process that has another one (%d ms apart)',
    async (apartMs) => {
      answer = 'commit';
      await bed.clock.advance(apartMs);
      const ask = (): Promise<Resolution> => Promise.resolve('commit');
      const other = await new CheckBed({ methods: { names: ['refund'], ask }, of: bed }).open();
      for (const name of ['place-order', 'refund']) {
        await bed.prepare({ ...METHOD, name }, [name]);
        await bed.clock.advance(CHECK_AFTER_MS + 1_000);
        expect(await bed.visible()).toContain(name);
      }
      await other.stop();
    },
  );
});

describe('verdicts that nobody can need any more', () => {
  it('are purged after an hour, and never while a half waits for one', async () => {
    const db = new FakeDatabase();
    const bed = await new CheckBed({ databases: [db] }).open();
    const stuck = await bed.prepare(DATABASE, ['stuck']);
    db.markers.set(stuck.id, 'commit');
    db.locked.add(stuck.id);
    const done = await bed.prepare(DATABASE, ['done']);
    db.markers.set(done.id, 'commit');
    await bed.sender.commit(await bed.place(DATABASE), done);
    await bed.clock.advance(2 * HOUR_MS);
    expect(db.purged.length).toBeGreaterThan(10);
    expect(Math.max(...db.purged)).toBeLessThan(Date.UTC(2026, 0, 1) - 500_000);
    db.locked.clear();
    await bed.clock.advance(2 * HOUR_MS);
    expect(await bed.visible()).toEqual(['done', 'stuck']);
    expect(db.markers.size).toBe(0);
    await bed.stop();
  });
});
