#!/usr/bin/env node
// npm run demo:crash: processes and Redis are killed in the middle of orders, and no order or message is lost or made up.
//   DATABASE_URL=postgres://…  the same on PostgreSQL; otherwise SQLite, in a file of its own
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findRedis, HOW_TO_INSTALL, startRedis } from './with-redis.mjs';

const OUT = 'dist-sample/shop-demo';
const LONGEST_WAIT_MS = 60_000;

const say = (text) => console.log(text);

/** A process of the shop, and what it printed. */
class Shop {
  lines = [];
  waiting = new Set();

  constructor(name, env) {
    this.name = name;
    this.child = spawn(process.execPath, [`${OUT}/main.js`, '--no-orders'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.exited = once(this.child, 'exit');
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(line);
      this.tell();
    });
    this.child.once('exit', () => this.tell());
  }

  async open() {
    this.url = (await this.line(/The shop is open at/)).match(/http:\S+:\d+/)[0];
    return this;
  }

  /** The first line that matches, printed already or not yet. */
  async line(pattern) {
    const isOver = AbortSignal.timeout(LONGEST_WAIT_MS);
    isOver.addEventListener('abort', () => this.tell());
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found) return found;
      if (isOver.aborted || this.child.exitCode !== null)
        throw new Error(`${this.name} did not print ${pattern}:\n${this.lines.join('\n')}`);
      await new Promise((resolve) => this.waiting.add(resolve));
    }
  }

  tell() {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }

  count(pattern) {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  async order(item) {
    const response = await fetch(`${this.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ item, quantity: 1, card: 'any-card' }),
    });
    if (response.status !== 202) throw new Error(`POST /orders answered ${response.status}`);
    return response.json();
  }

  /** The process dies within. Resolves with when it did. */
  async orderThatKills(item) {
    const answer = await this.order(item).then(
      () => 'answered',
      () => 'died',
    );
    await this.exited;
    if (answer !== 'died' || this.child.signalCode !== 'SIGKILL')
      throw new Error(`${this.name} should have died in the middle of the order`);
    return performance.now();
  }

  async orders() {
    return (await fetch(`${this.url}/orders`)).json();
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    await this.exited;
  }
}

function expect(isSo, what) {
  if (!isSo) throw new Error(`This is not as promised: ${what}`);
}

async function killedAfterCommit(survivor, env) {
  const shop = await new Shop('the shop that dies after COMMIT', {
    ...env,
    SHOP_DIES: 'after-commit',
  }).open();
  const diedAt = await shop.orderThatKills('lamp');
  const [order] = (await survivor.orders()).filter(({ item }) => item === 'lamp');
  expect(order, 'the order was committed');
  say(`1. kill -9 after COMMIT, before Redis was told. In the database: order ${order.id}.`);
  await survivor.line(/was left undecided; its database says: commit/);
  await survivor.line(new RegExp(`${order.id} +acked +order\\.placed +stock`));
  const afterMs = Math.round(performance.now() - diedAt);
  expect(survivor.count(new RegExp(`${order.id} +delivered +order\\.placed +stock`)) === 1, 'once');
  return `1. Another process asked the database, and delivered ${order.id} ${afterMs} ms after the crash, once.`;
}

async function killedBeforeCommit(survivor, env) {
  const shop = await new Shop('the shop that dies before COMMIT', {
    ...env,
    SHOP_DIES: 'before-commit',
  }).open();
  await shop.orderThatKills('vase');
  say('2. kill -9 after the half message was stored, before COMMIT.');
  await survivor.line(/was left undecided; its database says: rollback/);
  const orders = (await survivor.orders()).filter(({ item }) => item === 'vase');
  expect(orders.length === 0, 'there is no order');
  expect(survivor.count(/vase-.* +order\.placed/) === 0, 'nothing was delivered');
  return '2. The database says that it was rolled back: no order, and nothing was delivered.';
}

async function withoutRedis(survivor, redis) {
  await redis.kill('SIGKILL');
  await survivor.line(/Redis connection lost/);
  const placed = [];
  for (let i = 0; i < 3; i++) placed.push((await survivor.order('tea')).id);
  say(`3. Redis is killed, and three orders are placed: ${placed.join(', ')}.`);
  await survivor.line(/Redis is away: the messages of transaction/);
  const orders = (await survivor.orders()).map(({ id }) => id);
  expect(
    placed.every((id) => orders.includes(id)),
    'the orders are in the database',
  );
  await redis.restart();
  for (const id of placed) await survivor.line(new RegExp(`${id} +acked +order\\.placed +billing`));
  for (const id of placed)
    expect(
      survivor.count(new RegExp(`${id} +delivered +order\\.placed +billing`)) === 1,
      `${id} was delivered once`,
    );
  say('3. Redis is back: all three are delivered, each once.');
}

async function main() {
  const binary = findRedis();
  if (!binary) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);
  execFileSync(process.execPath, [
    'node_modules/typescript/bin/tsc',
    ...['-p', 'sample/shop/tsconfig.json', '--outDir', OUT],
  ]);
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-crash-'));
  // It is killed, too: with `everysec` it would lose what it had confirmed while its disk is busy.
  const redis = await startRedis(binary, { persistence: 'aof-always' });
  const env = {
    REDIS_URL: redis.url,
    DATABASE_URL: process.env.DATABASE_URL ?? `file:${folder}/shop.db`,
    PORT: '0',
  };
  let survivor;
  try {
    survivor = await new Shop('the shop that survives', env).open();
    await survivor.order('tea'); // so that it knows a price
    // One after the other: a shop that has yet to die would look after what the first one left.
    say(await killedAfterCommit(survivor, env));
    say(await killedBeforeCommit(survivor, env));
    await withoutRedis(survivor, redis);
  } finally {
    await survivor?.stop();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
