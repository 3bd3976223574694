import { afterEach, describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  HttpException,
  Logger,
  type NestInterceptor,
  ParseIntPipe,
  type Type,
  UnauthorizedException,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { RejectMessageError, RetryLaterError, RivuletContext, Subscribe } from 'nestjs-rivulet';
import { catchError, EMPTY, from, map, Observable, of, throwError } from 'rxjs';
import { deferred, stateOf } from '../helpers/deferred.js';
import { AT_ONCE, closeApps, startHybrid, type TestApp } from '../helpers/open-app.js';

afterEach(closeApps);

const ONCE = { retry: { maxAttempts: 1 } };

/** What became of the next message. */
async function fate({ producer, events }: Pick<TestApp, 'producer' | 'events'>, body: unknown) {
  const acked = events.next('acked').then(({ attempt }) => `acked in attempt ${attempt}`);
  const dead = events.next('dead-lettered').then(({ reason }) => reason);
  await producer.send('orders', body);
  return Promise.race([acked, dead]);
}

function handlerOf(handle: (ctx: RivuletContext) => unknown, options: object = ONCE): Type {
  @Controller()
  class Handlers {
    @EventPattern<string>('orders', options)
    on(@Ctx() ctx: RivuletContext) {
      return handle(ctx);
    }
  }
  return Handlers;
}

describe('An event through the transport', () => {
  it('reaches its handler with body and context', async () => {
    const seen: unknown[] = [];

    @Controller()
    class Handlers {
      @EventPattern<object>({ event: 'placed' })
      on(@Payload('id', ParseIntPipe) id: number, @Ctx() ctx: RivuletContext) {
        seen.push(
          id,
          ctx.getPattern(),
          ctx.topic,
          ctx.getArgByIndex(1),
          ctx instanceof RivuletContext,
        );
      }
    }
    const { client, events } = await startHybrid({ controllers: [Handlers] });
    const acked = events.next('acked');
    client.emit({ event: 'placed' }, { id: '17' });
    const { topic } = await acked;
    expect(topic).toMatch(/^rpc\.[\w-]{43}$/);
    expect(seen).toEqual([17, { event: 'placed' }, topic, { event: 'placed' }, true]);
  });

  it.each<[string, () => unknown]>([
    ['nothing', () => {}],
    ['a value', () => 1],
    ['a promise', async () => 1],
    ['an Observable of one value', () => of(1)],
    ['an Observable of many values', () => from([1, 2])],
    ['an Observable without values', () => EMPTY],
  ])('is acked once when its handler returns %s', async (_what, handle) => {
    const made = await startHybrid({ controllers: [handlerOf(handle)] });
    let acks = 0;
    made.events.on('acked', () => (acks += 1));
    expect(await fate(made, 1)).toBe('acked in attempt 1');
    await made.app.close();
    expect(acks).toBe(1);
  });

  it('is acked when the Observable completes, not before, and is subscribed to once', async () => {
    const finish = deferred();
    let subscriptions = 0;
    const slow = new Observable<number>((subscriber) => {
      subscriptions += 1;
      subscriber.next(1);
      void finish.promise.then(() => subscriber.complete());
    });
    const made = await startHybrid({ controllers: [handlerOf(() => slow)] });
    const settled = fate(made, 1);
    await made.events.next('delivered');
    expect(await stateOf(settled)).toBe('pending');
    finish.resolve();
    expect(await settled).toBe('acked in attempt 1');
    expect(subscriptions).toBe(1);
  });

  it.each<[string, NestInterceptor[]]>([
    ['alone', []],
    ['within an interceptor', [{ intercept: (_context, next) => next.handle() }]],
  ])('runs a generator to its end, as a request would, %s', async (_what, interceptors) => {
    const steps: string[] = [];
    @Controller()
    class Handlers {
      @MessagePattern('orders', { retry: AT_ONCE })
      @UseInterceptors(...interceptors)
      async *on(@Payload() body: number, @Ctx() ctx: RivuletContext) {
        steps.push(`began ${body}`);
        yield await Promise.resolve(1);
        if (ctx.attempt === 1) throw new Error('half way');
        steps.push('ended');
      }
    }
    const made = await startHybrid({ controllers: [Handlers] });
    expect(await fate(made, 7)).toBe('acked in attempt 2');
    expect(steps).toEqual(['began 7', 'began 7', 'ended']);
  });

  it('is not waited for longer than its handler may take, and its Observable is given up', async () => {
    const tornDown = deferred();
    const endless = new Observable(() => () => tornDown.resolve());
    const options = { ...ONCE, handlerTimeoutMs: 20 };
    const made = await startHybrid({ controllers: [handlerOf(() => endless, options)] });
    expect(await fate(made, 1)).toBe(
      'failed once; last: HandlerTimeoutError: Handlers.on did not finish within 20 ms',
    );
    await tornDown.promise;
  });

  it('is given up, too, when its Observable comes after that time', async () => {
    const tornDown = deferred();
    const late = async ({ signal }: RivuletContext) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return new Observable(() => () => tornDown.resolve());
    };
    const options = { ...ONCE, handlerTimeoutMs: 20 };
    const made = await startHybrid({ controllers: [handlerOf(late, options)] });
    expect(await fate(made, 1)).toContain('did not finish within 20 ms');
    await tornDown.promise;
  });

  it.each<[string, () => unknown, string]>([
    ['throws', () => fail('thrown'), 'failed once; last: Error: thrown'],
    ['rejects', async () => fail('rejected'), 'failed once; last: Error: rejected'],
    [
      'streams an error',
      () => throwError(() => new Error('streamed')),
      'failed once; last: Error: streamed',
    ],
    [
      'throws an RpcException',
      () => fail(new RpcException('remote')),
      'failed once; last: Error: remote',
    ],
    [
      'throws nothing',
      () => fail(undefined),
      'failed once; last: Error: undefined was thrown instead of an error',
    ],
    ['rejects the message', () => fail(new RejectMessageError('never')), 'never'],
    [
      'rejects the message in an RpcException',
      () => fail(new RpcException(new RejectMessageError('never'))),
      'never',
    ],
    [
      'finds it invalid',
      () => fail(new BadRequestException(['id: missing'])),
      'BadRequestException: id: missing',
    ],
  ])('keeps the error when its handler %s', async (_what, handle, reason) => {
    const made = await startHybrid({ controllers: [handlerOf(handle)] });
    expect(await fate(made, 1)).toBe(reason);
  });

  it('is tried again by the policy of its extras, or after the time its handler asks for', async () => {
    const failing = handlerOf(({ attempt }) => attempt < 3 && fail('not yet'), { retry: AT_ONCE });
    expect(await fate(await startHybrid({ controllers: [failing] }), 1)).toBe('acked in attempt 3');
    const waiting = handlerOf(({ attempt }) => attempt < 2 && fail(new RetryLaterError(1)), {});
    expect(await fate(await startHybrid({ controllers: [waiting] }), 1)).toBe('acked in attempt 2');
  });

  it('is rejected for good by a guard or a pipe', async () => {
    const deny: CanActivate = { canActivate: () => false };

    @Controller()
    class Guarded {
      @EventPattern<string>('orders', { retry: AT_ONCE })
      @UseGuards(deny)
      on() {}
    }
    expect(await fate(await startHybrid({ controllers: [Guarded] }), 1)).toBe(
      'ForbiddenException: Forbidden resource',
    );

    @Controller()
    class Piped {
      @EventPattern<string>('orders', { retry: AT_ONCE })
      on(@Payload(ParseIntPipe) _number: number) {}
    }
    expect(await fate(await startHybrid({ controllers: [Piped] }), 'x')).toContain(
      'BadRequestException',
    );
  });

  it.each<[string, unknown, string]>([
    [
      'UnauthorizedException',
      new UnauthorizedException('no token'),
      'UnauthorizedException: no token',
    ],
    ['ForbiddenException', new ForbiddenException(), 'ForbiddenException: Forbidden'],
    [
      'BadRequestException with fields of its own',
      new BadRequestException({ errors: ['no id'] }),
      'BadRequestException: {"errors":["no id"]}',
    ],
    [
      'an HttpException with fields and words of its own',
      Object.assign(new HttpException({ code: 'P1' }, 422), { message: 'the card was refused' }),
      'HttpException: the card was refused',
    ],
    [
      'an RpcException with a status of denial',
      new RpcException({ statusCode: 401, message: 'no token' }),
      'RpcException: no token',
    ],
    [
      'an RpcException with a status of denial and no message',
      new RpcException({ statusCode: 401, code: 'NO_TOKEN' }),
      'RpcException: {"statusCode":401,"code":"NO_TOKEN"}',
    ],
    [
      'an RpcException around an HttpException',
      new RpcException(new ForbiddenException('not yours')),
      'ForbiddenException: not yours',
    ],
    [
      'an RpcException that says nothing of denial',
      new RpcException({ statusCode: 503, message: 'later' }),
      'failed 3 times; last: Error: later',
    ],
    [
      'an RpcException that says it in fields, and has no message',
      new RpcException({ code: 'NO_STOCK', sku: 17 }),
      'failed 3 times; last: Error: {"code":"NO_STOCK","sku":17}',
    ],
    [
      'an HttpException likewise',
      new HttpException({ code: 'NO_STOCK' }, 503),
      'failed 3 times; last: HttpException: {"code":"NO_STOCK"}',
    ],
    [
      'an error: a guard that cannot decide',
      new Error('database is down'),
      'failed 3 times; last: Error: database is down',
    ],
  ])('is settled by what a guard throws: %s', async (_what, error, reason) => {
    const guard: CanActivate = { canActivate: () => fail(error) };

    @Controller()
    class Guarded {
      @EventPattern<string>('orders', { retry: AT_ONCE })
      @UseGuards(guard)
      on() {}
    }
    expect(await fate(await startHybrid({ controllers: [Guarded] }), 1)).toBe(reason);
    // The same of @Subscribe.
    @Controller()
    class Subscribed {
      @Subscribe('orders', { retry: AT_ONCE })
      @UseGuards(guard)
      on() {}
    }
    expect(await fate(await startHybrid({ controllers: [Subscribed] }), 1)).toBe(reason);
  });

  it('has one line in the log for each failure, and none of Nest', async () => {
    const lines: string[] = [];
    const note = (line: unknown): void => void lines.push(String(line));
    const logger = { error: note, warn: note, log() {}, debug() {} };
    const made = await startHybrid({
      controllers: [handlerOf(() => fail('failed'), { retry: AT_ONCE })],
      rivulet: { logger },
    });
    Logger.overrideLogger(logger);
    expect(await fate(made, 1)).toBe('failed 3 times; last: Error: failed');
    Logger.overrideLogger(false);
    expect(lines).toEqual([
      expect.stringMatching(/attempt 1 failed: Error: failed/),
      expect.stringMatching(/attempt 2 failed: Error: failed/),
      expect.stringMatching(/attempt 3 became a dead letter: failed 3 times; last: Error: failed/),
    ]);
  });

  it('counts as handled when a filter answers, and has the error of a filter that throws', async () => {
    const filter = (answer: () => unknown): ExceptionFilter => {
      @Catch()
      class Filter implements ExceptionFilter {
        catch = answer;
      }
      return new Filter();
    };
    const handlerWith = (answer: () => unknown): Type => {
      @Controller()
      class Handlers {
        @EventPattern<string>('orders', ONCE)
        @UseFilters(filter(answer))
        on() {
          throw new Error('original');
        }
      }
      return Handlers;
    };
    const outcomes: [() => unknown, string][] = [
      [() => of('handled'), 'acked in attempt 1'],
      [() => EMPTY, 'acked in attempt 1'],
      [() => throwError(() => ({ status: 'error' })), 'failed once; last: Error: original'],
      [() => throwError(() => new RejectMessageError('replaced')), 'replaced'],
      [() => fail(new RejectMessageError('replaced')), 'replaced'],
      [() => fail(new TypeError('no response')), 'failed once; last: Error: original'],
      [async () => fail(new TypeError('no response')), 'failed once; last: Error: original'],
    ];
    for (const [answer, expected] of outcomes)
      expect(await fate(await startHybrid({ controllers: [handlerWith(answer)] }), 1)).toBe(
        expected,
      );
  });

  it('runs in no more handlers at once than its concurrency', async () => {
    let running = 0;
    let most = 0;
    const three = deferred();
    const handler = handlerOf(
      async () => {
        most = Math.max(most, ++running);
        if (running === 3) three.resolve();
        await three.promise;
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
      },
      { concurrency: 3 },
    );
    const { producer, events } = await startHybrid({ controllers: [handler] });
    let left = 20;
    const all = new Promise<void>((resolve) => {
      events.on('acked', () => --left === 0 && resolve());
    });
    for (let i = 0; i < 20; i++) await producer.send('orders', i);
    await all;
    expect(most).toBe(3);
  });

  it('reaches the handler of a message pattern when there is no other', async () => {
    let handled = 0;

    @Controller()
    class Handlers {
      @MessagePattern('orders')
      on() {
        handled += 1;
      }
    }
    expect(await fate(await startHybrid({ controllers: [Handlers] }), 1)).toBe(
      'acked in attempt 1',
    );
    expect(handled).toBe(1);
  });
});

function fail(error: unknown): never {
  throw typeof error === 'string' ? new Error(error) : error;
}

describe('Several handlers of one event', () => {
  const several = (
    handlers: Record<string, (ctx: RivuletContext) => unknown>,
    options: object = { retry: AT_ONCE },
  ) =>
    Object.entries(handlers).map(([name, handle]): Type => {
      @Controller()
      class Handlers {
        @EventPattern<string>('orders', options)
        on(@Ctx() ctx: RivuletContext) {
          return handle(ctx);
        }
      }
      Object.defineProperty(Handlers, 'name', { value: name });
      return Handlers;
    });

  it('share one delivery, which is settled when the last has ended', async () => {
    const first = deferred();
    const second = deferred();
    const controllers = several({ First: () => first.promise, Second: () => second.promise });
    const made = await startHybrid({ controllers });
    const settled = fate(made, 1);
    await made.events.next('delivered');
    first.resolve();
    expect(await stateOf(settled)).toBe('pending');
    second.resolve();
    expect(await settled).toBe('acked in attempt 1');
  });

  it('wait for each other also when the first fails at once', async () => {
    const second = deferred();
    const controllers = several({ First: () => fail('first'), Second: () => second.promise }, ONCE);
    const made = await startHybrid({ controllers });
    const settled = fate(made, 1);
    await made.events.next('delivered');
    expect(await stateOf(settled)).toBe('pending');
    second.resolve();
    expect(await settled).toBe('failed once; last: Error: first');
  });

  it('run again only if they failed', async () => {
    const runs: Record<string, number[]> = { First: [], Second: [], Third: [] };
    const noting = (name: string, succeedsIn: number) => (ctx: RivuletContext) => {
      runs[name]!.push(ctx.attempt);
      if (ctx.attempt < succeedsIn) throw new Error(name);
    };
    const controllers = several({
      First: noting('First', 1),
      Second: noting('Second', 2),
      Third: noting('Third', 3),
    });
    const made = await startHybrid({ controllers });
    expect(await fate(made, 1)).toBe('acked in attempt 3');
    expect(runs).toEqual({ First: [1], Second: [1, 2], Third: [1, 2, 3] });
    // The next message knows nothing of the last.
    expect(await fate(made, 2)).toBe('acked in attempt 3');
    expect(runs['First']).toEqual([1, 1]);
  });

  it('run again only if they failed, also when time was up for one that does not end', async () => {
    const runs: string[] = [];
    const hung = deferred();
    const controllers = several(
      {
        First: () => void runs.push('First'),
        Second: () => {
          runs.push('Second');
          return runs.filter((name) => name === 'Second').length === 1 ? hung.promise : undefined;
        },
      },
      { retry: AT_ONCE, handlerTimeoutMs: 500 },
    );
    const made = await startHybrid({ controllers });
    expect(await fate(made, 1)).toMatch(/^acked/);
    expect(runs.filter((name) => name === 'First')).toHaveLength(1);
    hung.resolve();
  });

  it('are settled by the worst outcome, and each has its own error', async () => {
    const controllers = several({
      Fine: () => {},
      Later: () => fail(new RetryLaterError(60_000)),
      Failing: () => fail('failed'),
      Rejecting: () => fail(new RejectMessageError('rejected')),
    });
    const warned: string[] = [];
    const logger = { error() {}, log() {}, debug() {}, warn: (line: string) => warned.push(line) };
    const made = await startHybrid({ controllers, rivulet: { logger } });
    expect(await fate(made, 1)).toBe('rejected');
    expect(warned).toEqual([
      expect.stringMatching(/^Failing\.on failed, too, with message .*: Error: failed$/),
      expect.stringMatching(
        /^Later\.on failed, too, with message .*: RetryLaterError: retry in 60000 ms$/,
      ),
    ]);
  });
});

describe('An interceptor', () => {
  it('that hides an error has handled it; one that throws is asked again', async () => {
    const hiding: NestInterceptor = {
      intercept: (_context, next) => next.handle().pipe(catchError(() => of('hidden'))),
    };
    const throwing: NestInterceptor = {
      intercept: (_context, next) => next.handle().pipe(map(() => fail('by the interceptor'))),
    };
    for (const [interceptor, expected] of [
      [hiding, 'acked in attempt 1'],
      [throwing, expect.stringContaining('failed once')],
    ] as const) {
      @Controller()
      class Handlers {
        @EventPattern<string>('orders', ONCE)
        @UseInterceptors(interceptor)
        on() {
          if (interceptor === hiding) throw new Error('hidden');
        }
      }
      expect(await fate(await startHybrid({ controllers: [Handlers] }), 1)).toEqual(expected);
    }
  });
});
