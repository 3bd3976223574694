import type { EventEmitter } from 'node:events';
import { createPool, type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { mysql2Participant } from '../../lib/participants/mysql2.js';
import { DIALECTS } from '../../lib/participants/sql/site.js';
import { schema } from '../../lib/participants/sql/schema.js';
import { type MysqlKind, mysqlDatabase, startMysqlServer } from '../helpers/mysql.js';
import type { TestDatabase } from '../helpers/postgres.js';
import { describeWith } from '../helpers/servers.js';
import { gate, soon, transactionId } from './ids.js';

const onServer = (kind: MysqlKind): void => {
  let database: TestDatabase;
  let pool: Pool;
  const pools: Pool[] = [];
  const connect = (url = database.url): Pool => {
    const opened = createPool(url);
    pools.push(opened);
    return opened;
  };
  beforeEach(async () => {
    database = await mysqlDatabase(kind);
    await database.query(
      `CREATE TABLE stock (id INT PRIMARY KEY, left_over INT); INSERT INTO stock VALUES (1, 10), (2, 10)`,
    );
    pool = connect();
  });
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((opened) => opened.end()));
    await database.drop();
  });

  it('rejects after a deadlock that was swallowed, which ended the transaction on the server', async () => {
    const participant = mysql2Participant(pool);
    await participant.prepare();
    const ids = [transactionId(), transactionId()];
    const took = [gate(), gate()];
    const take = (tx: PoolConnection, id: number): Promise<unknown> =>
      tx.query('UPDATE stock SET left_over = left_over - 1 WHERE id = ?', [id]);
    const swallowed: unknown[] = [];
    // Each takes one and wants the other's: InnoDB ends one of them.
    const placing = [0, 1].map((mine) =>
      participant.run(async (tx) => {
        await take(tx, 1 + mine);
        took[mine]!.open();
        await took[1 - mine]!.opened;
        await take(tx, 2 - mine).catch(({ errno }) => swallowed.push(errno));
        await tx.query('INSERT INTO stock VALUES (?, 10)', [3 + mine]); // of the one that was ended: commits by itself
        await participant.mark(tx, { id: ids[mine]!, deadline: soon() });
      }),
    );
    const outcomes = await Promise.allSettled(placing);
    expect(swallowed).toEqual([1213]);
    const committed = outcomes.findIndex(({ status }) => status === 'fulfilled');
    expect(outcomes[1 - committed]).toMatchObject({
      reason: { code: 'MARKER_REFUSED', reason: 'ended' },
    });
    expect(await participant.decide(ids)).toEqual(
      new Map([
        [ids[committed]!, 'commit'],
        [ids[1 - committed]!, 'rollback'],
      ]),
    );
  });

  it('decides by what is committed where sessions read what is not', async () => {
    const participant = mysql2Participant(pool);
    await participant.prepare();
    const dirty = createPool({ uri: database.url, connectionLimit: 1 });
    pools.push(dirty);
    await dirty.query('SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
    const id = transactionId();
    const changedItsMind = participant.run(async (tx) => {
      await participant.mark(tx, { id, deadline: soon() });
      expect(await mysql2Participant(dirty).decide([id])).toEqual(new Map([[id, 'unknown']]));
      throw new Error('changed its mind');
    });
    await expect(changedItsMind).rejects.toThrow('changed its mind');
    expect(await mysql2Participant(dirty).decide([id])).toEqual(new Map([[id, 'rollback']]));
  });

  it('leaves the session as it was after a check that waited in vain', async () => {
    const one = createPool({ uri: database.url, connectionLimit: 1 });
    pools.push(one);
    await one.query('SET SESSION innodb_lock_wait_timeout = 7');
    const participant = mysql2Participant(pool);
    await participant.prepare();
    const id = transactionId();
    await participant.run(async (tx) => {
      await participant.mark(tx, { id, deadline: soon() });
      expect(await mysql2Participant(one).decide([id])).toEqual(new Map([[id, 'unknown']]));
    });
    const [rows] = await one.query('SELECT @@innodb_lock_wait_timeout AS seconds');
    expect(rows).toEqual([{ seconds: 7 }]);
  });

  it('asks again when it was chosen to give way in a deadlock with another checker', async () => {
    const participant = mysql2Participant(pool);
    await participant.prepare();
    const deadlocks = [1, 2];
    const unlucky = new Proxy(connect(), {
      get(target, name) {
        const own = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        if (name !== 'getConnection') return own.bind(target);
        return async () => {
          const connection = await target.getConnection();
          const query = connection.query.bind(connection);
          connection.query = ((sql: string, values?: never) =>
            sql.includes(", 'R'") && deadlocks.pop()
              ? Promise.reject(Object.assign(new Error('Deadlock found'), { errno: 1213 }))
              : query(sql, values)) as typeof connection.query;
          return connection;
        };
      },
    });
    const id = transactionId();
    expect(await mysql2Participant(unlucky).decide([id])).toEqual(new Map([[id, 'rollback']]));
    expect(deadlocks).toEqual([]);
  });

  it('leaves nothing on the connections of the pool, however often they are used', async () => {
    const single = createPool({ uri: database.url, connectionLimit: 1 });
    pools.push(single);
    const participant = mysql2Participant(single);
    await participant.prepare();
    // Each checkout has an object of its own, which passes on what the one connection tells.
    const listeners = (): Promise<number> =>
      participant.run(async ({ connection }) =>
        (connection as unknown as EventEmitter).listenerCount('error'),
      );
    const before = await listeners();
    for (let i = 0; i < 3; i++) await listeners();
    expect(await listeners()).toBe(before);
  });

  it('keeps its tables in the database it is told, however that is called', async () => {
    const schemaName = `${database.name}\`s`;
    const quoted = `\`${database.name}\`\`s\``;
    await database.query(`CREATE DATABASE ${quoted}`);
    const participant = mysql2Participant(pool, { schema: schemaName });
    await participant.prepare();
    const id = transactionId();
    await participant.run((tx) => participant.mark(tx, { id, deadline: soon() }));
    expect(await participant.decide([id])).toEqual(new Map([[id, 'commit']]));
    await database.query(`DROP DATABASE ${quoted}`);
  });

  it('marks where checkers look, whatever database a transaction uses', async () => {
    const participant = mysql2Participant(pool);
    await participant.prepare();
    const elsewhere = await mysqlDatabase(kind);
    await elsewhere.query(schema('mysql'));
    await elsewhere.query(schema('mysql')); // repeatable, as a migration that ran halfway needs
    const id = transactionId();
    await participant.run(async (tx) => {
      await tx.query(`USE ${elsewhere.name}`);
      await participant.mark(tx, { id, deadline: soon() });
      await tx.query(`USE ${database.name}`);
    });
    expect(await participant.decide([id])).toEqual(new Map([[id, 'commit']]));
    await elsewhere.drop();
  });

  it('refuses a replica, also for a user who may write there', async () => {
    const server = await startMysqlServer(kind);
    try {
      const own = connect(server.url);
      await own.query('CREATE DATABASE shop');
      const url = new URL(server.url);
      url.pathname = 'shop';
      const participant = mysql2Participant(connect(url.href));
      await participant.prepare();
      await own.query('SET GLOBAL read_only = ON');
      await expect(participant.identity()).rejects.toThrow('read-only');
      const id = transactionId();
      expect(await participant.decide([id])).toEqual(new Map([[id, 'unknown']]));
      await own.query('SET GLOBAL read_only = OFF');
      expect(await participant.decide([id])).toEqual(new Map([[id, 'rollback']]));
    } finally {
      await server.stop();
    }
  });

  it.each([
    ['0', 0],
    ["'OFF'", 0],
    ['1', 1],
    ["'ON'", 1],
    ["'NO_LOCK_NO_ADMIN'", 1],
  ])('knows a replica by a read_only of %s, number or word', async (value, expected) => {
    const facts = DIALECTS.mysql.facts.replace('@@global.read_only', value);
    const [rows] = await pool.query<RowDataPacket[]>(facts);
    expect(Number(rows[0]!['readonly'])).toBe(expected);
  });

  it('says that a connection must name a database, or the option must', async () => {
    const url = new URL(database.url);
    url.pathname = '';
    await expect(mysql2Participant(connect(url.href)).prepare()).rejects.toThrow('option "schema"');
    const participant = mysql2Participant(connect(url.href), { schema: database.name });
    await participant.prepare();
    expect(await participant.identity()).toMatch(/^[0-9a-f-]{36}$/);
  });
};

for (const kind of ['mariadb', 'mysql'] as const)
  describeWith(kind)(`a participant of ${kind}`, () => onServer(kind));
