import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  HttpException,
  type INestApplication,
  Inject,
  type NestInterceptor,
  type PipeTransform,
  Post,
  Query,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  RpcException,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  Events,
  RejectMessageError,
  RivuletClient,
  type RivuletContext,
  RivuletModule,
  type RivuletModuleOptions,
  RivuletServer,
} from 'nestjs-rivulet';
import {
  catchError,
  from,
  lastValueFrom,
  map,
  type Observable,
  of,
  reduce,
  throwError,
} from 'rxjs';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { startRedis, type TestRedis } from '../../helpers/redis.js';
import { deferred } from '../helpers/deferred.js';

// What Nest's own integration tests ask of each of its transports: an HTTP route that calls a message handler of the
// same application, over a real broker.

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const onRedis = (options: RivuletModuleOptions = {}): RivuletModuleOptions => ({
  connection: redis.url,
  group: 'test',
  logger: silentLogger,
  ...options,
});

const notified = deferred<string>();

@Controller()
class SumController {
  constructor(private readonly client: RivuletClient) {}

  @Post('sum')
  sum(@Body() data: number[], @Query('command') cmd: string) {
    return this.client.send<number>({ cmd }, data);
  }

  @Post('stream')
  stream(@Body() data: number[]) {
    return this.client.send<number>({ cmd: 'streaming' }, data).pipe(reduce((a, b) => a + b));
  }

  @Post('concurrent')
  async concurrent(@Body() data: number[][]) {
    const sums = await Promise.all(
      data.map((numbers) => lastValueFrom(this.client.send<number>({ cmd: 'sum' }, numbers))),
    );
    return sums.every((sum, i) => sum === data[i]!.reduce((a, b) => a + b, 0));
  }

  @Post('exception')
  exception() {
    return this.client
      .send('exception', {})
      .pipe(catchError((error: { message: string }) => of(error.message)));
  }

  @Post('notify')
  notify() {
    return this.client
      .emit('notification', 'hello')
      .pipe(map(({ state }: { state: string }) => state));
  }

  @MessagePattern({ cmd: 'sum' })
  onSum(@Payload() data: number[]) {
    return data.reduce((a, b) => a + b, 0);
  }

  @MessagePattern({ cmd: 'async-sum' })
  async onAsyncSum(@Payload() data: number[]) {
    return this.onSum(data);
  }

  @MessagePattern({ cmd: 'stream-sum' })
  onStreamSum(@Payload() data: number[]) {
    return of(this.onSum(data));
  }

  @MessagePattern({ cmd: 'streaming' })
  onStreaming(@Payload() data: number[]) {
    return from(data);
  }

  @MessagePattern('exception')
  onException() {
    return throwError(() => new RpcException('test'));
  }

  @EventPattern<string>('notification')
  onNotification(@Payload() data: string) {
    notified.resolve(data);
  }
}

describe('An HTTP application that asks itself', () => {
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [RivuletModule.forRoot(onRedis({ namespace: 'sum' }))],
      controllers: [SumController],
    }).compile();
    app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: app.get(RivuletServer) });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(() => app.close());

  async function post(path: string, body: unknown): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return response.text();
  }

  it.each(['sum', 'async-sum', 'stream-sum'])('has its answer: %s', async (command) => {
    expect(await post(`sum?command=${command}`, [1, 2, 3, 4, 5])).toBe('15');
  });

  it('has all values of a stream', async () => {
    expect(await post('stream', [1, 2, 3, 4, 5])).toBe('15');
  });

  it('has each of ten times ten answers at once', async () => {
    const numbers = Array.from({ length: 10 }, (_, i) =>
      Array.from({ length: 10 }, (_, j) => i * j),
    );
    const all = await Promise.all(Array.from({ length: 10 }, () => post('concurrent', numbers)));
    expect(all).toEqual(Array.from({ length: 10 }, () => 'true'));
  });

  it('has the exception of the handler', async () => {
    expect(await post('exception', {})).toBe('test');
  });

  it('is notified of its own event', async () => {
    expect(await post('notify', {})).toBe('stored');
    expect(await notified.promise).toBe('hello');
  });
});

describe('Several applications', () => {
  it('share the work of one group, and have a copy each in their own', async () => {
    const seen: string[] = [];
    const handlerOf = (name: string): Type => {
      @Controller()
      class Handlers {
        @EventPattern<string>('orders')
        on(@Payload() order: number, @Ctx() ctx: RivuletContext) {
          seen.push(`${ctx.group} ${order}`);
        }
        @MessagePattern('who')
        who() {
          return name;
        }
      }
      return Handlers;
    };
    const apps = await Promise.all(
      ['billing', 'billing', 'mail'].map(async (group, i) => {
        const server = new RivuletServer(onRedis({ namespace: 'several', group }));
        const app = await NestFactory.createMicroservice<MicroserviceOptions>(
          { module: class App {}, controllers: [handlerOf(`${group} ${i}`)] },
          { strategy: server, logger: false },
        );
        await app.listen();
        return { app, server };
      }),
    );
    let left = 40;
    const all = new Promise<void>((resolve) => {
      for (const { server } of apps)
        server.on('acked', ({ topic }) => topic === 'orders' && --left === 0 && resolve());
    });
    const client = new RivuletClient(onRedis({ namespace: 'several' }));
    for (let order = 0; order < 20; order++) client.emit('orders', order);
    await all;
    const numbers = Array.from({ length: 20 }, (_, order) => order);
    expect(seen.sort()).toEqual(
      ['billing', 'mail'].flatMap((group) => numbers.map((order) => `${group} ${order}`)).sort(),
    );
    expect(await lastValueFrom(client.send('who', {}))).toMatch(/^(billing [01]|mail 2)$/);
    await Promise.all([client.close(), ...apps.map(({ app }) => app.close())]);
  });
});

describe('A client of a broker that is not there', () => {
  it('fails with an error that a controller can map', async () => {
    @Controller()
    class Disconnected {
      constructor(@Inject('CLIENT') private readonly client: RivuletClient) {}

      @Post()
      call(): Observable<unknown> {
        return this.client.send('nobody', {}).pipe(
          catchError((error: { code: string }) => {
            throw new HttpException(error.code, error.code === 'STORE_UNAVAILABLE' ? 408 : 500);
          }),
        );
      }
    }
    const options = onRedis({ connection: 'redis://127.0.0.1:1', connectTimeoutMs: 100 });
    const module = await Test.createTestingModule({
      imports: [ClientsModule.register([{ name: 'CLIENT', customClass: RivuletClient, options }])],
      controllers: [Disconnected],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    const response = await fetch(await app.getUrl(), { method: 'POST' });
    expect(response.status).toBe(408);
    await app.close();
  });
});

describe('Global enhancers of a microservice', () => {
  it('are applied, and the original error is known without a module, too', async () => {
    const steps: string[] = [];
    const guard: CanActivate = { canActivate: () => steps.push('guard') > 0 };
    const pipe: PipeTransform = { transform: (value: unknown) => (steps.push('pipe'), value) };
    const interceptor: NestInterceptor = {
      intercept: (_execution: ExecutionContext, next: CallHandler) => (
        steps.push('interceptor'),
        next.handle()
      ),
    };
    @Catch(TypeError)
    class Filter implements ExceptionFilter {
      catch() {
        steps.push('filter');
        return of('handled');
      }
    }
    @Controller()
    class Handlers {
      @EventPattern<string>('orders')
      on(@Payload() order: string) {
        steps.push('handler');
        if (order === 'filtered') throw new TypeError();
        throw new RejectMessageError('never');
      }
    }
    const server = new RivuletServer(onRedis({ namespace: 'global' }));
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: class App {}, controllers: [Handlers] },
      { strategy: server, logger: false },
    );
    app.useGlobalGuards(guard);
    app.useGlobalPipes(pipe);
    app.useGlobalInterceptors(interceptor);
    app.useGlobalFilters(new Filter());
    await app.listen();
    const events = server.unwrap<{ events: Events }>().events;
    const client = new RivuletClient(onRedis({ namespace: 'global' }));

    const acked = events.next('acked');
    client.emit('orders', 'filtered');
    await acked;
    expect(steps).toEqual(['guard', 'interceptor', 'pipe', 'handler', 'filter']);
    const dead = events.next('dead-lettered');
    client.emit('orders', 'rejected');
    expect((await dead).reason).toBe('never');
    await Promise.all([client.close(), app.close()]);
  });
});
