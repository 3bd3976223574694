import { setTimeout as pass } from 'node:timers/promises';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, within } from '../helpers/workload.js';

const IS_LONG = process.env['RIVULET_LONG'] !== undefined;
const PROGRAM = new URL('./programs/member.mjs', import.meta.url);
const MESSAGES = 40;
const CONCURRENCY = 8;
const MAX_ATTEMPTS = 3;
/** One fails always, one once. */
const FAILING = { m7: MAX_ATTEMPTS, m11: 1 };
const SETTINGS = {
  heartbeatMs: 200,
  deadAfterMs: 800,
  topics: { queues: 2 },
  consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 300 },
  ordered: { leaseMs: 1_200, renewMs: 200, selfStopMs: 800, rebalanceDelayMs: 100 },
};

/** Where the process dies: at the call, once it is sent, once it is answered; the how-many-th time. */
type Point = [at: string, nth: number];

const UNORDERED: Point[] = [
  ['reader.read answered', 1],
  ['handler ended', 5],
  ['deliveries.settle sent', 2],
  ['deliveries.claimDue answered', 1],
  ...(IS_LONG ? unorderedToo() : []),
];
const ORDERED: Point[] = [
  ['leases.acquire answered', 1],
  ['leases.step sent', 3],
  ['handler ended', 5],
  ['leases.step answered', 6],
  ...(IS_LONG ? orderedToo() : []),
];

function unorderedToo(): Point[] {
  return [
    ...([1, 4, 8].flatMap((nth) => [
      ['deliveries.settle called', nth],
      ['deliveries.settle answered', nth],
    ]) as Point[]),
    ...[1, 2].map((nth): Point => ['deliveries.claimDue sent', nth]),
    ['reader.read sent', 2],
  ];
}

function orderedToo(): Point[] {
  return [
    ['leases.acquire sent', 1],
    ['leases.load sent', 1],
    ['leases.load answered', 1],
    ['leases.read answered', 1],
    ...[1, 2, 5, 8].map((nth): Point => ['leases.step answered', nth]),
    ...[1, 5, 8].map((nth): Point => ['leases.step called', nth]),
    ['leases.renew answered', 1],
  ];
}

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** A process that dies at this point, and then one that lives. */
async function dieAt([at, nth]: Point, ordered: boolean) {
  const namespace = `${ordered ? 'o' : 'u'}-${at.replaceAll(/\W/g, '-')}-${nth}`;
  const history = new History();
  const consumes = { group: 'billing', ordered, concurrency: CONCURRENCY, handlerMs: 15 };
  const job = {
    ...{ namespace, settings: SETTINGS, failing: FAILING },
    consumes: { ...consumes, maxAttempts: MAX_ATTEMPTS, onExhausted: 'dead-letter' },
  };
  const fleet = (harm?: object): Fleet =>
    new Fleet({
      ...{ program: PROGRAM, history },
      args: [redis.url, JSON.stringify({ ...job, harm })],
    });
  const producing = connect(redis.url, namespace, SETTINGS);
  await producing.open();
  const keys = Array.from({ length: MESSAGES }, (_, i) => `m${i}`);
  const sends = keys.map(async (key, i) => {
    history.sent(key, { lane: `g${i % 4}`, seq: i });
    await producing.producer.send('orders', { key }, { key, messageGroup: `g${i % 4}` });
    history.answered(key, 'confirmed');
  });
  await Promise.all(sends);

  const doomed = fleet({ at, nth });
  await doomed.launch().catch(() => undefined);
  const died = (async () => {
    while (doomed.size > 0) await doomed.change();
  })();
  await within(60_000, `the death at ${at}`, died).finally(() => doomed.end());
  const survivor = fleet();
  await survivor.launch();
  const admin = new MessageAdmin({ rivulet: producing });
  const settled = async (): Promise<boolean> => {
    const { total, members } = await admin.describeGroup('orders', 'billing');
    // The dead one is off the list a while after it fell silent, whether it held something or not.
    return total.lag === 0 && members.length <= 1;
  };
  for (let i = 0; i < 150 && !(await settled()); i++) await pass(100);
  await survivor.stop();
  const { total, members } = await admin.describeGroup('orders', 'billing');
  const { letters } = await admin.listDeadLetters('orders', 'billing');
  await producing.stop(2_000);

  // The poison is not handled: it is in the dead letters instead.
  const verdict = judge(
    history.happenings.filter(({ key }) => key !== 'm7'),
    ordered ? { ordered: [''] } : {},
  );
  const attempts = (key: string): number[] => [
    ...(doomed.started.get(key) ?? []),
    ...(survivor.started.get(key) ?? []),
  ];
  return {
    ...{ point: `${at} ${nth}`, verdict, left: total.lag, members: members.length },
    deadLetters: letters.map(({ entry }) =>
      entry.kind === 'message' ? entry.message.key : entry.kind,
    ),
    // A start that was cut off is not counted: its number may come again, and none is left out.
    jumps: keys.filter((key) => attempts(key).some((now, i, all) => now - (all[i - 1] ?? 0) > 1)),
    poisonStarts: attempts('m7').length,
  };
}

it.each([
  ['unordered', UNORDERED],
  ['ordered', ORDERED],
] as const)(
  'leaves to others what it held, and each message in one place, wherever an %s consumer is killed',
  async (kind, points) => {
    // Two at a time: each is two processes.
    for (let from = 0; from < points.length; from += 2) {
      const batch = points.slice(from, from + 2);
      const ends = await Promise.all(batch.map((point) => dieAt(point, kind === 'ordered')));
      for (const { point, verdict, jumps, poisonStarts, ...end } of ends) {
        const figures = { ...figuresOf(verdict), poisonStarts, left: end.left };
        tellFigures(`consumer-crash-${kind}`, { point, ...figures });
        expect({ point, ...verdict }).toMatchObject({ point, ...FLAWLESS });
        expect({ point, ...end }).toEqual({ point, left: 0, members: 0, deadLetters: ['m7'] });
        expect({ point, jumps }).toEqual({ point, jumps: [] });
        expect(poisonStarts).toBeGreaterThanOrEqual(MAX_ATTEMPTS);
        expect(poisonStarts).toBeLessThanOrEqual(MAX_ATTEMPTS + 1);
        expect(verdict.again).toBeLessThanOrEqual(CONCURRENCY);
      }
    }
  },
  240_000,
);
