import { Codecs } from '../../../lib/core/message/codecs.js';
import { SendOutcomeUnknownError } from '../../../lib/core/message/errors.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import { encodeReply, type ReplyKind } from '../../../lib/core/message/reply-packet.js';
import type { Producer } from '../../../lib/core/producer/producer.js';
import { Requester, RequestTimeoutError } from '../../../lib/core/producer/requester.js';
import type { ReplyInbox, ReplyStore } from '../../../lib/core/store/reply-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const id = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const packet = (n: number, body: unknown, kind: ReplyKind = 'last-value', seq = 0): Buffer =>
  encodeReply({
    requestId: id(n),
    seq,
    kind,
    codec: 'json',
    bytes: Buffer.from(JSON.stringify(body)),
  });

describe('Requester', () => {
  let clock: ManualClock;
  let requester: Requester;
  /** Confirms one with its own message, or another. */
  let confirms: ((n?: number, duplicate?: boolean) => void)[];
  let refusals: ((error: Error) => void)[];
  let deliver: (packets: Buffer[]) => Promise<void>;
  let errors: unknown[];
  /** The inbox opens after it. */
  let storeIsThere: Promise<void>;

  beforeEach(() => {
    clock = new ManualClock();
    storeIsThere = Promise.resolve();
    confirms = [];
    refusals = [];
    errors = [];
    let arrived: ((packets: Buffer[]) => void) | undefined;
    const inbox: ReplyInbox = {
      address: 'inbox',
      read: ({ signal }) =>
        new Promise((resolve) => {
          const giveUp = (): void => resolve([]);
          arrived = (packets) => {
            signal.removeEventListener('abort', giveUp);
            resolve(packets);
          };
          signal.addEventListener('abort', giveUp, { once: true });
        }),
      close: () => Promise.resolve(),
    };
    deliver = async (packets) => {
      arrived!(packets);
      await clock.settle();
    };
    const producer = {
      ask: (_request, answer) => {
        const own = confirms.length + 1;
        refusals.push((error) => answer.reject(error));
        confirms.push((n = own, duplicate = n !== own) =>
          answer.resolve({ messageId: id(n), topic: 'orders', duplicate } as SendResult),
        );
      },
    } satisfies Pick<Producer, 'ask'> as unknown as Producer;
    requester = new Requester({
      producer,
      replies: { openInbox: () => storeIsThere.then(() => inbox) } as unknown as ReplyStore,
      codecs: new Codecs(),
      clock,
      timeoutMs: 1_000,
      limits: { maxOpen: 110, maxInboxBytes: 1_000 },
      onError: (error) => errors.push(error),
    });
  });
  afterEach(() => requester.close());

  it('takes each step of an answer once, also when the handler ran twice', async () => {
    const values: unknown[] = [];
    let ends = 0;
    const listener = {
      value: (body: unknown) => void values.push(body),
      error: (error: Error) => void errors.push(error),
      end: () => void (ends += 1),
    };
    requester.open('orders', null, {}, listener);
    await clock.settle();
    confirms[0]!();
    await clock.settle();
    await deliver([packet(1, 'a', 'value', 0), packet(1, 'b', 'value', 1)]);
    await deliver([packet(1, 'a again', 'value', 0), packet(1, 'b again', 'value', 1)]);
    await deliver([packet(1, 'c', 'last-value', 2), packet(1, 'c again', 'last-value', 2)]);
    expect(values).toEqual(['a', 'b', 'c']);
    expect([ends, errors]).toEqual([1, []]);
  });

  it('sends nothing for a request that was given up before there was an inbox', async () => {
    let isThere = (): void => {};
    storeIsThere = new Promise((resolve) => (isThere = resolve));
    const late = requester.request('orders', null).catch((error: unknown) => error);
    const listener = {
      value: () => {},
      error: (error: Error) => errors.push(error),
      end: () => {},
    };
    requester.open('orders', null, { timeoutMs: 5_000 }, listener).stop();
    await clock.advance(1_000);
    expect(await late).toBeInstanceOf(RequestTimeoutError);
    isThere();
    await clock.settle();
    expect(confirms).toEqual([]);
    requester.open('orders', null, {}, listener);
    await clock.settle();
    expect([confirms.length, errors]).toEqual([1, []]);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, null, '5s'])(
    'refuses to wait for %p ms at once, also the first time',
    async (timeoutMs) => {
      let isThere = (): void => {};
      storeIsThere = new Promise((resolve) => (isThere = resolve));
      const asked = requester
        .request('orders', null, { timeoutMs: timeoutMs as number })
        .catch((error: unknown) => error);
      await clock.advance(1_000);
      isThere();
      expect(await asked).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('timeoutMs must be an integer from 1 to 3600000'),
      });
    },
  );

  it('takes the steps of an answer in their order, and none instead of one that is missing', async () => {
    const values: unknown[] = [];
    const listener = {
      value: (body: unknown) => void values.push(body),
      error: (error: Error) => void errors.push(error),
      end: () => {},
    };
    requester.open('orders', null, {}, listener);
    await clock.settle();
    confirms[0]!();
    await clock.settle();
    await deliver([packet(1, 'b', 'value', 1)]);
    expect(values).toEqual([]);
    await deliver([packet(1, 'a', 'value', 0), packet(1, 'b', 'value', 1)]);
    expect(values).toEqual(['a', 'b']);
  });

  /** A request that a dedup id makes one with others; `hear` is told each step of its answer. */
  const askAsOne = (name: string, hear: (step: string) => void): { stop(): void } =>
    requester.open(
      'orders',
      null,
      { dedupId: 'one' },
      {
        value: (body) => hear(`${name}: ${body as string}`),
        error: (error) => void errors.push(error),
        end: () => hear(`${name} ends`),
      },
    );

  it('hands an answer to every request that a dedup id made one message, whoever gives up meanwhile', async () => {
    const steps: string[] = [];
    const hear = (step: string): void => {
      steps.push(step);
      if (step === 'second: a') third.stop();
    };
    askAsOne('first', hear);
    askAsOne('second', hear);
    const third = askAsOne('third', hear);
    await clock.settle();
    for (const confirm of confirms) confirm(1);
    await deliver([packet(1, 'a', 'value', 0), packet(1, 'b', 'last-value', 1)]);
    expect(steps).toEqual([
      ...['first: a', 'second: a'],
      ...['first: b', 'first ends', 'second: b', 'second ends'],
    ]);
    expect(errors).toEqual([]);
  });

  it('hands an answer that overtook the confirms to each of them that still waits', async () => {
    const steps: string[] = [];
    const hear = (step: string): void => void steps.push(step);
    const first = askAsOne('first', hear);
    askAsOne('second', hear);
    askAsOne('third', hear);
    await clock.settle();
    await deliver([packet(1, 'a')]);
    first.stop();
    for (const confirm of confirms) confirm(1);
    expect(steps).toEqual(['second: a', 'second ends', 'third: a', 'third ends']);
    expect([requester.kept, errors]).toEqual([0, []]);
  });

  describe('a duplicate of a request', () => {
    const ask = (timeoutMs = 1_000): Promise<unknown> =>
      requester
        .request('orders', null, { dedupId: 'one', timeoutMs })
        .catch((error: unknown) => error);
    const refused = (why: string): unknown =>
      expect.objectContaining({
        code: 'DUPLICATE_REQUEST',
        messageId: id(1),
        message: expect.stringContaining(why),
      });

    it('that was answered is refused as soon as it is known', async () => {
      const first = ask();
      await clock.settle();
      confirms[0]!();
      await deliver([packet(1, 'paid')]);
      expect(await first).toBe('paid');
      const second = ask();
      confirms[1]!(1);
      expect(await second).toEqual(refused('it was answered before'));
    });

    it('that another process sent is refused as soon as it is known', async () => {
      const asked = ask();
      await clock.settle();
      confirms[0]!(1, true);
      expect(await asked).toEqual(refused('another process sent it'));
    });

    it('gets the answer that comes after the first has given up', async () => {
      const first = ask();
      await clock.settle();
      confirms[0]!();
      await clock.advance(1_000);
      expect(await first).toBeInstanceOf(RequestTimeoutError);
      const second = ask();
      confirms[1]!(1);
      await deliver([packet(1, 'paid')]);
      expect(await second).toBe('paid');
      const third = ask();
      confirms[2]!(1);
      expect(await third).toEqual(refused('it was answered before'));
    });

    it('is refused when the answer came after the first had given up, and before it asked', async () => {
      const first = ask();
      await clock.settle();
      confirms[0]!();
      await clock.advance(1_000);
      expect(await first).toBeInstanceOf(RequestTimeoutError);
      await deliver([packet(1, 'paid')]);
      const second = ask();
      confirms[1]!(1);
      expect(await second).toEqual(refused('it was answered before'));
    });

    it('gets the answer of a first one of which nobody knew whether it was stored', async () => {
      const first = ask();
      await clock.settle();
      refusals[0]!(new SendOutcomeUnknownError('?', { topic: 'orders', messageId: id(1) }));
      expect(await first).toBeInstanceOf(SendOutcomeUnknownError);
      const second = ask();
      confirms[1]!(1);
      await deliver([packet(1, 'paid')]);
      expect(await second).toBe('paid');
    });

    it('waits for the confirm of the first, which may come later', async () => {
      const first = ask();
      const second = ask();
      await clock.settle();
      confirms[1]!(1);
      confirms[0]!();
      await deliver([packet(1, 'paid')]);
      expect(await Promise.all([first, second])).toEqual(['paid', 'paid']);
    });

    it('leaves its answer to the first one, whose confirm comes after it', async () => {
      const first = ask();
      const second = ask();
      await clock.settle();
      confirms[1]!(1);
      await deliver([packet(1, 'paid')]);
      confirms[0]!();
      const third = ask();
      confirms[2]!(1);
      expect(await Promise.all([first, second])).toEqual(['paid', 'paid']);
      expect(await third).toEqual(refused('it was answered before'));
      expect([requester.kept, errors]).toEqual([0, []]);
    });

    it('of a younger one, whose confirm comes later, gets its answer', async () => {
      const first = ask();
      const second = ask();
      await clock.settle();
      confirms[0]!(2);
      confirms[1]!();
      await deliver([packet(2, 'paid')]);
      expect(await Promise.all([first, second])).toEqual(['paid', 'paid']);
    });

    it('is refused once those that were made before its confirm were none of the first either', async () => {
      const first = ask();
      const second = ask();
      const third = ask();
      await clock.settle();
      confirms[2]!(9);
      confirms[1]!(9);
      const later = ask();
      await clock.settle();
      refusals[0]!(new Error('no room'));
      expect(await first).toEqual(new Error('no room'));
      for (const each of [second, third])
        expect(await each).toMatchObject({ code: 'DUPLICATE_REQUEST', messageId: id(9) });
      confirms[3]!(9);
      expect(await later).toMatchObject({ code: 'DUPLICATE_REQUEST', messageId: id(9) });
    });
  });

  it('keeps no answer to a request that could not be sent', async () => {
    const answer = requester.request('orders', null);
    answer.catch(() => {});
    await clock.settle();
    await deliver([packet(1_000, 'late')]);
    expect(requester.kept).toBe(1);
    refusals[0]!(new Error('no room'));
    await expect(answer).rejects.toThrow('no room');
    expect(requester.kept).toBe(0);
  });

  it('hands over an answer that overtook the confirm of its request', async () => {
    const answer = requester.request('orders', null);
    await clock.settle();
    await deliver([packet(1, 'early')]);
    confirms[0]!();
    expect(await answer).toBe('early');
    expect(requester.kept).toBe(0);
  });

  it('keeps no answer for longer than a request sent before it is unconfirmed', async () => {
    for (let n = 0; n < 100; n++) {
      requester.request('orders', null).catch(() => {});
      await clock.settle();
      // Of a request that ended long ago: nobody will ever ask for it.
      await deliver([packet(1_000 + n, 'late')]);
      if (n > 0) confirms[n - 1]!();
      await clock.settle();
      // There is always one on its way.
      expect(requester.kept).toBeLessThanOrEqual(2);
    }
  });

  it('keeps no more bytes of early answers than it may, and says so', async () => {
    const answer = requester.request('orders', null);
    await clock.settle();
    await deliver([packet(1, 'early')]);
    for (let n = 0; n < 10; n++) await deliver([packet(1_000 + n, 'x'.repeat(100))]);
    expect(requester.kept).toBe(3);
    expect(errors).toHaveLength(8);
    expect(String(errors[0])).toContain('requests.maxInboxBytes');
    confirms[0]!();
    expect(await answer).toBe('early');
    expect(requester.kept).toBe(0);
  });

  it('asks no more than may be open at a time, and again once one of them has ended', async () => {
    const asked = Array.from({ length: 110 }, () => requester.request('orders', null));
    for (const each of asked) each.catch(() => {});
    const refused = requester.request('orders', null);
    await expect(refused).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
      limit: 'requests.maxOpen',
      message: expect.stringContaining('110 requests of this process'),
    });
    await clock.settle();
    for (const confirm of confirms) confirm();
    await deliver([packet(1, 'a')]);
    expect(await asked[0]).toBe('a');
    const next = requester.request('orders', null);
    await clock.settle();
    confirms[110]!();
    await deliver([packet(111, 'd')]);
    expect(await next).toBe('d');
    // Those whose time is up do not count either, once their messages are confirmed.
    await clock.advance(1_000);
    const again = Array.from({ length: 110 }, () => requester.request('orders', null));
    const outcomes = Promise.allSettled([...asked, ...again]);
    await requester.close();
    const codes = (await outcomes).map(
      (one) => (one as { reason?: { code: string } }).reason?.code,
    );
    expect(codes.slice(0, 110)).toEqual([undefined, ...Array(109).fill('REQUEST_TIMEOUT')]);
    expect(codes.slice(110)).toEqual(Array(110).fill('CLOSED'));
  });

  it('hands over the other answers when one listener throws', async () => {
    const other: unknown[] = [];
    const fail = (): never => {
      throw new Error('from the listener');
    };
    requester.open('orders', null, {}, { value: fail, error: fail, end: fail });
    requester.open(
      'orders',
      null,
      {},
      { value: (body) => other.push(body), error: (error) => other.push(error), end: () => {} },
    );
    await clock.settle();
    for (const confirm of confirms) confirm();
    await clock.settle();
    await deliver([packet(1, 'a'), packet(2, 'b')]);
    expect(other).toEqual(['b']);
    expect(errors).toHaveLength(1);
  });
});
