import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient, type Transaction } from '@libsql/client';
import type { Cluster } from 'ioredis';
import type { Acks } from '../../lib/core/message/acks.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { boardOf, checkWork, type HalfOwner } from '../../lib/core/transaction/half-owner.js';
import { libsqlParticipant } from '../../lib/participants/libsql.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import {
  clusterConnection,
  clusterOperator,
  startCluster,
  type TestCluster,
} from '../helpers/cluster.js';
import { tellFigures } from '../helpers/figures.js';
import { promoted } from '../helpers/sentinel.js';
import { ShopFloor } from '../helpers/shop-floor.js';
import { ownersOf, pairOf, slotOf } from '../helpers/slots.js';
import { whenStored, within } from '../helpers/workload.js';
import { newNamespace } from '../redis/helpers/open-stores.js';

const PRIMARIES = 3;
const QUEUES = 6;
const TOPICS = ['orders', 'audit'];
const ONE: Acks = { replicas: 1 };
/** For what will not be confirmed. */
const SOON: Acks = { replicas: 1, timeoutMs: 150 };

/** One primary is killed whose replica lacks the last of what it confirmed; the others keep what they have. */
describe('after a failover of one node that lost its last writes', () => {
  let cluster: TestCluster;
  let operator: Cluster;
  let namespace: string;
  let keys: Keys;
  let applications: Rivulet[];
  let stores: RedisStores;
  let rivulet: Rivulet;
  let database: Client;

  beforeAll(async () => {
    cluster = await startCluster({ primaries: PRIMARIES, nodeTimeoutMs: 1_000 });
    operator = clusterOperator(cluster.url);
  });
  afterAll(async () => {
    operator.disconnect();
    await cluster.stop();
  });
  beforeEach(async () => {
    namespace = newNamespace();
    keys = new Keys({ namespace });
    const file = join(tmpdir(), `${namespace}.db`);
    database = createClient({ url: `file:${file}` });
    await database.execute('CREATE TABLE orders (id TEXT PRIMARY KEY)');
    applications = [];
    ({ rivulet, stores } = await start());
    for (const topic of TOPICS) await rivulet.topics.get(topic);
  });
  afterEach(async () => {
    await Promise.all(applications.map((each) => each.stop(1_000)));
    database.close();
    await rm(join(tmpdir(), `${namespace}.db`), { force: true });
  });

  async function start(): Promise<{ rivulet: Rivulet; stores: RedisStores }> {
    const opened = new RedisStores({ connection: clusterConnection(cluster.url), namespace });
    const transactions = { participants: [libsqlParticipant(database)], checkAfterMs: 500 };
    const settings = { topics: { queues: QUEUES }, transactions };
    const application = new Rivulet({ stores: opened, settings });
    applications.push(application);
    await application.open(30_000);
    return { rivulet: application, stores: opened };
  }

  const slotOfQueue = (topic: string, queue: number): number =>
    slotOf(keys.queue({ topic, queue }).log);

  /**
   * From now on nobody copies what the slot's primary writes. `fail` resolves once another one serves the slot, and `revive` once
   * the old one copies from that: before, nobody confirms anything.
   */
  async function isolate(
    slot: number,
  ): Promise<{ fail(): Promise<void>; revive(): Promise<void> }> {
    const pair = pairOf({ nodes: cluster.nodes, operator }, slot);
    const { client, node, follower } = await within(60_000, 'a follower', pair);
    await follower.kill('SIGSTOP');
    await client.call('CLIENT', 'KILL', 'TYPE', 'replica');
    const fail = async (): Promise<void> => {
      await node.kill('SIGKILL');
      await follower.kill('SIGCONT');
      await within(60_000, 'a promotion', promoted(follower));
    };
    return { fail, revive: () => node.restart() };
  }

  it('the queues that hold half messages elsewhere are listed again for those who check', async () => {
    const owner: HalfOwner = { kind: 'method', group: 'default', name: 'transfer' };
    const agenda = stores.halves.agenda(boardOf(owner));
    const [listOwner] = await ownersOf(operator, slotOf(keys.agenda.agenda));
    // Twelve queues: no namespace in a hundred thousand has all of them on the node of the list.
    const elsewhere = TOPICS.flatMap((topic) =>
      Array.from({ length: QUEUES }, (_, queue) => ({ topic, queue })),
    ).find(
      ({ topic, queue }) => operator.slots[slotOfQueue(topic, queue)]![0] !== addressOf(listOwner),
    )!;
    const { topic, queue } = elsewhere;
    rivulet.checks.answer('transfer', () => 'unknown', 'test');
    const { fail, revive } = await isolate(slotOf(keys.agenda.agenda));
    await rivulet.halfFirst.prepare(topic, 'a', { name: 'transfer', queue });
    await agenda.note('what/nobody-notes/0', Date.now() + 60_000);
    const half = checkWork('m:default:transfer', elsewhere);
    expect((await agenda.list()).sort()).toEqual([half, 'what/nobody-notes/0']);
    // Nobody hears anything new of the one that serves instead: this application had reached it before, as a replica.
    await fail();
    const listed = (): Promise<string[]> => agenda.list().catch(() => []);
    await within(
      60_000,
      'the list',
      whenStored(async () => (await listed()).length > 0),
    );
    expect(await listed()).toEqual([half]);
    await revive();
  });

  it('what acks confirmed of transactions is there, once, whatever had come through', async () => {
    const place = (id: string, acks: Acks): Promise<unknown> =>
      rivulet.transactions.run(async (tx: Transaction) => {
        await tx.execute({ sql: 'INSERT INTO orders VALUES (?)', args: [id] });
        for (const topic of TOPICS) await rivulet.producer.send(topic, id, { acks });
      });
    const placeEach = async (name: string, acks: Acks): Promise<void> => {
      // One at a time is what this database takes.
      for (let i = 0; i < 5; i++) await place(`${name}-${i}`, acks);
    };

    await placeEach('before', ONE);
    const { halves } = stores;
    const commit = halves.commit.bind(halves);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    halves.commit = (queue, ids) => released.then(() => commit(queue, ids));
    await placeEach('half', ONE);
    const { fail, revive } = await isolate(slotOfQueue('orders', 0));
    release();
    const floor = new ShopFloor({ stores, topics: TOPICS, queues: QUEUES });
    const visible = async (): Promise<boolean> => (await floor.messages('orders')).size === 10;
    await within(60_000, 'messages on the primaries', whenStored(visible));
    await placeEach('outbox', SOON);
    await Promise.all([fail().then(revive), rivulet.stop(500)]);
    const next = await start();
    const after = new ShopFloor({ stores: next.stores, topics: TOPICS, queues: QUEUES });
    const query = async (sql: string) =>
      (await database.execute(sql)).rows.map((row) => ({ ...row }));
    await after.whenDecided({ query });
    const { rows } = await database.execute('SELECT id FROM orders');
    const { lost, ghosts, doubled } = await after.differences(
      new Set(rows.map(({ id }) => id as string)),
    );
    tellFigures('cluster-acks-failover', {
      ...{ committed: rows.length, lost: lost.length },
      ...{ ghosts: ghosts.length, doubled: doubled.length },
    });
    expect({ committed: rows.length, lost, ghosts, doubled }).toEqual({
      ...{ committed: 15, lost: [], ghosts: [], doubled: [] },
    });
  });
});

function addressOf({ options }: { options: { host?: string; port?: number } }): string {
  return `${options.host}:${options.port}`;
}
