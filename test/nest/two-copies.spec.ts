// pnpm installs a copy of the library for each set of peers: packages of one application may hand over what is made by
// classes that the copy which runs has never seen.
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import * as ours from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';
import { AT_ONCE, closeApps, start, startHybrid } from './helpers/open-app.js';

let theirs: typeof ours;
let nest: typeof import('@nestjs/common');
let rpc: typeof import('@nestjs/microservices');

beforeAll(async () => {
  // What Nest loads for its first transport is of this copy, too.
  await startHybrid({});
  await closeApps();
  jest.resetModules();
  theirs = await import('nestjs-rivulet');
  nest = await import('@nestjs/common');
  rpc = await import('@nestjs/microservices');
  if (theirs.BatchResult === ours.BatchResult) throw new Error('that is the same copy');
});
afterEach(closeApps);

/** What a handler that fails with this makes of a message. */
async function reasonFor(failWith: () => unknown): Promise<string> {
  @Injectable()
  class Handlers {
    @ours.Subscribe('orders', { retry: { maxAttempts: 2, backoff: { fromMs: 1, jitter: 0 } } })
    on() {
      throw failWith();
    }
  }
  const { producer, events } = await start({ providers: [Handlers] });
  const dead = events.next('dead-lettered');
  await producer.send('orders', 1);
  return (await dead).reason;
}

describe('With a second copy in the process', () => {
  it('what a BatchResult of it calls failed is not acked', async () => {
    const batches: unknown[][] = [];
    @Injectable()
    class Handlers {
      @ours.SubscribeBatch('orders', { batch: { size: 3, withinMs: 60_000 }, retry: AT_ONCE })
      on(bodies: unknown[]) {
        batches.push(bodies);
        return new theirs.BatchResult().fail(
          bodies.indexOf('bad'),
          new theirs.RejectMessageError('bad'),
        );
      }
    }
    const { producer, events } = await start({ providers: [Handlers] });
    const dead = events.next('dead-lettered');
    await producer.sendBatch(
      'orders',
      ['a', 'bad', 'c'].map((body) => ({ body })),
    );
    expect(await dead).toMatchObject({ attempt: 1, reason: 'bad' });
    expect(batches).toHaveLength(1);
  });

  it('its RejectMessageError makes a dead letter at once', async () => {
    expect(await reasonFor(() => new theirs.RejectMessageError('not ours'))).toBe('not ours');
  });

  it('its RetryLaterError says when', async () => {
    @Injectable()
    class Handlers {
      private attempts = 0;
      @ours.Subscribe('orders', {
        retry: { backoff: { fromMs: 3_600_000, toMs: 3_600_000, jitter: 0 } },
      })
      on() {
        if (++this.attempts === 1) throw new theirs.RetryLaterError(1);
      }
    }
    const { producer, events } = await start({ providers: [Handlers] });
    const acked = events.next('acked');
    await producer.send('orders', 1);
    expect(await acked).toMatchObject({ attempt: 2 });
  });

  it('its filters filter', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Handlers {
      @ours.Subscribe('orders', { filter: theirs.tags('wanted') })
      on(body: unknown) {
        seen.push(body);
      }
    }
    const { producer, events } = await start({ providers: [Handlers] });
    const acked = events.next('acked');
    await producer.send('orders', 'b', { tag: 'other' });
    await producer.send('orders', 'a', { tag: 'wanted' });
    await acked;
    expect(seen).toEqual(['a']);
  });

  it('its RivuletRecord is a body and options', async () => {
    const seen: unknown[] = [];
    @Controller()
    class Handlers {
      @EventPattern('orders')
      on(@Payload() body: unknown) {
        seen.push(body);
      }
    }
    const { client, events } = await startHybrid({ controllers: [Handlers] });
    const acked = events.next('acked');
    const record = new theirs.RivuletRecordBuilder({ id: 1 }).setKey('k').build();
    await firstValueFrom(client.emit('orders', record));
    expect((await acked).key).toBe('k');
    expect(seen).toEqual([{ id: 1 }]);
  });

  it('an error of the other Nest means what it means in this one', async () => {
    expect(await reasonFor(() => new nest.BadRequestException(['id: missing']))).toBe(
      'BadRequestException: id: missing',
    );
    @Controller()
    class Handlers {
      @MessagePattern('sum')
      on() {
        throw new rpc.RpcException({ code: 7 });
      }
    }
    const { client } = await startHybrid({ controllers: [Handlers] });
    await expect(firstValueFrom(client.send('sum', 1))).rejects.toEqual({ code: 7 });
  });

  it('what only looks like an error of Nest is one of the application', async () => {
    class HttpException extends Error {
      getStatus() {
        return 403;
      }
    }
    expect(await reasonFor(() => new HttpException('upstream said 403'))).toBe(
      'failed 2 times; last: Error: upstream said 403',
    );
  });

  it('what its codecs say of bytes is heeded', async () => {
    const codec = (error: () => unknown) => ({
      name: 'sealed',
      encode: () => Buffer.from('x'),
      decode: () => {
        throw error();
      },
    });
    @Injectable()
    class Handlers {
      @ours.Subscribe('orders', { retry: AT_ONCE })
      on() {}
    }
    const { producer, events } = await start({
      providers: [Handlers],
      rivulet: { codec: codec(() => new theirs.RetryLaterError(1)) },
    });
    const retried = events.next('retried');
    await producer.send('orders', 1);
    expect(await retried).toMatchObject({ attempt: 1 });
  });
});
