import { join } from 'node:path';
import { type Client, createClient, type Transaction } from '@libsql/client';
import { Redis } from 'ioredis';
import type { Acks } from '../../lib/core/message/acks.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { libsqlParticipant } from '../../lib/participants/libsql.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { tellFigures } from '../helpers/figures.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { ShopFloor } from '../helpers/shop-floor.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { within } from '../helpers/workload.js';

const NAMESPACE = 'failover';
const TOPICS = ['orders', 'audit'];
const QUEUES = 2;
const ONE: Acks = { replicas: 1 };
/** For what will not be confirmed. */
const SOON: Acks = { replicas: 1, timeoutMs: 150 };

/** A primary that is killed, and a replica that takes its place without what was written since its wire was cut. */
describe('what acks confirmed of a transaction, and of a set, is there after a failover', () => {
  let primary: TestRedis;
  let replica: TestRedis;
  /** Of the replica, once that is the primary. */
  let second: TestRedis | undefined;
  let wire: TcpProxy;
  let operator: Redis;
  let database: Client;
  let applications: Rivulet[];
  /** The application that runs on the primary. */
  let rivulet: Rivulet;
  let stores: RedisStores;

  beforeEach(async () => {
    primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    wire = await TcpProxy.inFrontOf(primary.port);
    replica = await startRedis({
      args: ['--replicaof', '127.0.0.1', String(wire.port), '--repl-diskless-sync-delay', '0'],
    });
    second = undefined;
    operator = new Redis(replica.url);
    const there = new Redis(primary.url);
    while ((await there.set('here', '1').then(() => there.wait(1, 1_000))) < 1);
    there.disconnect();
    database = createClient({ url: `file:${join(replica.dir, 'shop.db')}` });
    await database.execute('CREATE TABLE orders (id TEXT PRIMARY KEY)');
    applications = [];
    ({ rivulet, stores } = await start(primary.url));
    for (const topic of TOPICS) await rivulet.topics.get(topic);
  });
  afterEach(async () => {
    await Promise.all(applications.map((each) => each.stop(1_000)));
    operator.disconnect();
    database.close();
    await Promise.all([primary, replica, second].map((each) => each?.stop()));
  });

  async function start(connection: string): Promise<{ rivulet: Rivulet; stores: RedisStores }> {
    const opened = new RedisStores({ connection, namespace: NAMESPACE });
    const transactions = { participants: [libsqlParticipant(database)], checkAfterMs: 500 };
    const settings = { topics: { queues: QUEUES }, transactions };
    const application = new Rivulet({ stores: opened, settings });
    applications.push(application);
    await application.open(30_000);
    return { rivulet: application, stores: opened };
  }

  const place = (id: string, acks: Acks): Promise<unknown> =>
    rivulet.transactions.run(async (tx: Transaction) => {
      await tx.execute({ sql: 'INSERT INTO orders VALUES (?)', args: [id] });
      for (const topic of TOPICS) await rivulet.producer.send(topic, id, { acks });
    });
  async function placeEach(ids: readonly string[], acks: Acks): Promise<void> {
    // One at a time is what this database takes.
    for (const id of ids) await place(id, acks);
  }
  const numbered = (name: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${name}-${i}`);

  /** From now on no half message becomes visible until `release`. `held` resolves once so many would. */
  function holdCommits(): { held(count: number): Promise<void>; release(): void } {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { halves } = stores;
    const commit = halves.commit.bind(halves);
    const holding = new Set<string>();
    let told = (): void => undefined;
    halves.commit = (queue, ids) => {
      for (const id of ids) holding.add(id);
      told();
      return gate.then(() => commit(queue, ids));
    };
    const held = (count: number): Promise<void> =>
      new Promise((resolve) => {
        told = () => holding.size >= count && resolve();
        told();
      });
    return { held: (count) => within(60_000, 'decisions', held(count)), release };
  }

  /** The primary is gone for good. @returns what is visible once nothing is undecided any more. */
  async function afterFailover(): Promise<ShopFloor> {
    await primary.kill();
    await wire.close();
    await operator.replicaof('NO', 'ONE');
    // What only the outbox has is published as far as it was asked for, which takes another replica.
    second = await startRedis({ args: ['--replicaof', '127.0.0.1', String(replica.port)] });
    await rivulet.stop(500);
    const next = await start(replica.url);
    const floor = new ShopFloor({ stores: next.stores, topics: TOPICS, queues: QUEUES });
    const query = async (sql: string) =>
      (await database.execute(sql)).rows.map((row) => ({ ...row }));
    await floor.whenDecided({ query });
    return floor;
  }
  async function orders(): Promise<Set<string>> {
    const { rows } = await database.execute('SELECT id FROM orders');
    return new Set(rows.map(({ id }) => id as string));
  }
  const seenOnPrimary = async (): Promise<number> =>
    (await new ShopFloor({ stores, topics: ['orders'], queues: QUEUES }).messages('orders')).size;

  it('whether its halves, its messages, or only a row of the outbox had come through', async () => {
    await placeEach(numbered('before', 10), ONE);
    const commits = holdCommits();
    await placeEach(numbered('half', 10), ONE);
    wire.swallow();
    commits.release();
    await within(
      60_000,
      'messages on the primary',
      until(async () => (await seenOnPrimary()) === 20),
    );
    await placeEach(numbered('outbox', 10), SOON);
    const floor = await afterFailover();
    const committed = await orders();
    const { lost, ghosts, doubled } = await floor.differences(committed);
    const figures = { lost: lost.length, ghosts: ghosts.length, doubled: doubled.length };
    tellFigures('acks-failover', { committed: committed.size, ...figures });
    expect({ committed: committed.size, lost, ghosts, doubled }).toEqual({
      ...{ committed: 30, lost: [], ghosts: [], doubled: [] },
    });
  });

  it('and without acks it is not: this test can fail', async () => {
    await placeEach(numbered('before', 3), ONE);
    wire.swallow();
    await placeEach(numbered('after', 3), 'memory');
    await within(
      60_000,
      'messages on the primary',
      until(async () => (await seenOnPrimary()) === 6),
    );
    const { lost } = await (await afterFailover()).differences(await orders());
    expect(lost).toHaveLength(3 * TOPICS.length);
  });

  it('all messages of a set whose send resolved, and all or none of one that is unknown', async () => {
    const send = (body: string, acks = ONE) =>
      rivulet.sets.send(TOPICS.map((topic, queue) => ({ topic, body, queue, acks })));
    const commits = holdCommits();
    const sending = numbered('sent', 5).map((body) => send(body));
    await commits.held(5);
    // What shows the second half of each set does not come through.
    wire.swallow();
    commits.release();
    const sent = await Promise.all(sending);
    expect(sent.flat().map(({ acks }) => acks)).toEqual(Array(10).fill({ replicas: 1 }));
    await expect(send('refused', SOON)).rejects.toMatchObject({ code: 'SEND_FAILED' });
    const floor = await afterFailover();
    expect(await floor.differences(new Set(numbered('sent', 5)))).toEqual({
      ...{ lost: [], ghosts: [], doubled: [] },
    });
  });

  it('the commit of a half message, when it resolved', async () => {
    const options = (acks: Acks) => ({ name: 'transfer', acks });
    rivulet.checks.answer('transfer', () => 'unknown', 'test');
    const half = await rivulet.halfFirst.prepare('orders', 'a', options(ONE));
    expect(await half.commit()).toMatchObject({ state: 'stored', acks: { replicas: 1 } });
    wire.swallow();
    const next = rivulet.halfFirst.prepare('orders', 'b', options(SOON));
    await expect(next).rejects.toThrow(/was not stored: 0 of 1 replicas .* was not run/);
    const floor = await afterFailover();
    expect(await floor.messages('orders')).toEqual(new Map([['a', 1]]));
  });

  async function until(is: () => Promise<boolean>): Promise<void> {
    while (!(await is()));
  }
});
