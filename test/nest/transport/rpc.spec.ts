import { afterEach, describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  Controller,
  HttpException,
  ForbiddenException,
  Logger,
  ParseIntPipe,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { defineTopic, RejectMessageError, type StandardSchema, Subscribe } from 'nestjs-rivulet';
import {
  concat,
  EMPTY,
  firstValueFrom,
  from,
  interval,
  lastValueFrom,
  map,
  Observable,
  of,
  take,
  throwError,
  toArray,
} from 'rxjs';
import { deferred } from '../helpers/deferred.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { ForHttp } from '../helpers/for-http.js';
import { closeApps, start, startHybrid, type TestApp } from '../helpers/open-app.js';

afterEach(closeApps);

const INTERNAL = { status: 'error', message: 'Internal server error' };

@Controller()
class Handlers {
  @MessagePattern('sum')
  sum(@Payload() data: number[]): number {
    return data.reduce((a, b) => a + b, 0);
  }

  @MessagePattern({ cmd: 'async-sum' })
  async asyncSum(@Payload() data: number[]): Promise<number> {
    return this.sum(data);
  }

  @MessagePattern('stream-sum')
  async streamSum(@Payload() data: number[]): Promise<Observable<number>> {
    return of(this.sum(data));
  }

  @MessagePattern('each')
  each(@Payload() data: unknown[]) {
    return from(data);
  }

  @MessagePattern('slowly')
  slowly() {
    return interval(2).pipe(take(3));
  }

  @MessagePattern('generate')
  async *generate(@Payload() data: number[]) {
    for (const number of data) yield number * 2;
  }

  @MessagePattern('generate-at-once')
  *generateAtOnce(@Payload() data: number[]) {
    for (const number of data) yield number * 2;
  }

  @MessagePattern('empty')
  empty() {
    return EMPTY;
  }

  @MessagePattern('void')
  nothing() {}

  @MessagePattern('echo')
  echo(@Payload() data: unknown) {
    return data;
  }

  @MessagePattern('int')
  int(@Payload(ParseIntPipe) data: number) {
    return data;
  }

  @MessagePattern('guarded')
  @UseGuards({ canActivate: () => false })
  guarded() {}

  @MessagePattern('throw')
  throw(@Payload() kind: string) {
    switch (kind) {
      case 'error':
        throw new Error('secret');
      case 'text':
        throw new RpcException('out of stock');
      case 'object':
        throw new RpcException({ code: 17, why: 'out of stock' });
      case 'http':
        throw new ForbiddenException();
      case 'rejection':
        throw new RejectMessageError('secret');
      case 'stream':
        return throwError(() => new RpcException('out of stock'));
      default:
        return concat(
          of(1, 2),
          throwError(() => new RpcException('then nothing')),
        );
    }
  }
}

function all(values: Observable<unknown>): Promise<unknown[]> {
  return lastValueFrom(values.pipe(toArray()));
}

describe('A request through the transport', () => {
  let made: TestApp<unknown>;
  const send = (pattern: unknown, data: unknown) => made.client.send<unknown>(pattern, data);

  it('is answered by a value, a promise, an Observable or a generator', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    expect(await all(send('sum', [1, 2, 3]))).toEqual([6]);
    expect(await all(send({ cmd: 'async-sum' }, [1, 2, 3]))).toEqual([6]);
    expect(await all(send('stream-sum', [1, 2, 3]))).toEqual([6]);
    expect(await all(send('each', [1, 2, 3]))).toEqual([1, 2, 3]);
    expect(await all(send('slowly', {}))).toEqual([0, 1, 2]);
    expect(await all(send('generate', [1, 2, 3]))).toEqual([2, 4, 6]);
    expect(await all(send('generate-at-once', [1, 2, 3]))).toEqual([2, 4, 6]);
  });

  it('ends the generator that answers it when its handler has no more time', async () => {
    const ended = deferred();
    @Controller()
    class Endless {
      @MessagePattern('endless', { handlerTimeoutMs: 500, retry: { maxAttempts: 1 } })
      async *count() {
        try {
          for (let i = 0; ; i++) yield await new Promise((resolve) => setImmediate(resolve, i));
        } finally {
          ended.resolve();
        }
      }
    }
    made = await startHybrid({ controllers: [Endless] });
    expect(await firstValueFrom(send('endless', {}))).toBe(0);
    await ended.promise;
  });

  it('is answered by nothing when there is nothing', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    expect(await all(send('empty', {}))).toEqual([]);
    expect(await all(send('void', {}))).toEqual([]);
    expect(await all(send('each', []))).toEqual([]);
  });

  it('is answered by values that look like nothing, as they are', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    for (const value of [0, '', false, []]) expect(await all(send('echo', value))).toEqual([value]);
    expect(await all(send('each', [null, 0, '', false]))).toEqual([null, 0, '', false]);
  });

  it('is answered by bytes', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    const bytes = Buffer.from([0, 255, 254, 128]);
    expect(await firstValueFrom(send('echo', bytes))).toEqual(bytes);
  });

  it('is answered for each of many at once', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    const sums = Array.from({ length: 100 }, (_, i) => firstValueFrom(send('sum', [i, i])));
    expect(await Promise.all(sums)).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
  });

  it.each<[string, unknown]>([
    ['error', INTERNAL],
    ['text', { status: 'error', message: 'out of stock' }],
    ['object', { code: 17, why: 'out of stock' }],
    ['http', INTERNAL],
    ['rejection', INTERNAL],
    ['stream', { status: 'error', message: 'out of stock' }],
  ])('has errors in the form of Nest: %s', async (kind, payload) => {
    made = await startHybrid({ controllers: [Handlers] });
    await expect(firstValueFrom(send('throw', kind))).rejects.toEqual(payload);
  });

  it('has the refusals of guards and pipes in the form of Nest', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    await expect(firstValueFrom(send('guarded', {}))).rejects.toEqual({
      status: 'error',
      message: 'Forbidden resource',
    });
    await expect(firstValueFrom(send('int', 'x'))).rejects.toEqual(INTERNAL);
  });

  it('has the values that came before an error', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    const values: unknown[] = [];
    const error = await new Promise((resolve) => {
      send('throw', 'late').subscribe({ next: (value) => values.push(value), error: resolve });
    });
    expect(values).toEqual([1, 2]);
    expect(error).toEqual({ status: 'error', message: 'then nothing' });
  });

  it('is never tried again', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    const acked = made.events.next('acked');
    await firstValueFrom(send('throw', 'error')).catch(() => {});
    expect((await acked).attempt).toBe(1);
  });

  it('is answered at once when its body does not match the schema of the handler, and is settled', async () => {
    const schema: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          typeof value === 'number' ? { value } : { issues: [{ message: 'must be a number' }] },
      },
    };
    const handled: unknown[] = [];

    @Controller()
    class Checked {
      @MessagePattern(defineTopic('square', { schema }))
      square(@Payload() number: number) {
        handled.push(number);
        return number * number;
      }
      @Subscribe(defineTopic('half', { schema }), { reply: true })
      half(number: number) {
        handled.push(number);
        return number / 2;
      }
    }
    const app = (made = await startHybrid({ controllers: [Checked] }));
    // Another program, without the schema.
    const other = await start({ rivulet: { stores: app.stores.sibling() } });
    const dead: string[] = [];
    app.events.on('dead-lettered', ({ reason }) => dead.push(reason));
    for (const topic of ['square', 'half']) {
      const acked = app.events.next('acked');
      await expect(firstValueFrom(other.client.send(topic, 'four'))).rejects.toEqual({
        status: 'error',
        message: `The body does not match the schema of topic "${topic}": must be a number`,
      });
      expect(await acked).toMatchObject({ topic, attempt: 1 });
    }
    expect(await firstValueFrom(other.client.send('square', 4))).toBe(16);
    expect({ handled, dead }).toEqual({ handled: [4], dead: [] });
  });

  it('that fails has one line in the log, and none of Nest', async () => {
    const lines: string[] = [];
    const note = (line: unknown): void => void lines.push(String(line).split('\n')[0]!);
    const logger = { error: note, warn: note, log() {}, debug() {} };
    made = await startHybrid({ controllers: [Handlers], rivulet: { logger } });
    Logger.overrideLogger(logger);
    for (const kind of ['error', 'text'])
      await expect(firstValueFrom(send('throw', kind))).rejects.toBeDefined();
    Logger.overrideLogger(false);
    expect(lines).toEqual([
      expect.stringMatching(/^A request to topic "throw" \(message .*\) failed: Error: secret$/),
      expect.stringMatching(/^A request to topic "throw" .* failed: Error: out of stock$/),
    ]);
  });

  it('fails at once when nobody could ever answer', async () => {
    made = await startHybrid({ controllers: [Handlers] });
    await expect(firstValueFrom(send('nobody', {}))).rejects.toBe(
      'There is no matching message handler defined in the remote service.',
    );
  });

  it('is answered by the handler of an event pattern when there is no other', async () => {
    @Controller()
    class Events {
      @EventPattern<string>('orders')
      on(@Payload() data: string) {
        return `${data} handled`;
      }
    }
    made = await startHybrid({ controllers: [Events] });
    expect(await firstValueFrom(send('orders', 'x'))).toBe('x handled');
  });

  it('goes to the handler of requests, and events to that of events, of one pattern', async () => {
    const events: unknown[] = [];

    @Controller()
    class Both {
      @MessagePattern('orders')
      request() {
        return 'answer';
      }
      @EventPattern<string>('orders')
      event(@Payload() data: string) {
        events.push(data);
      }
    }
    const app = (made = await startHybrid({ controllers: [Both] }));
    const requestAcked = app.events.next('acked');
    expect(await firstValueFrom(send('orders', 'request'))).toBe('answer');
    await requestAcked;
    const acked = app.events.next('acked');
    app.client.emit('orders', 'event');
    await acked;
    expect(events).toEqual(['event']);
  });

  it('and its answer go between the client and @Subscribe, and the producer and @MessagePattern', async () => {
    @Controller()
    class Mixed extends Handlers {
      @Subscribe('double', { reply: true })
      double(numbers: number[]) {
        return from(numbers).pipe(map((number) => number * 2));
      }
      @Subscribe('refuse', { reply: true })
      refuse() {
        throw new BadRequestException('no such item');
      }
    }
    const app = (made = await startHybrid({ controllers: [Mixed] }));
    expect(await all(send('double', [1, 2]))).toEqual([2, 4]);
    await expect(firstValueFrom(send('refuse', {}))).rejects.toEqual({
      status: 'error',
      message: 'no such item',
    });
    expect(await app.producer.request('sum', [1, 2])).toBe(3);
  });

  it('is answered as without a filter where the filter fails itself', async () => {
    @Controller()
    @UseFilters(ForHttp)
    class Shop {
      @MessagePattern('buy')
      @Subscribe('buy-subscription', { reply: true })
      buy() {
        throw new RpcException('out of stock');
      }
    }
    made = await startHybrid({ controllers: [Shop] });
    for (const topic of ['buy', 'buy-subscription'])
      await expect(firstValueFrom(send(topic, {}))).rejects.toEqual({
        status: 'error',
        message: 'out of stock',
      });
  });

  it.each([undefined, null])(
    'that fails with an HTTP error of response %p is answered',
    async (response) => {
      const asked: number[] = [];
      @Controller()
      class Upstream {
        @Subscribe('find', { reply: true })
        find(status: number) {
          asked.push(status);
          throw new HttpException(response as never, status);
        }
      }
      const { producer } = await start({ controllers: [Upstream] });
      for (const status of [404, 422])
        await expect(producer.request('find', status)).rejects.toMatchObject({
          payload: { status: 'error', message: 'Http Exception' },
        });
      expect(asked).toEqual([404, 422]);
    },
  );

  it('to @Subscribe that is refused as ValidationPipe does is answered, and logged, with everything that is wrong', async () => {
    @Controller()
    class Strict {
      @Subscribe('buy', { reply: true })
      buy() {
        throw new BadRequestException(['id: missing', 'x: wrong']); // as ValidationPipe does
      }
    }
    const warned: string[] = [];
    const logger = { ...silentLogger, warn: (line: string) => void warned.push(line) };
    const { producer } = await start({ controllers: [Strict], rivulet: { logger } });
    await expect(producer.request('buy', {})).rejects.toMatchObject({
      payload: { status: 'error', message: 'id: missing; x: wrong' },
    });
    expect(warned).toEqual([
      expect.stringMatching(/ failed: BadRequestException: id: missing; x: wrong$/),
    ]);
  });
});
