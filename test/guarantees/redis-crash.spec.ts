import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import { decodeMessage } from '../../lib/core/message/wire-format.js';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { tellFigures } from '../helpers/figures.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { connect, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

const CRASHES = Number(process.env['RIVULET_CRASHES'] ?? 2);
const PRODUCERS = 8;

type Outcome = 'resolved' | 'failed' | 'unknown';

/** Sends one message after the other until told to stop; every third is delayed for a moment. */
async function sendOn(
  rivulet: Rivulet,
  facts: {
    name: string;
    outcomes: Map<string, Outcome>;
    confirmedAt: Map<string, number>;
    signal: AbortSignal;
  },
): Promise<void> {
  const { name, outcomes, confirmedAt, signal } = facts;
  for (let n = 0; !signal.aborted; n++) {
    const key = `${name}:${n}`;
    const delayMs = n % 3 === 0 ? 200 : 0;
    try {
      await rivulet.producer.send('orders', { key }, { key, messageGroup: name, delayMs });
      outcomes.set(key, 'resolved');
      confirmedAt.set(key, performance.now());
    } catch (error) {
      if (error instanceof SendOutcomeUnknownError) outcomes.set(key, 'unknown');
      else if (error instanceof SendFailedError) outcomes.set(key, 'failed');
      else throw error;
    }
  }
}

/** Of every message in the logs. A crash may take some that were handled. */
async function storedKeys({ stores }: Rivulet): Promise<string[]> {
  const keys: string[] = [];
  for (let queue = 0; queue < 4; queue++) {
    const range = { topic: 'orders', queue, from: '-', to: '+', count: 1_000_000 };
    for (const entry of await stores.log.range(range))
      if (entry.content.kind === 'message')
        keys.push(decodeMessage(entry, entry.content.frame).key ?? '?');
  }
  return keys;
}

/** While a disk is slow, `everysec` confirms for so long what it has not written yet (Redis, aof.c: a postponed write). */
const POSTPONED_MS = 2_500;

describe.each([
  ['everysec', POSTPONED_MS],
  ['always', 0],
] as const)('kill -9 of Redis with appendfsync %s', (fsync, postponedMs) => {
  it(`loses no message whose send was confirmed ${postponedMs} ms before it or earlier`, async () => {
    const seed = newSeed();
    const random = seededRandom(seed);
    const redis = await startRedis({ persistence: `aof-${fsync}` });
    const settings = { ...IMPATIENT, producer: { sendTimeoutMs: 5_000 } };
    const producing = connect(redis.url, 'crash', settings);
    const consuming = connect(redis.url, 'crash', settings);
    const handled = new Handled();
    consuming.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      retry: { backoff: () => 100 },
      handler: (delivery) => {
        // Some attempts fail, so that retries are among what must survive.
        if (delivery.attempt === 1 && random() < 0.1) throw new Error('again');
        handled.note(delivery);
      },
    });
    await producing.open();
    await consuming.consume();

    const outcomes = new Map<string, Outcome>();
    const confirmedAt = new Map<string, number>();
    /** When each crash began, and when Redis was back: a reply from before may be read in between. */
    const crashes: { from: number; to: number }[] = [];
    const stop = new AbortController();
    const sending = Promise.all(
      Array.from({ length: PRODUCERS }, (_, i) =>
        sendOn(producing, { name: `p${i}`, outcomes, confirmedAt, signal: stop.signal }),
      ),
    );
    for (let crash = 0; crash < CRASHES; crash++) {
      const enough = handled.times.size + 300 + Math.floor(random() * 300);
      while (handled.times.size < enough) await consuming.events.next('acked');
      const isBack = [producing, consuming].map((one) =>
        one.events.next('connection', ({ state }) => state === 'ready'),
      );
      const from = performance.now();
      await redis.kill();
      await redis.restart();
      crashes.push({ from, to: performance.now() });
      await within(60_000, 'connections after the restart', Promise.all(isBack));
    }
    const enough = handled.times.size + 300;
    while (handled.times.size < enough) await consuming.events.next('acked');
    stop.abort();
    await sending;

    const keysOf = (wanted: Outcome): string[] =>
      [...outcomes].filter(([, outcome]) => outcome === wanted).map(([key]) => key);
    const resolved = keysOf('resolved');
    const isYoung = (key: string): boolean =>
      postponedMs > 0 &&
      crashes.some(({ from, to }) => {
        const at = confirmedAt.get(key)!;
        return from - postponedMs < at && at < to;
      });
    const mustBeThere = resolved.filter((key) => !isYoung(key));
    await within(60_000, 'handling what was confirmed', handled.all(mustBeThere)).catch(() => {});
    const failed = keysOf('failed').filter((key) => handled.times.has(key));

    const stored = await storedKeys(producing);
    const doubled = stored.length - new Set(stored).size;
    const unknown = keysOf('unknown');
    const unknownStored = unknown.filter((key) => handled.times.has(key)).length;
    tellFigures(`redis-crash-${fsync}`, {
      ...{ seed, crashes: CRASHES, sent: outcomes.size, confirmed: resolved.length },
      ...{ failed: keysOf('failed').length, unknown: unknown.length, unknownStored },
      ...{ lost: handled.missing(resolved).length, ghosts: failed.length, doubled },
      again: handled.repeated,
    });
    await Promise.all([producing.stop(2_000), consuming.stop(2_000)]);
    await redis.stop();
    expect(handled.missing(mustBeThere)).toEqual([]);
    expect(failed).toEqual([]);
    expect(doubled).toBe(0);
  });
});

describe('a power failure that takes the newest writes of Redis with it', () => {
  it('loses those, and nothing that is sent afterwards', async () => {
    const redis = await startRedis({ persistence: 'aof-everysec' });
    const rivulet = connect(redis.url, 'power');
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      retry: { backoff: () => 100 },
      handler: (delivery) => handled.note(delivery),
    });
    await rivulet.consume();
    const kept = await publishMany(rivulet, 40, { prefix: 'kept' });
    await within(60_000, 'the first messages', handled.all(kept));
    const log = join(redis.dir, 'appendonlydir', 'appendonly.aof.1.incr.aof');
    const survives = statSync(log).size;
    const taken = await publishMany(rivulet, 40, { prefix: 'taken' });
    await within(60_000, 'the messages that will be lost', handled.all(taken));

    const isBack = rivulet.events.next('connection', ({ state }) => state === 'ready');
    await redis.kill();
    truncateSync(log, survives);
    await redis.restart();
    await within(60_000, 'the connection after the restart', isBack);
    // The store counts on from where it was: what it had acknowledged since, it knows nothing of.
    const after = await publishMany(rivulet, 80, { prefix: 'after', timeoutMs: 5_000 });
    await within(60_000, 'the messages sent afterwards', handled.all(after)).catch(() => {});
    tellFigures('redis-forgot', {
      ...{ sent: after.length, lost: handled.missing(after).length },
      takenBytes: statSync(log).size - survives,
    });
    await rivulet.stop(2_000);
    await redis.stop();
    expect(after).toHaveLength(80);
    expect(handled.missing(after)).toEqual([]);
  });
});
