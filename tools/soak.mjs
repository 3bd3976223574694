#!/usr/bin/env node
// `npm run soak -- --minutes 10`: an application under mixed load while things break at random, watched for what grows.
//   --minutes N      default 10
//   --seconds N      instead
//   --json FILE      the curve and the verdict, for a program
// Prints a curve: memory of the application (after garbage collection), of Redis, and what was done. Then the load ends,
// and Redis must be back at the floor that a first, short load had left; nothing may be lost, nothing may be left open.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { bytesOf, floorOf, usedMemory } from './soak/floor.mjs';
import { Ledger } from './soak/ledger.mjs';
import { SoakProcess } from './soak/process.mjs';
import { judge } from './soak/verdict.mjs';
import { findRedis, startRedis } from './with-redis.mjs';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seconds: { type: 'string' },
    json: { type: 'string' },
  },
});
const seconds = Number(options.seconds ?? Number(options.minutes) * 60);
if (!(seconds >= 5)) throw new Error('--minutes must be a number, and 5 seconds at least');

const LANES = 5;
const SAMPLES = 24;
const work = mkdtempSync(join(tmpdir(), 'rivulet-soak-'));
// Each write reaches the disk before it is confirmed: what is lost otherwise when Redis is killed, Redis has lost.
const redis = await startRedis(findRedis(), {
  ...{ persistence: 'aof-everysec', args: ['--appendfsync', 'always'] },
});
const operator = new Redis(redis.url, { maxRetriesPerRequest: null });
operator.on('error', () => {}); // it is killed on purpose
const ledger = new Ledger();
const facts = { namespace: 'soak', file: join(work, 'database') };
const launch = (lanes) =>
  SoakProcess.launch({ url: redis.url, facts: { ...facts, lanes }, ledger });

const application = await launch(LANES);
let fellow = await launch(0);
const harmed = {};
const harms = {
  'kill -9 of a fellow': async () => {
    await fellow.kill();
    // Redis may still be coming back from another harm: whoever is not ready in time is started again.
    fellow = await launch(0).catch(() => launch(0));
  },
  'kill -9 of Redis': async () => {
    await redis.kill();
    await redis.restart();
  },
  'Redis stands still': async () => {
    await redis.kill('SIGSTOP');
    await wait(200 + Math.random() * 1_500);
    await redis.kill('SIGCONT');
  },
  'connections closed': () => operator.call('client', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  'scripts forgotten': () => operator.script('FLUSH'),
  'event loop blocked': () => application.tell('stall', { ms: 500 + Math.random() * 3_500 }),
};

try {
  const curve = [];
  const floors = [];
  await application.tell('load');
  await wait(Math.min(30_000, seconds * 150));
  floors.push(await quieten());

  const startedAt = performance.now();
  const until = startedAt + seconds * 1_000;
  let nextSample = startedAt;
  console.log(
    'second  sent/s  handled/s  open  heap MB  rss MB  not V8  Redis MB  keys  sockets+timers  harms so far',
  );
  await application.tell('load');
  while (performance.now() < until) {
    await wait(300 + Math.random() * Math.min(8_000, seconds * 40));
    await harm();
    if (performance.now() < nextSample) continue;
    nextSample += (seconds * 1_000) / SAMPLES;
    curve.push(await sample(startedAt));
    tell(curve);
  }
  floors.push(await quieten());
  curve.push(await sample(startedAt));
  tell(curve);

  const end = { floors, curve, ledger, ...(await stop()), seconds };
  const verdict = judge(end);
  for (const line of verdict.lines) console.log(line);
  if (options.json)
    writeFileSync(options.json, JSON.stringify({ curve, floors, harmed, verdict }, null, 2));
  process.exitCode = verdict.problems.length > 0 ? 1 : 0;
} finally {
  operator.disconnect();
  for (const one of [application, fellow]) if (!one.isGone) await one.kill();
  await redis.stop();
  rmSync(work, { recursive: true, force: true });
}

async function harm() {
  const names = Object.keys(harms);
  const name = names[Math.floor(Math.random() * names.length)];
  await harms[name]();
  harmed[name] = (harmed[name] ?? 0) + 1;
}

async function sample(startedAt) {
  const own = await application.tell('sample');
  return {
    atMs: Math.round(performance.now() - startedAt),
    ...own,
    ...{ confirmed: ledger.confirmed, handled: ledger.handled, open: ledger.outstanding.size },
    redisBytes: await usedMemory(operator),
    keys: await operator.dbsize(),
    harms: Object.values(harmed).reduce((sum, times) => sum + times, 0),
  };
}

function tell(curve) {
  const now = curve.at(-1);
  const before = curve.at(-2) ?? { atMs: 0, confirmed: now.confirmed, handled: now.handled };
  const perSecond = (what) =>
    Math.round((now[what] - before[what]) / Math.max(0.001, (now.atMs - before.atMs) / 1_000));
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  const open = Object.values(now.resources).reduce((sum, count) => sum + count, 0);
  const cells = [
    [String(Math.round(now.atMs / 1_000)), 6],
    [String(perSecond('confirmed')), 6],
    [String(perSecond('handled')), 9],
    [String(now.open), 4],
    [mb(now.heapUsed), 7],
    [mb(now.rss), 6],
    [mb(now.native), 6],
    [mb(now.redisBytes), 8],
    [String(now.keys), 4],
    [String(open), 14],
    [String(now.harms), 12],
  ];
  console.log(cells.map(([text, width]) => text.padStart(width)).join('  '));
}

/** No more is sent: once all is handled, and what may be forgotten is, what stands in Redis is the floor. */
async function quieten() {
  await application.tell('quiet');
  const giveUpAt = performance.now() + 30_000;
  while (ledger.outstanding.size > 0 && performance.now() < giveUpAt) await wait(100);
  // Retention, dedup windows and lifetimes of dedup records are 1.5 s at most. A process trims once a minute.
  await wait(2_000);
  await application.tell('trim');
  const floor = await floorOf(operator);
  const members = await Promise.all(
    ['plain', 'ordered'].flatMap((topic) =>
      [0, 1, 2, 3].map((queue) =>
        operator.call('XINFO', 'CONSUMERS', `{soak:${topic}:${queue}}:log`, topic),
      ),
    ),
  );
  return {
    ...floor,
    bytes: bytesOf(floor),
    used: await usedMemory(operator),
    consumers: Math.max(...members.map(({ length }) => length)),
    application: await atRest(),
  };
}

/** The least of a few looks: what is open or on the heap goes up and down with beats, renewals and reads. */
async function atRest() {
  const looks = [];
  for (let i = 0; i < 8; i++) {
    looks.push(await application.tell('sample'));
    await wait(150);
  }
  const open = ({ resources }) => Object.values(resources).reduce((sum, count) => sum + count, 0);
  const [{ resources }] = looks.toSorted((a, b) => open(a) - open(b));
  return { resources, heapUsed: Math.min(...looks.map(({ heapUsed }) => heapUsed)) };
}

async function stop() {
  const left = await application.tell('stop');
  await fellow.tell('stop');
  const gone = Promise.all([application.exited, fellow.exited]).then(() => true);
  return { left, endedByItself: await Promise.race([gone, wait(5_000, false, { ref: false })]) };
}
