import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplicationContext, Injectable, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientsModule,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  Events,
  MessageProducer,
  RivuletClient,
  RivuletModule,
  type RivuletModuleOptions,
  RivuletServer,
  Subscribe,
} from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { within } from '../helpers/workload.js';
import { deferred, stateOf } from './helpers/deferred.js';

@Injectable()
class Billing {
  @Subscribe('orders')
  charge() {}
}

@Controller()
class Sums {
  @MessagePattern('sum')
  sum(@Payload() numbers: number[]) {
    return numbers.reduce((a, b) => a + b, 0);
  }
}

describe('An application on a real Redis', () => {
  let redis: TestRedis;
  const open: INestApplicationContext[] = [];

  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((app) => app.close()));
    await redis.stop();
  });

  async function compile(options: RivuletModuleOptions = {}, providers: Type[] = [Billing]) {
    const app = await Test.createTestingModule({
      imports: [
        RivuletModule.forRoot({
          connection: redis.url,
          group: 'test',
          logger: silentLogger,
          ...options,
        }),
      ],
      providers,
    })
      .setLogger(silentLogger)
      .compile();
    open.push(app);
    return { app, events: app.get(Events), producer: app.get(MessageProducer) };
  }

  it('closes quickly, though it waits for messages', async () => {
    // The drain limit would end long after this test.
    const { app, events, producer } = await compile({ drainMs: 600_000 });
    await app.init();
    const acked = events.next('acked');
    await producer.send('orders', 1);
    await acked;
    const closing = within(60_000, 'the end of the application', app.close());
    await expect(closing).resolves.toBeUndefined();
  });

  it('does not start without it, in time and by name', async () => {
    await redis.kill();
    const { app } = await compile({ connectTimeoutMs: 300 });
    const { app: patient } = await compile({ connectTimeoutMs: 120_000 });
    const waiting = patient.init();
    waiting.catch(() => undefined); // told below; not as one that nobody hears when something else fails first
    await expect(app.init()).rejects.toThrow(
      new RegExp(
        `^RivuletModule could not connect: redis://127\\.0\\.0\\.1:${redis.port} was not ready within 300 ms`,
      ),
    );
    expect(await stateOf(waiting)).toBe('pending');
    await redis.restart();
    await waiting;
  });

  it('says nothing of what ends with a start that is refused', async () => {
    @Injectable()
    class Ordered {
      @Subscribe('orders', { ordered: true })
      charge() {}
    }
    const first = await compile();
    await first.app.init();
    const warned: string[] = [];
    const said = (line: string): void => void warned.push(line);
    const logger = { ...silentLogger, warn: said, error: said };
    const refused = await compile({ logger }, [Ordered]);
    await expect(refused.app.init()).rejects.toThrow(/ordered/);
    await refused.app.close();
    // On a busy machine it may have been waited for.
    const isOfServer = (line: string): boolean => /appendonly|^Waiting for/.test(line);
    expect(warned.filter((line) => !isOfServer(line))).toEqual([]);
  });

  it('starts without it in the background, and consumes when it comes up', async () => {
    await redis.kill();
    const { app, events, producer } = await compile({
      connectOnBoot: 'background',
      connectTimeoutMs: 300,
    });
    await app.init();
    const acked = events.next('acked');
    const sent = producer.send('orders', 1);
    await redis.restart();
    await expect(sent).resolves.toMatchObject({ state: 'stored' });
    await acked;
  });

  it('goes on when it comes back', async () => {
    const { app, events, producer } = await compile();
    await app.init();
    for (let round = 0; round < 2; round++) {
      const acked = events.next('acked');
      const { messageId } = await producer.send('orders', round);
      expect((await acked).messageId).toBe(messageId);
      if (round === 0) {
        const lost = events.next('connection', ({ state }) => state === 'lost');
        await redis.kill();
        await lost;
        await redis.restart();
      }
    }
  });

  it.each<[string, NodeJS.Signals]>([
    ['is killed', 'SIGKILL'],
    ['answers nothing any more', 'SIGSTOP'],
  ])('closes within the drain limit when it %s', async (_what, signal) => {
    const started = deferred();

    @Injectable()
    class Stuck {
      @Subscribe('orders')
      async on() {
        started.resolve();
        await new Promise(() => {});
      }
    }
    // Left alone, a silent socket and a send would be given up long after this test.
    const connection = { host: '127.0.0.1', port: redis.port, socketTimeout: 600_000 };
    const patient = { connection, producer: { sendTimeoutMs: 600_000 } };
    const { app, producer } = await compile({ ...patient, drainMs: 500 }, [Stuck]);
    await app.init();
    await producer.send('orders', 1);
    await started.promise;
    await redis.kill(signal);
    const unsure = producer.send('orders', 2).catch(() => 'not stored');
    await within(60_000, 'the end of the application', app.close());
    expect(await unsure).toBe('not stored');
    if (signal === 'SIGSTOP') await redis.kill('SIGCONT');
  });

  it('needs no module: a server and a client of their own', async () => {
    const own = { connection: redis.url, group: 'sums', logger: silentLogger };
    const service = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: class Service {}, controllers: [Sums] },
      { strategy: new RivuletServer(own), logger: false },
    );
    await service.listen();
    const caller = await Test.createTestingModule({
      imports: [
        ClientsModule.register([{ name: 'SUMS', customClass: RivuletClient, options: own }]),
      ],
    }).compile();
    const client = caller.get<RivuletClient>('SUMS');
    expect(await firstValueFrom(client.send('sum', [1, 2, 3]))).toBe(6);
    await Promise.all([service.close(), caller.close()]);
  });
});
