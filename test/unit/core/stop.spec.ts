import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import type { Stores } from '../../../lib/core/store/stores.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

const DRAIN_MS = 1_000;

/** A store that stops answering: its calls stay open, as on a half-open connection, and end when it is closed. */
class HangingStores {
  readonly stores: MemoryStores;
  private hanging = false;
  private readonly open = new Set<(error: Error) => void>();

  constructor(stores: MemoryStores) {
    this.stores = stores;
    const close = stores.close.bind(stores);
    stores.close = () => {
      this.hanging = false;
      for (const reject of this.open) reject(new Error('closed'));
      return close();
    };
    for (const port of [
      'topics',
      'log',
      'schedule',
      'deliveries',
      'deadLetters',
      'agenda',
      'members',
      'replies',
    ] satisfies (keyof Stores)[])
      this.wrap(stores[port]);
  }

  hang(): void {
    this.hanging = true;
  }

  private wrap(port: object): void {
    const methods = port as Record<string, (...args: unknown[]) => unknown>;
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(port))) {
      const real = methods[name];
      // What an inbox calls itself is no call to the store.
      if (name === 'constructor' || name === 'keep' || typeof real !== 'function') continue;
      methods[name] = (...args) => {
        if (this.hanging) return new Promise((_, reject) => this.open.add(reject));
        const made = real.apply(port, args);
        if (name === 'openReader' || name === 'openInbox')
          void Promise.resolve(made).then((reader) => this.wrap(reader as object));
        return made;
      };
    }
  }
}

describe('stop', () => {
  let clock: ManualClock;
  let hanging: HangingStores;
  let rivulet: Rivulet;
  let warned: string[];
  beforeEach(() => {
    warned = [];
    clock = new ManualClock();
    hanging = new HangingStores(new MemoryStores({ clock }));
    rivulet = new Rivulet({
      stores: hanging.stores,
      clock,
      logger: { ...silentLogger, warn: (line) => void warned.push(line) },
      settings: { topics: { queues: 2 }, drainMs: DRAIN_MS },
    });
  });

  async function within(ms: number, promise: Promise<unknown>): Promise<number | 'too long'> {
    const begunAt = clock.monotonic();
    let ended = false;
    const done = promise.then(
      () => (ended = true),
      () => (ended = true),
    );
    await clock.settle();
    while (!ended && clock.monotonic() - begunAt < ms) await clock.advance(50);
    if (!ended) return 'too long';
    await done;
    return clock.monotonic() - begunAt;
  }

  const consume = async (handler: () => unknown = () => {}): Promise<void> => {
    rivulet.subscribe({ topic: 'orders', group: 'billing', origin: 'a test', handler });
    await rivulet.consume();
    await clock.advance(10);
  };

  it('ends within the drain limit when the store answers nothing any more', async () => {
    await consume();
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    hanging.hang();
    await clock.advance(100);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
  });

  it('ends within the drain limit when the store stops to answer while handlers run', async () => {
    await consume(() => new Promise(() => {}));
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    hanging.hang();
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
  });

  // What others took over at once would be handled twice at a time.
  it('says so when a handler does not end in time, and does not sign off', async () => {
    const observer = hanging.stores.sibling();
    await observer.open(0);
    await consume(() => new Promise(() => {}));
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    expect(warned).toEqual([expect.stringMatching(/^Not everything was settled within 1000 ms/)]);
    expect(await observer.members.lastBeats([rivulet.member])).toHaveLength(1);
  });

  it('signs off when nothing is left, and says nothing', async () => {
    const observer = hanging.stores.sibling();
    await observer.open(0);
    await consume();
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    expect(await observer.members.lastBeats([rivulet.member])).toHaveLength(1);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS);
    expect(await observer.members.lastBeats([rivulet.member])).toEqual([]);
    expect(warned).toEqual([]);
  });

  it('says so when the store takes no settles, and leaves no timer behind', async () => {
    await consume();
    hanging.stores.deliveries.settle = () => Promise.reject(new StoreUnavailableError('cut'));
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    expect(warned).toContainEqual(expect.stringMatching(/^Not everything was settled within/));
    expect(clock.armed).toBe(0);
  });

  it('ends within the drain limit when the store stops to answer at the sign-off', async () => {
    await consume();
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    const { reclaim } = hanging.stores.deliveries;
    hanging.stores.deliveries.reclaim = (...args) => {
      hanging.hang();
      return reclaim.apply(hanging.stores.deliveries, args);
    };
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
  });

  it('ends within the drain limit with sends under way, and answers each', async () => {
    await rivulet.open();
    await rivulet.producer.send('orders', 'a');
    hanging.hang();
    const sends = Promise.allSettled(
      [1, 2, 3].map((body) => rivulet.producer.send('orders', body)),
    );
    const unknownTopic = Promise.allSettled([rivulet.producer.send('elsewhere', 1)]);
    await clock.advance(10);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    expect((await sends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect((await unknownTopic)[0]).toMatchObject({ status: 'rejected' });
  });

  it('ends requests under way, at once and without a timer left behind', async () => {
    await rivulet.open();
    const answers = Promise.allSettled([rivulet.requester.request('orders', 'anybody?')]);
    await clock.advance(10);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    expect((await answers)[0]).toMatchObject({ reason: { code: 'CLOSED' } });
    expect(clock.armed).toBe(0);
  });

  it('ends within the drain limit when the store stops to answer and keeps an inbox', async () => {
    await rivulet.open();
    const answer = Promise.allSettled([rivulet.requester.request('orders', 'anybody?')]);
    await clock.advance(10);
    hanging.hang();
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    expect((await answer)[0]).toMatchObject({ reason: { code: 'CLOSED' } });
    expect(clock.armed).toBe(0);
  });

  it('answers sends that wait for a receipt, and leaves no timer behind', async () => {
    await rivulet.open();
    const receipt = { groups: ['nobody'], timeoutMs: 3_600_000 };
    const sent = Promise.allSettled([rivulet.producer.send('orders', 'a', { receipt })]);
    await clock.advance(10);
    expect(await within(60_000, rivulet.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    await clock.settle();
    expect(clock.armed).toBe(0);
    expect((await sent)[0]).toMatchObject({ reason: { code: 'RECEIPT_TIMEOUT' } });
  });

  it('closes the connections although the store is down and keeps an inbox', async () => {
    await rivulet.open();
    const answer = Promise.allSettled([rivulet.requester.request('orders', 'anybody?')]);
    await clock.advance(10);
    hanging.stores.goDown();
    const stopping = rivulet.stop();
    expect(await within(60_000, stopping)).toBeLessThanOrEqual(DRAIN_MS + 50);
    await stopping;
    await answer;
    await expect(hanging.stores.open(0)).rejects.toThrow(/closed/);
    expect(clock.armed).toBe(0);
  });

  it('ends requests whose message is still being sent', async () => {
    await rivulet.open();
    await rivulet.producer.send('orders', 'a');
    let ended = false;
    const answer = Promise.allSettled([rivulet.requester.request('orders', 'anybody?')]).then(
      ([result]) => {
        ended = true;
        return result;
      },
    );
    const stopping = rivulet.stop();
    expect(await within(60_000, stopping)).toBeLessThanOrEqual(DRAIN_MS + 50);
    await clock.settle();
    expect(ended).toBe(true);
    expect(await answer).toMatchObject({ status: 'rejected' });
    expect(clock.armed).toBe(0);
  });

  it('ends before it was opened, and while it opens', async () => {
    expect(await within(60_000, rivulet.stop())).toBe(0);
    const another = new Rivulet({ stores: new MemoryStores({ clock }), clock });
    const opening = Promise.allSettled([another.consume()]);
    expect(await within(60_000, another.stop())).toBeLessThanOrEqual(DRAIN_MS + 50);
    await opening;
    expect(clock.armed).toBe(0);
  });

  it('begins with nothing whose group was still being joined', async () => {
    const { topics } = hanging.stores;
    const join = topics.joinGroup.bind(topics);
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    topics.joinGroup = async (...args) => {
      const reply = await join(...args);
      await held;
      return reply;
    };
    rivulet.subscribe({ topic: 'orders', group: 'billing', origin: 'a test', handler: () => {} });
    const consuming = Promise.allSettled([rivulet.consume()]);
    await clock.advance(100);
    const stopping = rivulet.stop();
    goOn();
    expect(await within(60_000, stopping)).toBeLessThanOrEqual(DRAIN_MS + 50);
    await consuming;
    await clock.settle();
    expect(clock.armed).toBe(0);
  });

  it('is safe to repeat, and leaves nothing armed', async () => {
    await consume();
    await rivulet.producer.send('orders', 'a');
    await clock.advance(100);
    const first = rivulet.stop();
    expect(rivulet.stop()).toBe(first);
    expect(await within(60_000, first)).toBeLessThanOrEqual(DRAIN_MS);
    expect(clock.armed).toBe(0);
    await expect(rivulet.producer.send('orders', 'b')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(rivulet.requester.request('orders', 'b')).rejects.toMatchObject({
      code: 'CLOSED',
    });
  });
});
