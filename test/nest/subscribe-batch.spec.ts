import { afterEach, describe, expect, it } from '@jest/globals';
import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  BatchContext,
  BatchResult,
  defineTopic,
  DuplicateSubscriptionError,
  RejectMessageError,
  Subscribe,
  SubscribeBatch,
} from 'nestjs-rivulet';
import { of } from 'rxjs';
import type { Delivery } from '../../lib/core/consumer/subscription.js';
import { AT_ONCE, closeApps, start } from './helpers/open-app.js';

afterEach(closeApps);

const BATCH = { size: 3, withinMs: 20 };
const bodies = (...list: unknown[]) => list.map((body) => ({ body }));

describe('the signal of a batch', () => {
  it('aborts with the last of its messages', () => {
    const aborts = [new AbortController(), new AbortController()];
    const deliveries = aborts.map(({ signal }) => ({ signal }) as unknown as Delivery);
    const { signal } = new BatchContext(deliveries, 'orders');
    aborts[0]!.abort();
    expect(signal.aborted).toBe(false);
    const reason = new Error('time is up');
    aborts[1]!.abort(reason);
    expect(signal.reason).toBe(reason);
  });
});

describe('@SubscribeBatch', () => {
  it('hands bodies and context to a method, with pipes on the array', async () => {
    const seen: unknown[] = [];

    class DoublePipe implements PipeTransform<number[], number[]> {
      transform(numbers: number[]): number[] {
        return numbers.map((n) => n * 2);
      }
    }
    @Injectable()
    class Store {
      @SubscribeBatch('numbers', { group: 'store', batch: { ...BATCH, withinMs: 30_000 } })
      write(@Payload(DoublePipe) numbers: number[], @Ctx() ctx: BatchContext): void {
        seen.push({
          numbers,
          size: ctx.size,
          group: ctx.group,
          pattern: ctx.getPattern(),
          keys: ctx.messages.map(({ key, attempt }) => `${key}:${attempt}`),
          aborted: ctx.signal.aborted,
        });
      }
    }
    const { producer, events } = await start({
      providers: [Store],
      rivulet: { topics: { queues: 1 } },
    });
    const acked = events.next('acked');
    await producer.sendBatch(
      'numbers',
      [1, 2, 3].map((body) => ({ body, key: `k${body}` })),
    );
    await acked;
    expect(seen).toEqual([
      {
        numbers: [2, 4, 6],
        size: 3,
        group: 'store',
        pattern: 'numbers',
        keys: ['k1:1', 'k2:1', 'k3:1'],
        aborted: false,
      },
    ]);
  });

  it.each([
    ['returns', (result: BatchResult): unknown => result],
    ['promises', (result: BatchResult): unknown => Promise.resolve(result)],
    ['emits', (result: BatchResult): unknown => of(result)],
    [
      'returns as a generator',
      function* (result: BatchResult): Generator {
        yield 'begun';
        return result;
      },
    ],
  ])('settles each message by the result a method %s', async (_, wrap) => {
    @Injectable()
    class Store {
      @SubscribeBatch('numbers', { batch: BATCH, retry: AT_ONCE })
      write(@Payload() numbers: number[]): unknown {
        const result = new BatchResult();
        numbers.forEach((n, i) => n === 2 && result.fail(i, new RejectMessageError('two')));
        return wrap(result);
      }
    }
    const { producer, events } = await start({ providers: [Store] });
    const dead = events.next('dead-lettered');
    let acked = 0;
    const allAcked = events.next('acked', () => ++acked === 2);
    await producer.sendBatch('numbers', bodies(1, 2, 3));
    expect(await dead).toMatchObject({ reason: 'two', attempt: 1 });
    await allAcked;
  });

  it('makes dead letters of what a pipe refuses: of the whole batch', async () => {
    const topic = defineTopic<{ n: number }>('numbers');
    class RefusingPipe implements PipeTransform {
      transform(): never {
        throw new BadRequestException('no numbers');
      }
    }
    @Injectable()
    class Store {
      @SubscribeBatch(topic, { batch: { size: 2, withinMs: 1_000 } })
      write(@Payload(RefusingPipe) _numbers: { n: number }[]): void {}
    }
    const { producer, events } = await start({ providers: [Store] });
    let dead = 0;
    const both = events.next('dead-lettered', () => ++dead === 2);
    await producer.sendBatch('numbers', bodies('x', 'y'));
    expect(await both).toMatchObject({ attempt: 1, reason: expect.stringContaining('no numbers') });
  });

  it('is refused beside another handler of the same group, and with options nobody knows', async () => {
    @Injectable()
    class Twice {
      @SubscribeBatch('numbers')
      write(): void {}

      @Subscribe('numbers')
      read(): void {}
    }
    await expect(start({ providers: [Twice] })).rejects.toThrow(DuplicateSubscriptionError);
    @Injectable()
    class Wrong {
      @SubscribeBatch('numbers', { batch: { sizes: 5 } as never, reply: true } as never)
      write(): void {}
    }
    await expect(start({ providers: [Wrong] })).rejects.toThrow(
      'Wrong.write: reply has no place with @SubscribeBatch: ',
    );
  });
});
