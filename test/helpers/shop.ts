import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { schema } from '../../lib/participants/index.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { connectionTo } from './cluster.js';
import { ShopFloor } from './shop-floor.js';

const PROGRAM = new URL('../guarantees/programs/transactor.mjs', import.meta.url);
const TOPICS = ['orders', 'audit'];
const QUEUES = 2;

export interface Transactor {
  name?: string;
  lanes?: number;
  slow?: number;
  slowMs?: number;
  once?: string;
  control?: 'publish-after-commit' | 'select-only';
  transactions?: {
    store?: string;
    whenBrokerDown?: string;
    checkAfterMs?: number;
    halfTimeoutMs?: number;
  };
}

export interface ShopOptions {
  redisUrl: string;
  databaseUrl: string;
  /** A way to it for the processes, when they are to have another one than the test. */
  wirePort?: number;
  namespace: string;
}

/** Orders in a database and the messages that tell of them, written by processes that a test kills. */
export class Shop {
  readonly namespace: string;
  private readonly redisUrl: string;
  private readonly processUrl: URL;
  private readonly pool: pg.Pool;
  private readonly stores: RedisStores;
  private readonly floor: ShopFloor;
  private readonly children = new Set<ChildProcess>();

  private constructor(options: ShopOptions) {
    this.redisUrl = options.redisUrl;
    this.processUrl = new URL(options.databaseUrl);
    if (options.wirePort) this.processUrl.port = String(options.wirePort);
    this.namespace = options.namespace;
    this.pool = new pg.Pool({ connectionString: options.databaseUrl, max: 2 });
    this.pool.on('error', () => undefined);
    this.stores = new RedisStores({
      connection: connectionTo(options.redisUrl),
      namespace: options.namespace,
    });
    this.floor = new ShopFloor({ stores: this.stores, topics: TOPICS, queues: QUEUES });
  }

  static async open(options: ShopOptions): Promise<Shop> {
    const shop = new Shop(options);
    await shop.stores.open(30_000);
    for (const topic of TOPICS) await shop.stores.topics.declare(topic, { queues: QUEUES });
    await shop.query('CREATE TABLE orders (id text PRIMARY KEY)');
    await shop.query(schema('postgres'));
    return shop;
  }

  /** With a database of its own on this server. */
  static async openOwn(options: {
    redisUrl: string;
    serverUrl: string;
    wirePort?: number;
    namespace: string;
  }): Promise<Shop> {
    const { serverUrl, namespace } = options;
    const admin = new pg.Client({ connectionString: serverUrl });
    await admin.connect();
    await admin.query(`CREATE DATABASE ${namespace}`);
    await admin.end();
    const databaseUrl = new URL(serverUrl);
    databaseUrl.pathname = namespace;
    return Shop.open({ ...options, databaseUrl: databaseUrl.href });
  }

  readonly query = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await this.pool.query<Record<string, unknown>>(sql)).rows;

  arguments(transactor: Transactor): string[] {
    const { namespace } = this;
    const database = this.processUrl.href;
    return [this.redisUrl, JSON.stringify({ namespace, database, name: 'p', ...transactor })];
  }

  /** Resolves once the process is ready, or has ended. */
  async launch(transactor: Transactor, env: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
    const child = fork(PROGRAM, this.arguments(transactor), {
      execArgv: [],
      env: { ...process.env, ...env },
    });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    await Promise.race([once(child, 'message'), once(child, 'exit')]);
    return child;
  }

  /** Lets one process decide everything that is left, and ends it. Those that were at work must be gone. */
  async settle(): Promise<void> {
    await this.stores.open(30_000);
    // What a killed checker claimed would wait for its lease to end: an operator does not.
    for (const half of await this.halves()) await this.stores.halves.unpark(half, [half.id]);
    const transactions = { store: 'outbox', checkAfterMs: 300 };
    const survivor = await this.launch({ name: 'survivor', transactions });
    await this.floor.whenDecided(this);
    survivor.kill('SIGTERM');
    await once(survivor, 'exit');
  }

  halves() {
    return this.floor.halves();
  }

  async orders(): Promise<Set<string>> {
    return new Set((await this.query('SELECT id FROM orders')).map(({ id }) => String(id)));
  }

  messages(topic: string): Promise<Map<string, number>> {
    return this.floor.messages(topic);
  }

  /** Orders without a message, messages without an order, and messages that are there twice, over all topics. */
  async differences(): Promise<{ lost: string[]; ghosts: string[]; doubled: string[] }> {
    return this.floor.differences(await this.orders());
  }

  /** kill -9 of a connection of the database, whichever it is. */
  async killBackEnd(): Promise<void> {
    await this.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1',
    );
  }

  /** Also ends what a failed test left behind. */
  async close(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    await Promise.all([this.stores.close(), this.pool.end()]);
  }
}
