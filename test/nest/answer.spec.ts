import { setImmediate as turn } from 'node:timers/promises';
import { RpcException } from '@nestjs/microservices';
import { defer, interval, map, Observable, of, range, take } from 'rxjs';
import { Responder } from '../../lib/core/consumer/responder.js';
import { UnsentAnswers } from '../../lib/core/consumer/unsent-answers.js';
import { Codecs } from '../../lib/core/message/codecs.js';
import type { MessageView } from '../../lib/core/message/message.js';
import { decodeReply } from '../../lib/core/message/reply-packet.js';
import { systemClock } from '../../lib/core/runtime/clock.js';
import { answer } from '../../lib/nest/answer.js';

const KIB = 'x'.repeat(1_024);
const MOST_BYTES = 16 * 1_024;

describe('an answer of many values, while the store takes its time', () => {
  let taken: string[];
  let isOpen: boolean;
  let waiting: (() => void)[];
  let unsent: UnsentAnswers;
  const { signal } = new AbortController();

  function open(): void {
    isOpen = true;
    for (const go of waiting.splice(0)) go();
  }
  beforeEach(() => {
    [taken, isOpen, waiting] = [[], false, []];
    unsent = new UnsentAnswers({ mostBytes: MOST_BYTES });
  });

  function responder(): Responder {
    return new Responder({
      message: {
        replyTo: 'inbox',
        messageId: '01970000-0000-7000-8000-000000000000',
      } as MessageView,
      replies: {
        reply: async (_: string, packet: Buffer) => {
          if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
          const { kind, bytes } = decodeReply(packet);
          taken.push(`${kind} ${bytes.toString().slice(0, 4)}`);
          return 'sent';
        },
      } as never,
      codecs: new Codecs(),
      clock: systemClock,
      maxBytes: 1_048_576,
      maxInboxBytes: 1_048_576,
      unsent,
      onError: () => {},
    });
  }

  it('ends an Observable that is faster, with an error that says what to do', async () => {
    let emitted = 0;
    let isClosed = false;
    const values = new Observable<string>((subscriber) => {
      while (!subscriber.closed && emitted < 1_000_000) subscriber.next(`${emitted++}${KIB}`);
      return () => (isClosed = true);
    });
    const said = answer(values, responder(), { signal }).catch((error: unknown) => error);
    expect(await said).toBeInstanceOf(RpcException);
    expect(await said).toMatchObject({ message: expect.stringMatching(/faster.*async generator/) });
    expect({ emitted, isClosed }).toEqual({ emitted: 18, isClosed: true });
  });

  it('leaves others alone that have nothing waiting', async () => {
    const fast = answer(range(0, 100).pipe(map((n) => n + KIB)), responder(), { signal });
    await expect(fast).rejects.toThrow(RpcException);
    const other = answer(of(1), responder(), { signal });
    await turn();
    open();
    await other;
    expect(taken).toContain('last-value 1');
  });

  it('asks an async generator for a value when those before it are sent, also within an Observable', async () => {
    for (const within of [false, true]) {
      let asked = 0;
      const values = async function* (): AsyncGenerator<number> {
        while (asked < 1_000) yield asked++;
      };
      [isOpen, taken] = [false, []];
      const ended = answer(within ? defer(() => of(values())) : values(), responder(), { signal });
      for (let i = 0; i < 100; i++) await turn();
      expect(asked).toBeLessThanOrEqual(3);
      open();
      await ended;
      expect(asked).toBe(1_000);
      expect(taken.slice(0, 3)).toEqual(['value 0', 'value 1', 'value 2']);
    }
  });

  it('holds a generator up, and does not end it, for what other answers have waiting', async () => {
    unsent.take(MOST_BYTES);
    const values = async function* (): AsyncGenerator<number> {
      for (let n = 0; n < 10; n++) yield n;
    };
    let isOver = false;
    const ended = answer(
      defer(() => of(values())),
      responder(),
      { signal },
    ).finally(() => (isOver = true));
    while (!isOver) {
      await turn();
      for (const go of waiting.splice(0)) go();
    }
    await ended;
    expect(taken.filter((step) => step.startsWith('value'))).toHaveLength(10);
  });

  it('gives its room back with what is sent', async () => {
    open();
    await answer(
      interval(1).pipe(
        take(40),
        map((n) => n + KIB),
      ),
      responder(),
      { signal },
    );
    expect(taken.filter((step) => step.startsWith('value'))).toHaveLength(40);
    expect(unsent.isFull).toBe(false);
  });
});
