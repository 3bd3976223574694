import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  StandardSchemaValidationPipe,
  type Type,
  UnprocessableEntityException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import { RejectMessageError, RivuletContext, Subscribe } from 'nestjs-rivulet';
import { defer, EMPTY, from, type Observable, of, tap, throwError } from 'rxjs';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { ForHttp } from './helpers/for-http.js';
import { AT_ONCE, closeApps, start, startHybrid, type TestApp } from './helpers/open-app.js';

const steps: string[] = [];

beforeEach(() => void steps.splice(0));
afterEach(closeApps);

@Injectable()
class Guard implements CanActivate {
  canActivate(execution: ExecutionContext): boolean {
    const isOurs = execution.switchToRpc().getContext() instanceof RivuletContext;
    steps.push(
      `guard of ${execution.getType()}, ${execution.getClass().name}.${execution.getHandler().name}, ${isOurs}`,
    );
    return execution.switchToRpc().getData<{ allowed?: boolean }>().allowed !== false;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    steps.push('interceptor before');
    return next.handle().pipe(tap({ complete: () => steps.push('interceptor after') }));
  }
}

@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown, { type }: { type: unknown }): unknown {
    steps.push(`pipe ${String(type)}`);
    if ((value as { isInvalid?: boolean }).isInvalid)
      throw new BadRequestException(['id: missing', 'x: wrong']);
    return value;
  }
}

class DomainError extends Error {}

@Catch(DomainError)
class Filter implements ExceptionFilter {
  catch(error: DomainError, host: ArgumentsHost): Observable<unknown> {
    steps.push(`filter ${error.message} of ${host.getType()}`);
    return of('handled');
  }
}

type Settled = { state: 'acked' } | { state: 'dead-lettered'; reason: string };

/** Sends one message and tells what became of it. */
async function fate(
  { producer, events }: Pick<TestApp, 'producer' | 'events'>,
  body: unknown,
): Promise<Settled> {
  const acked = events.next('acked').then(() => ({ state: 'acked' as const }));
  const dead = events
    .next('dead-lettered')
    .then(({ reason }) => ({ state: 'dead-lettered' as const, reason }));
  await producer.send('orders', body);
  return Promise.race([acked, dead]);
}

describe('Enhancers of a handler', () => {
  @UseGuards(Guard)
  @UseInterceptors(Interceptor)
  @UsePipes(Pipe)
  @UseFilters(Filter)
  @Injectable()
  class Decorated {
    @Subscribe('orders', { retry: AT_ONCE })
    on(@Payload() order: { fails?: boolean }) {
      steps.push('handler');
      if (order.fails) throw new DomainError('failed');
    }
  }

  @Controller()
  class DecoratedController extends Decorated {}

  @Injectable()
  class Plain {
    @Subscribe('orders', { retry: AT_ONCE })
    on(order: { fails?: boolean }) {
      steps.push('handler');
      if (order.fails) throw new DomainError('failed');
    }
  }

  const global = [
    { provide: APP_GUARD, useClass: Guard },
    { provide: APP_INTERCEPTOR, useClass: Interceptor },
    { provide: APP_PIPE, useClass: Pipe },
    { provide: APP_FILTER, useClass: Filter },
  ];
  const kinds: [string, string, Parameters<typeof start>[0]][] = [
    ['of its class', 'Decorated', { providers: [Decorated] }],
    ['of its class, a controller', 'DecoratedController', { controllers: [DecoratedController] }],
    ['of the application', 'Plain', { providers: [Plain, ...global] }],
  ];

  it.each(kinds)('%s run in the order of Nest', async (_kind, name, options) => {
    const made = await start(options);
    expect(await fate(made, { fails: false })).toEqual({ state: 'acked' });
    expect(steps).toEqual([
      `guard of rpc, ${name}.on, true`,
      'interceptor before',
      'pipe body',
      'handler',
      'interceptor after',
    ]);
  });

  it.each(kinds)('%s handle its errors', async (_kind, _name, options) => {
    expect(await fate(await start(options), { fails: true })).toEqual({ state: 'acked' });
    expect(steps.at(-1)).toBe('filter failed of rpc');
  });

  it.each(kinds)(
    '%s reject for good what no attempt will change',
    async (_kind, _name, options) => {
      const made = await start(options);
      expect(await fate(made, { allowed: false })).toEqual({
        state: 'dead-lettered',
        reason: 'ForbiddenException: Forbidden resource',
      });
      expect(await fate(made, { isInvalid: true })).toEqual({
        state: 'dead-lettered',
        reason: 'BadRequestException: id: missing; x: wrong',
      });
    },
  );

  it('of the application run in a hybrid application, too, with or without its configuration', async () => {
    const made = await startHybrid({ providers: [Plain, ...global] });
    expect(await fate(made, {})).toEqual({ state: 'acked' });
    expect(steps).toHaveLength(5);
  });

  it('take out one property and transform it', async () => {
    const seen: unknown[] = [];

    @Injectable()
    class Handlers {
      @Subscribe('orders')
      on(@Payload('id', ParseIntPipe) id: number, @Ctx() ctx: RivuletContext) {
        seen.push(id, ctx.topic);
      }
    }
    const made = await start({ providers: [Handlers] });
    await fate(made, { id: '17' });
    expect(seen).toEqual([17, 'orders']);
    expect(await fate(made, { id: 'x' })).toMatchObject({
      state: 'dead-lettered',
      reason: 'BadRequestException: Validation failed (numeric string is expected)',
    });
  });
});

// Nest 12 checks a parameter by the schema beside its pipes.
describe('A parameter with a Standard Schema', () => {
  const schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'number' ? { value } : { issues: [{ message: 'must be a number' }] },
    },
  } as const;

  it('is checked by the validation pipe of Nest, and is final when it does not match', async () => {
    const seen: unknown[] = [];

    @Injectable()
    class Handlers {
      @Subscribe('orders', { retry: AT_ONCE })
      @UsePipes(new StandardSchemaValidationPipe())
      on(@Payload({ schema }) order: number) {
        seen.push(order);
      }
    }
    const made = await start({ providers: [Handlers] });
    expect(await fate(made, 17)).toEqual({ state: 'acked' });
    expect(await fate(made, 'x')).toMatchObject({
      state: 'dead-lettered',
      reason: expect.stringContaining('must be a number'),
    });
    expect(seen).toEqual([17]);
  });
});

describe('What exception filters answer', () => {
  const handlerWith = (filter: ExceptionFilter, error: unknown = new Error('original')): Type => {
    @Injectable()
    class Handlers {
      @Subscribe('orders', { retry: { maxAttempts: 1 } })
      @UseFilters(filter)
      on() {
        throw error;
      }
    }
    return Handlers;
  };
  const filtering = (answer: (error: unknown) => unknown): ExceptionFilter => {
    @Catch()
    class Filter implements ExceptionFilter {
      catch(error: unknown) {
        return answer(error);
      }
    }
    return new Filter();
  };
  const failed = { state: 'dead-lettered', reason: 'failed once; last: Error: original' };

  it.each<[string, () => unknown, Settled]>([
    ['a value', () => 'x', { state: 'acked' }],
    ['an Observable', () => of(undefined), { state: 'acked' }],
    ['an Observable without values', () => EMPTY, { state: 'acked' }],
    ['a promise of a value', async () => 'x', { state: 'acked' }],
    ['nothing', () => {}, failed as Settled],
    ['a promise of nothing', async () => {}, failed as Settled],
    [
      'what a remote caller may see',
      () => throwError(() => ({ status: 'error' })),
      failed as Settled,
    ],
    [
      'another error',
      () => {
        throw new RejectMessageError('replaced');
      },
      { state: 'dead-lettered', reason: 'replaced' },
    ],
    [
      'another error in an Observable',
      () => throwError(() => new UnprocessableEntityException('replaced')),
      { state: 'dead-lettered', reason: 'UnprocessableEntityException: replaced' },
    ],
  ])('%s', async (_what, answer, expected) => {
    const made = await start({ providers: [handlerWith(filtering(answer))] });
    expect(await fate(made, 1)).toEqual(expected);
  });

  it('is not a TypeError of the filter: the error it was given counts, and the log tells what to do', async () => {
    const warned: string[] = [];
    const logger = { ...silentLogger, warn: (line: string) => void warned.push(line) };
    const refusal = new UnprocessableEntityException(['no such item']);
    const made = await start({
      providers: [handlerWith(new ForHttp(), refusal)],
      rivulet: { logger },
    });
    expect(await fate(made, 1)).toEqual({
      state: 'dead-lettered',
      reason: 'UnprocessableEntityException: no such item',
    });
    expect(warned).toEqual([
      expect.stringMatching(
        /^An exception filter failed itself.* counts: UnprocessableEntityException: no such item\. .*getType.* failed with TypeError: .*\n.*ForHttp\./,
      ),
    ]);
  });

  it('is not asked for: an RpcException is an error as any other', async () => {
    @Injectable()
    class Handlers {
      @Subscribe('orders', { retry: { maxAttempts: 1 } })
      on() {
        throw new RpcException('out of stock');
      }
    }
    expect(await fate(await start({ providers: [Handlers] }), 1)).toMatchObject({
      reason: 'failed once; last: Error: out of stock',
    });
  });
});

describe('A handler that returns an Observable', () => {
  const handlerWith = (result: () => unknown, ...interceptors: NestInterceptor[]): Type => {
    @Injectable()
    class Handlers {
      @Subscribe('orders', { retry: { maxAttempts: 1 } })
      @UseInterceptors(...interceptors)
      on() {
        return result();
      }
    }
    return Handlers;
  };

  it.each<[string, () => Observable<unknown>]>([
    ['one', () => of(1)],
    ['many', () => from([1, 2, 3])],
    ['no', () => EMPTY],
  ])('of %s values is acked when it completes, subscribed to once', async (_what, make) => {
    for (const interceptors of [[], [new Interceptor()]]) {
      let subscriptions = 0;
      const counted = defer(() => {
        subscriptions += 1;
        return make();
      });
      const made = await start({ providers: [handlerWith(() => counted, ...interceptors)] });
      expect(await fate(made, 1)).toEqual({ state: 'acked' });
      expect(subscriptions).toBe(1);
    }
  });

  it('fails when that fails, and its filters have the error', async () => {
    const failing = (): Observable<unknown> => throwError(() => new DomainError('late'));
    const plain = await start({ providers: [handlerWith(failing)] });
    expect(await fate(plain, 1)).toMatchObject({ reason: 'failed once; last: Error: late' });

    @Injectable()
    class Filtered {
      @Subscribe('orders')
      @UseFilters(Filter)
      on() {
        return failing();
      }
    }
    expect(await fate(await start({ providers: [Filtered] }), 1)).toEqual({ state: 'acked' });
    expect(steps).toEqual(['filter late of rpc']);
  });
});
