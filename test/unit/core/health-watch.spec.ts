import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import type { StoreHealth, StoreProblem } from '../../../lib/core/runtime/store-health.js';
import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

const EVICTION: StoreProblem = { level: 'error', code: 'EVICTION', text: 'it evicts' };
const NO_APPEND_ONLY: StoreProblem = {
  level: 'warning',
  code: 'NO_APPEND_ONLY',
  text: 'appendonly is no',
};

const CONNECTED = 'log: Connected to the store in memory';

describe('the health of the store', () => {
  let clock: ManualClock;
  let rivulet: Rivulet;
  let problems: StoreProblem[];
  let lines: string[];
  let events: StoreHealth[];
  beforeEach(async () => {
    clock = new ManualClock();
    problems = [NO_APPEND_ONLY];
    lines = [];
    events = [];
    const stores = new MemoryStores({ clock });
    stores.health = () => Promise.resolve({ server: 'test', durability: 'snapshots', problems });
    const log = (level: string) => (line: string) => void lines.push(`${level}: ${line}`);
    const logger = { error: log('error'), warn: log('warn'), log: log('log'), debug() {} };
    rivulet = new Rivulet({ stores, clock, logger });
    rivulet.events.on('health', (health) => void events.push(health));
    await rivulet.open();
    await clock.advance(1);
  });
  afterEach(async () => {
    const stopped = rivulet.stop();
    await clock.advance(1_000);
    await stopped;
  });

  it('is told at the start, and once', async () => {
    await clock.advance(600_000);
    expect(lines).toEqual([CONNECTED, 'warn: appendonly is no']);
    expect(events).toHaveLength(1);
  });

  it('is asked for again each minute, so that no change goes unnoticed', async () => {
    problems = [NO_APPEND_ONLY, EVICTION];
    await clock.advance(60_000);
    problems = [EVICTION];
    await clock.advance(60_000);
    expect(lines.slice(2)).toEqual(['error: it evicts', 'log: No longer so: appendonly is no']);
    expect(events.map((health) => health.problems.length)).toEqual([1, 2, 1]);
  });

  it('is told again when a problem has become worse, and not while it stays', async () => {
    problems = [{ ...NO_APPEND_ONLY, level: 'error' }];
    await clock.advance(120_000);
    expect(lines.slice(2)).toEqual(['error: appendonly is no']);
    expect(events).toHaveLength(2);
  });

  it('is told of each server that has a problem', async () => {
    const silent = (target: string): StoreProblem => ({
      level: 'error',
      code: 'NODE_SILENT',
      target,
      text: `${target} is silent`,
    });
    problems = [silent('a'), silent('b')];
    await clock.advance(60_000);
    problems = [silent('b'), silent('c')];
    await clock.advance(60_000);
    expect(lines.slice(2)).toEqual([
      'error: a is silent',
      'error: b is silent',
      'log: No longer so: appendonly is no',
      'error: c is silent',
      'log: No longer so: a is silent',
    ]);
  });

  it('that nobody may ask for any more is told once', async () => {
    const { stores } = rivulet;
    const { health } = stores;
    stores.health = () =>
      Promise.reject(new StoreRefusedError('Redis refused INFO.', { reason: 'NOPERM' }));
    await clock.advance(600_000);
    expect(lines.slice(2)).toEqual([
      'warn: The health of the store is not watched any more: Redis refused INFO.',
    ]);
    stores.health = health;
    problems = [NO_APPEND_ONLY, EVICTION];
    await clock.advance(60_000);
    expect(lines.slice(3)).toEqual(['error: it evicts']);
  });

  it('is part of what the operator is told', async () => {
    const admin = new MessageAdmin({ rivulet });
    rivulet.subscribe({ topic: 'orders', group: 'billing', origin: 'test', handler: () => {} });
    expect(await admin.health()).toEqual({
      status: 'degraded',
      store: { server: 'test', durability: 'snapshots', problems },
      error: undefined,
      producer: { messages: 0, bytes: 0, waiting: 0 },
      subscriptions: [{ topic: 'orders', group: 'billing' }],
    });
    problems = [EVICTION];
    expect(await admin.health()).toMatchObject({ status: 'down' });
    problems = [];
    expect(await admin.health()).toMatchObject({ status: 'up' });
    rivulet.stores.health = () => new Promise(() => {});
    const health = admin.health({ timeoutMs: 100 });
    await clock.advance(100);
    expect(await health).toMatchObject({
      status: 'down',
      store: undefined,
      error: expect.stringContaining('within 100 ms'),
    });
  });
});
