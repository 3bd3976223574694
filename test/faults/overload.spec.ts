import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { Redis } from 'ioredis';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { judge } from '../helpers/judge.js';
import { startRedis } from '../helpers/redis.js';
import { connect, IMPATIENT, whenStored, within } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/overload.mjs', import.meta.url);
/** Long: RIVULET_OVERLOAD_SECONDS=60. So long it goes on once the memory of Redis is full. */
const SECONDS = Number(process.env['RIVULET_OVERLOAD_SECONDS'] ?? 1);
const MB = 1_000_000;
const REDIS_MB = 60;
/** Of each buffer of sends, and of each subscription. */
const BOUND_MB = 8;
const TOPICS = ['plain', 'ordered', 'idempotent', 'transactional'];
/**
 * Two of sends (buffered, waiting) and one for each subscription, three times: connections have the bytes they write, and
 * those they read until these are taken apart. And the program. What it tries to send is a gigabyte.
 */
const MOST_LIVE_MB = (2 + TOPICS.length) * BOUND_MB * 3 + 40;
const HEAP_MB = 96;

it('a process that is flooded, fails, and meets a full Redis stays small, goes on handling, and loses nothing', async () => {
  const redis = await startRedis();
  const operator = new Redis(redis.url);
  await operator.config('SET', 'maxmemory', `${REDIS_MB}mb`);
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-overload-'));
  const database = `file:${join(folder, 'bills.db')}`;
  const client = createClient({ url: database });
  await client.execute('CREATE TABLE bills (id TEXT)');
  const settings = {
    ...IMPATIENT,
    topics: { queues: 2 },
    producer: { maxBufferedBytes: BOUND_MB * MB, maxWaitingBytes: BOUND_MB * MB },
    consumer: { ...IMPATIENT.consumer, maxInHandBytes: BOUND_MB * MB },
  };
  const told = { namespace: 'flood', database, bytes: MB, settings, handlerMs: 20 };
  const fleet = new Fleet({
    program: PROGRAM,
    args: [redis.url, JSON.stringify(told)],
    env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB} --expose-gc` },
  });
  const { history } = fleet;
  let mostLive = 0;
  const refusals = new Map<string, number>();
  const child = await fleet.launch();
  child.on('message', ({ live = 0, code }: { live?: number; code?: string }) => {
    mostLive = Math.max(mostLive, live);
    if (code !== undefined) refusals.set(code, (refusals.get(code) ?? 0) + 1);
  });
  const refused = (code: string): number => refusals.get(code) ?? 0;
  const confirmed = (): Set<string> => history.keys('confirmed');
  const areHandled = (keys: Iterable<string>): boolean =>
    [...keys].every((key) => fleet.handled.has(key));

  await within(
    120_000,
    'a full memory',
    history.when(() => refused('FLOW_BLOCKED') > 20),
  );
  // Those of transactions wait in the database from here on.
  const stored = [...confirmed()].filter((key) => !key.startsWith('transactional'));
  const blockedBefore = refused('FLOW_BLOCKED');
  const until = performance.now() + SECONDS * 1_000;
  child.send('consume');
  await within(
    SECONDS * 1_000 + 120_000,
    'handlers beside a full memory',
    history.when(() => performance.now() > until && areHandled(stored)),
  );
  const blockedBeside = refused('FLOW_BLOCKED') - blockedBefore;
  const handledBeside = fleet.handled.size;
  child.send('hush');
  await operator.config('SET', 'maxmemory', '0');
  const sent = (): number => history.keys('sent').size;
  const answers = (): number =>
    confirmed().size + history.keys('failed').size + history.keys('unknown').size;
  await within(
    120_000,
    'an answer to each send',
    history.when(() => answers() === sent()),
  );
  await within(
    120_000,
    'all that is confirmed',
    history.when(() => areHandled(confirmed())),
  );
  const mostRssMb = mostRss(child.pid!);
  const looking = connect(redis.url, 'flood');
  await looking.open();
  const admin = new MessageAdmin({ rivulet: looking });
  for (const topic of TOPICS)
    await whenStored(async () => (await admin.describeGroup(topic, 'billing')).total.lag === 0);
  await fleet.stop();
  const verdict = judge(history.happenings, { ordered: [''] });
  const rows = await client.execute('SELECT id FROM bills');
  const placed = rows.rows.map(({ id }) => id as string);
  await looking.stop(2_000);
  client.close();
  operator.disconnect();
  await redis.stop();
  rmSync(folder, { recursive: true });

  tellFigures('overload', {
    ...figuresOf(verdict),
    ...{
      bytes: MB,
      flowBlocked: refused('FLOW_BLOCKED'),
      bufferFull: refused('PRODUCER_BUFFER_FULL'),
    },
    ...{ blockedBeside, handledBeside },
    ...{ mostLiveMb: Math.round(mostLive / MB), mostRssMb, boundMb: MOST_LIVE_MB },
  });
  expect(verdict).toMatchObject({ ...FLAWLESS, sent: sent() });
  expect(refused('PRODUCER_BUFFER_FULL')).toBeGreaterThan(0);
  expect(blockedBeside).toBeGreaterThan(0);
  expect(handledBeside).toBeGreaterThan(REDIS_MB / 3);
  expect(fleet.deadLettered).toEqual([]);
  // What the database has was sent, and nothing else.
  const ofTransactions = [...confirmed()].filter((key) => key.startsWith('transactional'));
  expect(placed.toSorted()).toEqual(ofTransactions.toSorted());
  expect(mostLive / MB).toBeLessThan(MOST_LIVE_MB);
}, 600_000);

/** In MB; 0 where the system does not tell. */
function mostRss(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1e3);
}
