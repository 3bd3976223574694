import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  createParamDecorator,
  type ExceptionFilter,
  ParseIntPipe,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
import { RpcContextCreator } from '@nestjs/microservices/context/rpc-context-creator.js';
import {
  Ctx,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Server,
} from '@nestjs/microservices';
import { RivuletContext, RivuletServer } from 'nestjs-rivulet';
import { concat, lastValueFrom, of, throwError, toArray } from 'rxjs';
import { closeApps, inMemory, memoryStores, start, startHybrid } from '../helpers/open-app.js';

/** Each call that Nest makes on the way of its own goes through here. */
const viaNest = jest.spyOn(InterceptorsConsumer.prototype, 'intercept');

beforeEach(() => void viaNest.mockClear());
afterEach(closeApps);

const Later = createParamDecorator(async () => 'later');

class DomainError extends Error {}

@Catch(DomainError)
class Filter implements ExceptionFilter {
  catch({ message }: DomainError, host: ArgumentsHost) {
    const [body, context] = host.getArgs<[unknown, unknown]>();
    return of(`${message} of ${String(body)}, ${context instanceof RivuletContext}`);
  }
}

@Controller()
class Handlers {
  readonly seen: unknown[] = [];

  @MessagePattern('bare')
  bare(@Ctx() context: RivuletContext, @Payload('id') id: number) {
    return [context.topic, id];
  }

  @MessagePattern('undecorated')
  undecorated(body: unknown) {
    return body;
  }

  @EventPattern('event')
  event(@Payload() body: unknown) {
    this.seen.push(body);
  }

  @MessagePattern('filtered')
  @UseFilters(Filter)
  filtered(@Payload() kind: string) {
    const error = new DomainError('failed');
    if (kind === 'promise') return Promise.reject(error);
    if (kind === 'stream')
      return concat(
        of(1),
        throwError(() => error),
      );
    throw error;
  }

  @MessagePattern('guarded')
  @UseGuards({ canActivate: () => true })
  guarded() {
    return 'guarded';
  }

  @MessagePattern('intercepted')
  @UseInterceptors({ intercept: () => of('intercepted') })
  intercepted() {}

  @MessagePattern('piped')
  piped(@Payload(ParseIntPipe) body: number) {
    return body;
  }

  @MessagePattern('piped as a whole')
  @UsePipes(ParseIntPipe)
  pipedAsAWhole(@Payload() body: number) {
    return body;
  }

  @MessagePattern('custom')
  custom(@Later() body: string) {
    return body;
  }
}

const ask = async (app: Awaited<ReturnType<typeof startHybrid>>, pattern: string, body: unknown) =>
  lastValueFrom(app.client.send<unknown>(pattern, body).pipe(toArray()));

describe('A handler with nothing around it', () => {
  it('is called without the way of Nest', async () => {
    const app = await startHybrid({ controllers: [Handlers] });
    const acked = app.events.next('acked');
    app.client.emit('event', 'body');
    await acked;
    expect(app.app.get(Handlers).seen).toEqual(['body']);
    expect(await ask(app, 'bare', { id: 7 })).toEqual([['bare', 7]]);
    expect(await ask(app, 'undecorated', 'body')).toEqual(['body']);
    expect(viaNest).not.toHaveBeenCalled();
  });

  it.each([
    ['thrown', ['failed of thrown, true']],
    ['promise', ['failed of promise, true']],
    ['stream', [1, 'failed of stream, true']],
  ])('has its exception filters: %s', async (kind, answer) => {
    const app = await startHybrid({ controllers: [Handlers] });
    expect(await ask(app, 'filtered', kind)).toEqual(answer);
    expect(viaNest).not.toHaveBeenCalled();
  });

  it('is called through one call of ours, however many servers there are', () => {
    const server = () => new RivuletServer(inMemory({ stores: memoryStores() }));
    server();
    const { create } = RpcContextCreator.prototype;
    server();
    expect(RpcContextCreator.prototype.create).toBe(create);
  });

  it('goes the way of Nest when another transport calls it', async () => {
    class Other extends Server {
      listen(callback: () => void): void {
        callback();
      }
      close(): void {}
      on(): void {}
      unwrap<T>(): T {
        return undefined as T;
      }
    }
    const other = new Other();
    await startHybrid({ controllers: [Handlers] }, (app) =>
      app.connectMicroservice({ strategy: other }),
    );
    expect(await other.getHandlerByPattern('undecorated')!('body', {})).toBe('body');
    expect(viaNest).toHaveBeenCalledTimes(1);
  });
});

describe('A handler goes the way of Nest', () => {
  it.each([
    ['guarded', 'any', 'guarded'],
    ['intercepted', 'any', 'intercepted'],
    ['piped', '7', 7],
    ['piped as a whole', '7', 7],
    ['custom', 'any', 'later'],
  ])('when it is %s', async (pattern, body, answer) => {
    const app = await startHybrid({ controllers: [Handlers] });
    expect(await ask(app, pattern, body)).toEqual([answer]);
    expect(viaNest).toHaveBeenCalledTimes(1);
  });

  it('when the application has hooks before each request', async () => {
    const stores = memoryStores();
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: class App {}, controllers: [Handlers] },
      { strategy: new RivuletServer(inMemory({ stores })), logger: false },
    );
    const hooked: unknown[] = [];
    app.registerPreRequestHook((context, next) => {
      hooked.push(context.getHandler().name);
      return next();
    });
    await app.listen();
    const { client } = await start({ rivulet: { stores } });
    expect(await lastValueFrom(client.send('undecorated', 'body'))).toBe('body');
    expect(hooked).toEqual(['undecorated']);
    await app.close();
  });
});
