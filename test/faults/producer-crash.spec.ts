import { setTimeout as pass } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { decodeMessage } from '../../lib/core/message/wire-format.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge, type Verdict } from '../helpers/judge.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, within } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/member.mjs', import.meta.url);
const LANES = 4;
const EACH = 20;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const SENDS = Array.from({ length: LANES * EACH }, (_, i) => {
  const [lane, seq] = [`g${i % LANES}`, Math.floor(i / LANES)];
  return { key: `${lane}:${seq}`, lane, dedupId: `${lane}:${seq}` };
});

function fleetOf(namespace: string, history: History, harm?: object): Fleet {
  const settings = { topics: { queues: 2 }, producer: { sendTimeoutMs: 2_000 } };
  const job = { namespace, settings, sends: SENDS, harm };
  return new Fleet({ program: PROGRAM, history, args: [redis.url, JSON.stringify(job)] });
}

/** Whether a process that sends has had an answer to each of its sends. */
async function answers(history: History, from: number): Promise<void> {
  const wanted = SENDS.length;
  await within(
    60_000,
    'answers to all sends',
    history.when(() => history.count('confirmed') + history.count('unknown') - from >= wanted),
  );
}

/** What stands in the logs, in order. */
async function stored(namespace: string): Promise<string[]> {
  const reading = connect(redis.url, namespace);
  await reading.open();
  const keys: string[] = [];
  for (let queue = 0; queue < 2; queue++) {
    const range = { topic: 'orders', queue, from: '-', to: '+', count: 10_000 };
    for (const entry of await reading.stores.log.range(range))
      if (entry.content.kind === 'message')
        keys.push(decodeMessage(entry, entry.content.frame).key ?? '?');
  }
  await reading.stop(2_000);
  return keys;
}

/** Judged as if whoever read the logs had handled them in that order. */
function verdictOf(history: History, keys: string[]): Verdict {
  const read = new History();
  const told = new Set<string>();
  for (const { kind, key } of history.happenings) {
    if (kind === 'sent' && told.has(key)) continue;
    if (kind === 'sent') {
      const [lane, seq] = key.split(':') as [string, string];
      read.sent(key, { lane, seq: Number(seq) });
      told.add(key);
    } else if (kind === 'confirmed' || kind === 'failed' || kind === 'unknown')
      read.answered(key, kind);
  }
  for (const key of keys) read.handled(key);
  return judge(read.happenings, { stored: keys, ordered: [''] });
}

it.each(['log.append called', 'log.append sent', 'log.append answered'])(
  'stores each message once, in order, when its sender is killed at "%s" and sends all again',
  async (at) => {
    const namespace = `p-${at.replaceAll(/\W/g, '-')}`;
    const history = new History();
    const doomed = fleetOf(namespace, history, { at, nth: 6 });
    await doomed.launch().catch(() => undefined);
    while (doomed.size > 0) await doomed.change();
    const before = history.count('confirmed');
    const again = fleetOf(namespace, history);
    await again.launch();
    await answers(history, before);
    await again.stop();
    const verdict = verdictOf(history, await stored(namespace));
    tellFigures('producer-crash', { at, ...figuresOf(verdict), confirmedBefore: before });
    expect(before).toBeGreaterThan(0);
    expect(verdict).toMatchObject({ ...FLAWLESS, sent: SENDS.length, confirmed: SENDS.length });
  },
);

it('stores each message once, in order, when its sender stands still between request and reply', async () => {
  const namespace = 'frozen-producer';
  const history = new History();
  const harm = { at: 'log.append sent', nth: 6, signal: 'SIGSTOP' };
  const fleet = fleetOf(namespace, history, harm);
  const child: ChildProcess = await fleet.launch();
  // Longer than a send may take.
  await pass(3_000);
  expect(history.count('confirmed')).toBeLessThan(SENDS.length);
  child.kill('SIGCONT');
  await answers(history, 0);
  await fleet.stop();
  const verdict = verdictOf(history, await stored(namespace));
  tellFigures('frozen-producer', figuresOf(verdict));
  expect(verdict).toMatchObject({ ...FLAWLESS, sent: SENDS.length });
});
