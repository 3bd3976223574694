import { Pool } from 'pg';
import { pgParticipant } from '../../lib/participants/pg.js';
import { schema } from '../../lib/participants/sql/schema.js';
import { postgresDatabase, startPostgres, type TestDatabase } from '../helpers/postgres.js';
import { describeWith } from '../helpers/servers.js';
import { soon, transactionId } from './ids.js';

describeWith('postgres')('a participant of PostgreSQL', () => {
  let database: TestDatabase;
  let pool: Pool;
  const pools: Pool[] = [];
  const connect = (url = database.url): Pool => {
    const opened = new Pool({ connectionString: url });
    opened.on('error', () => undefined); // a server that is stopped says so to idle clients
    pools.push(opened);
    return opened;
  };
  beforeEach(async () => {
    database = await postgresDatabase();
    pool = connect();
  });
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((opened) => opened.end()));
    await database.drop();
  });

  it('makes its tables although many processes do at once', async () => {
    const participants = Array.from({ length: 8 }, () => pgParticipant(connect()));
    await Promise.all(participants.map((participant) => participant.prepare()));
    const identities = await Promise.all(participants.map((one) => one.identity()));
    expect(new Set(identities).size).toBe(1);
  });

  it('needs no right to make tables that migrations made', async () => {
    await database.query(schema('postgres'));
    await database.query(schema('postgres')); // repeatable, as a migration that ran halfway needs
    const role = `app_${database.name}`;
    await database.query(
      `CREATE ROLE ${role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`,
    );
    const url = new URL(database.url);
    url.username = role;
    const participant = pgParticipant(connect(url.href));
    await participant.prepare();
    const id = transactionId();
    await participant.run((tx) => participant.mark(tx, { id, deadline: soon() }));
    expect(await participant.decide([id])).toEqual(new Map([[id, 'commit']]));
    await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it('reads known verdicts together, and no more of them in a statement than it should name', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const ids = Array.from({ length: 600 }, () => transactionId());
    const rows = ids.map((id) => `('${id}', 'C')`).join(', ');
    await database.query(`INSERT INTO rivulet_tx (id, v) VALUES ${rows}`);
    let transactions = 0;
    pool.on('acquire', () => void (transactions += 1));
    const verdicts = await participant.decide(ids);
    expect(new Set(verdicts.values())).toEqual(new Set(['commit']));
    expect([verdicts.size, transactions]).toEqual([600, 2]);
  });

  it('decides what comes behind transactions that have stalled', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const stalled = Array.from({ length: 4 }, () => transactionId());
    const abandoned = transactionId();
    await participant.run(async (tx) => {
      for (const id of stalled) await participant.mark(tx, { id, deadline: soon() });
      const verdicts = await participant.decide([...stalled, abandoned]);
      expect(stalled.map((id) => verdicts.get(id))).toEqual(stalled.map(() => 'unknown'));
      expect(verdicts.get(abandoned)).toBe('rollback');
    });
  });

  it('needs one connection for a transaction, also for the first one', async () => {
    await pgParticipant(pool).prepare();
    const single = new Pool({ connectionString: database.url, max: 1 });
    pools.push(single);
    const participant = pgParticipant(single);
    const id = transactionId();
    await participant.run((tx) => participant.mark(tx, { id, deadline: soon() }));
    expect(await participant.decide([id])).toEqual(new Map([[id, 'commit']]));
  });

  it('leaves nothing on the connections of the pool, however often they are used', async () => {
    const single = new Pool({ connectionString: database.url, max: 1 });
    pools.push(single);
    const participant = pgParticipant(single);
    await participant.prepare();
    const listeners = (): Promise<number> =>
      participant.run(async (tx) => tx.listenerCount('error'));
    const before = await listeners();
    for (let i = 0; i < 3; i++) await listeners();
    expect(await listeners()).toBe(before);
  });

  it('begins at the isolation level that it is told', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const at = (isolation: 'repeatable read' | 'serializable') =>
      participant.run(async (tx) => (await tx.query('SHOW transaction_isolation')).rows, {
        isolation,
      });
    expect(await at('serializable')).toEqual([{ transaction_isolation: 'serializable' }]);
    expect(await at('repeatable read')).toEqual([{ transaction_isolation: 'repeatable read' }]);
  });

  it('keeps its tables in the schema it is told', async () => {
    await database.query('CREATE SCHEMA "my ""own"""');
    const participant = pgParticipant(pool, { schema: 'my "own"' });
    await participant.prepare();
    const id = transactionId();
    await participant.run((tx) => participant.mark(tx, { id, deadline: soon() }));
    expect(await database.query('SELECT id, v FROM "my ""own""".rivulet_tx')).toEqual([
      { id, v: 'C' },
    ]);
  });

  it('marks where checkers look, whatever search_path a transaction sets', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    await database.query(`CREATE SCHEMA tenant; ${schema('postgres', { schema: 'tenant' })}`);
    const id = transactionId();
    await participant.run(async (tx) => {
      await tx.query('SET LOCAL search_path = tenant');
      await participant.mark(tx, { id, deadline: soon() });
    });
    expect(await participant.decide([id])).toEqual(new Map([[id, 'commit']]));
  });

  it('says what is missing when there are no tables', async () => {
    const refused = pgParticipant(pool, { name: 'orders' }).identity();
    await expect(refused).rejects.toMatchObject({ code: 'WRONG_DATABASE', participant: 'orders' });
    await expect(refused).rejects.toThrow(`schema('postgres')`);
  });

  it('refuses a read-only database, and decides nothing there', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    await database.query(`ALTER DATABASE ${database.name} SET default_transaction_read_only = on`);
    const replica = pgParticipant(connect());
    await expect(replica.identity()).rejects.toThrow('read-only');
    const id = transactionId();
    const told: string[] = [];
    const verdicts = await replica.decide([id], ({ message }) => void told.push(message));
    expect(verdicts).toEqual(new Map([[id, 'unknown']]));
    expect(told).toEqual([expect.stringContaining('read-only transaction')]);
  });

  it('is another database after a dump was restored elsewhere', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const [row] = await database.query(`SELECT value FROM rivulet_meta WHERE name = 'identity'`);
    const elsewhere = await startPostgres();
    try {
      const copy = pgParticipant(connect(elsewhere.url));
      await copy.prepare();
      await connect(elsewhere.url).query(
        `UPDATE rivulet_meta SET value = $1 WHERE name = 'identity'`,
        [row!['value']],
      );
      expect(await copy.identity()).not.toBe(await participant.identity());
    } finally {
      await elsewhere.stop();
    }
  });

  it('knows nothing while the server is down, and the verdict afterwards', async () => {
    const server = await startPostgres();
    try {
      const participant = pgParticipant(connect(server.url));
      await participant.prepare();
      const [committed, open] = [transactionId(), transactionId()];
      await participant.run((tx) => participant.mark(tx, { id: committed, deadline: soon() }));
      const interrupted = participant.run(async (tx) => {
        await participant.mark(tx, { id: open, deadline: soon() });
        await server.kill();
      });
      await expect(interrupted).rejects.toBeInstanceOf(Error);
      expect(await participant.decide([committed, open])).toEqual(
        new Map([
          [committed, 'unknown'],
          [open, 'unknown'],
        ]),
      );
      await server.restart();
      expect(await participant.decide([committed, open])).toEqual(
        new Map([
          [committed, 'commit'],
          [open, 'rollback'],
        ]),
      );
    } finally {
      await server.stop();
    }
  });

  it('rejects when an error was swallowed, also without messages', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const swallowing = participant.run(async (tx) => {
      await tx.query('SELECT 1 / 0').catch(() => undefined);
    });
    await expect(swallowing).rejects.toThrow('swallowed');
  });

  it('rejects with what COMMIT found, a deferred constraint, and then the verdict is rollback', async () => {
    await database.query(`CREATE TABLE customers (id text PRIMARY KEY);
      CREATE TABLE orders (customer text REFERENCES customers DEFERRABLE INITIALLY DEFERRED)`);
    const participant = pgParticipant(pool);
    await participant.prepare();
    const id = transactionId();
    const placed = participant.run(async (tx) => {
      await tx.query("INSERT INTO orders VALUES ('nobody')");
      await participant.mark(tx, { id, deadline: soon() });
    });
    await expect(placed).rejects.toMatchObject({ code: '23503' });
    expect(await participant.decide([id])).toEqual(new Map([[id, 'rollback']]));
    expect(await database.query('SELECT * FROM orders')).toEqual([]);
  });

  it('restores the lock timeout that the handler had before the inbox', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const timeouts = await participant.run(async (tx) => {
      await tx.query(`SET LOCAL lock_timeout = '7s'`);
      await participant.inbox.enter(tx, { group: 'billing', key: '1' });
      return tx.query('SHOW lock_timeout');
    });
    expect(timeouts.rows).toEqual([{ lock_timeout: '7s' }]);
  });

  it('calls it busy when a duplicate is held for long', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const entry = { group: 'billing', key: '1' };
    await participant.run(async (tx) => {
      await participant.inbox.enter(tx, entry);
      const second = participant.run((other) => participant.inbox.enter(other, entry));
      await expect(second).rejects.toMatchObject({ code: 'INBOX_BUSY', group: 'billing' });
    });
  });

  it('calls it busy when a duplicate was committed after the snapshot, and knows it the next time', async () => {
    const participant = pgParticipant(pool);
    await participant.prepare();
    const entry = { group: 'billing', key: '1' };
    const options = { isolation: 'repeatable read' } as const;
    const late = participant.run(async (tx) => {
      await tx.query('SELECT 1 FROM rivulet_inbox');
      await participant.run((other) => participant.inbox.enter(other, entry));
      return participant.inbox.enter(tx, entry);
    }, options);
    await expect(late).rejects.toMatchObject({ code: 'INBOX_BUSY', group: 'billing' });
    const again = participant.run((tx) => participant.inbox.enter(tx, entry), options);
    expect(await again).toBe('duplicate');
  });

  it('refuses options that nobody knows', () => {
    // @ts-expect-error a misspelt option
    expect(() => pgParticipant(pool, { shema: 'x' })).toThrow('did you mean "schema"');
    expect(() => pgParticipant(pool, { name: '' })).toThrow('name must be');
  });
});
