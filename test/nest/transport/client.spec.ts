import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import {
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  MqttRecordBuilder,
  NatsRecordBuilder,
  Payload,
  RmqRecordBuilder,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  defineTopic,
  RivuletClient,
  type RivuletContext,
  RivuletRecord,
  RivuletRecordBuilder,
  type Rivulet,
  type SendResult,
} from 'nestjs-rivulet';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { deferred } from '../helpers/deferred.js';
import { closeApps, inMemory, memoryStores, startHybrid } from '../helpers/open-app.js';

afterEach(closeApps);

function clientOn(stores = memoryStores(), options: object = {}) {
  const lines: string[] = [];
  const note = (line: string) => lines.push(line);
  const logger = { error: note, warn() {}, log() {}, debug() {} };
  const client = new RivuletClient(inMemory({ stores, logger, ...options }));
  return { client, stores, lines };
}

describe('emit', () => {
  it('resolves with the publisher confirm, also for whoever listens late', async () => {
    const { client } = clientOn();
    const emitted = client.emit<SendResult>('orders', { id: 1 });
    expect(await firstValueFrom(emitted)).toMatchObject({ topic: 'orders', state: 'stored' });
    expect(await lastValueFrom(emitted)).toMatchObject({ topic: 'orders' });
    await client.close();
  });

  it.each([
    ['RmqRecord', new RmqRecordBuilder({ id: 1 }).setOptions({ priority: 3 }).build()],
    ['NatsRecord', new NatsRecordBuilder({ id: 1 }).build()],
    ['MqttRecord', new MqttRecordBuilder({ id: 1 }).build()],
  ])('refuses the %s of another transport, as send does', async (name, record) => {
    const { client } = clientOn();
    await client.connect();
    const refused = `Send: the body is a record of another transport (${name}), whose handlers would get its data and options as the body; make it with RivuletRecordBuilder, or send the data alone`;
    await expect(lastValueFrom(client.emit('orders', record))).rejects.toThrow(refused);
    await expect(lastValueFrom(client.send('orders', record))).rejects.toThrow(refused);
    await client.close();
  });

  it('of a request is nothing when nobody waits for it any more before its topic is known to be answered', async () => {
    const { client, stores } = clientOn();
    await client.connect();
    const known = deferred();
    stores.topics.groups = async () => {
      await known.promise;
      return [{ group: 'g' }] as never;
    };
    const { requester } = client.unwrap<Rivulet>();
    const asked: unknown[] = [];
    const open = requester.open.bind(requester);
    requester.open = (...request) => {
      asked.push(request[1]);
      return open(...request);
    };
    client.send('sum', 'unheard').subscribe().unsubscribe();
    const heard = client.send('sum', 'heard').subscribe({ error: () => undefined });
    known.resolve();
    await nextTurn();
    expect(asked).toEqual(['heard']);
    heard.unsubscribe();
    await client.close();
  });

  it('sends without anybody listening, once', async () => {
    const { client, stores } = clientOn();
    const published = new Promise((resolve) => client.on('published', resolve));
    const emitted = client.emit('orders', { id: 1 });
    await published;
    await firstValueFrom(emitted);
    await firstValueFrom(emitted);
    const range = await Promise.all(
      [0, 1, 2, 3].map((queue) =>
        stores.log.range({ topic: 'orders', queue, from: '-', to: '+', count: 9 }),
      ),
    );
    expect(range.flat()).toHaveLength(1);
    await client.close();
  });

  it('fails when the message is not stored', async () => {
    const { client, stores, lines } = clientOn(memoryStores(), { connectTimeoutMs: 20 });
    stores.goDown();
    await expect(firstValueFrom(client.emit('orders', 1))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    // Time for a complaint that nobody listened.
    await nextTurn();
    await nextTurn();
    expect(lines).toEqual([]);
    stores.comeUp();
    await expect(firstValueFrom(client.emit('orders', 1))).resolves.toBeDefined();
    await client.close();
  });

  it('logs a failure that nobody listens to, once', async () => {
    const { client, lines } = clientOn();
    client.emit('orders', () => 'no JSON');
    await firstValueFrom(client.emit('orders', 1));
    await nextTurn();
    expect(lines).toEqual([
      expect.stringMatching(
        /^An event of pattern "orders" was not stored, and nobody listened: CodecError/,
      ),
    ]);
    await client.close();
  });

  it('refuses nothing as data, and patterns that are none', async () => {
    const { client, lines } = clientOn();
    await expect(firstValueFrom(client.emit('orders', null))).rejects.toThrow(
      'invalid data or message pattern',
    );
    await expect(firstValueFrom(client.emit('orders', undefined))).rejects.toThrow(
      'invalid data or message pattern',
    );
    await expect(firstValueFrom(client.emit(/orders/, 1))).rejects.toThrow('is a RegExp');
    await expect(firstValueFrom(client.send(/orders/, 1))).rejects.toThrow('is a RegExp');
    await client.close();
    expect(lines).toEqual([]);
  });
});

describe('A client', () => {
  it('connects with its first message, once for many, and again after a failure', async () => {
    const stores = memoryStores();
    let opened = 0;
    const open = stores.open.bind(stores);
    stores.open = (timeoutMs) => {
      opened += 1;
      return open(timeoutMs);
    };
    const { client } = clientOn(stores, { connectTimeoutMs: 20 });
    expect(opened).toBe(0);
    stores.goDown();
    await Promise.allSettled([client.connect(), client.connect()]);
    expect(opened).toBe(1);
    stores.comeUp();
    const states: string[] = [];
    client.status.subscribe((state) => states.push(state));
    await Promise.all([1, 2, 3].map((id) => firstValueFrom(client.emit('orders', id))));
    expect(opened).toBe(2);
    expect(states).toEqual(['connected']);
    await client.close();
    await client.close();
  });

  it('is made and closed by ClientsModule', async () => {
    const stores = memoryStores();
    const module = await Test.createTestingModule({
      imports: [
        ClientsModule.register([
          { name: 'ORDERS', customClass: RivuletClient, options: inMemory({ stores }) },
        ]),
      ],
    }).compile();
    const client = module.get<RivuletClient>('ORDERS');
    await firstValueFrom(client.emit('orders', 1));
    await module.close();
    expect(stores.availability.ready).toBe(false);
  });

  it('of a module is closed by the module only', async () => {
    const { client, producer } = await startHybrid({});
    await client.close();
    await expect(producer.send('orders', 1)).resolves.toBeDefined();
    await expect(firstValueFrom(client.emit('orders', 1))).resolves.toBeDefined();
  });

  it('may have its own way with errors and answers', async () => {
    @Injectable()
    class Custom extends RivuletClient {
      protected override serializeError(error: unknown) {
        return new Error(`custom: ${JSON.stringify(error)}`);
      }
      protected override serializeResponse(response: unknown) {
        return { custom: response };
      }
    }
    @Controller()
    class Handlers {
      @MessagePattern('sum')
      sum(@Payload() fails: boolean) {
        if (fails) throw new Error('secret');
        return 1;
      }
    }
    const { stores } = await startHybrid({ controllers: [Handlers] });
    const client = new Custom(inMemory({ stores: stores.sibling() }));
    expect(await firstValueFrom(client.send('sum', false))).toEqual({ custom: 1 });
    await expect(firstValueFrom(client.send('sum', true))).rejects.toThrow(
      'custom: {"status":"error","message":"Internal server error"}',
    );
    await client.close();
  });

  it('takes a topic definition for a pattern, and checks its schema', async () => {
    const { client } = clientOn();
    const orders = defineTopic<{ id: number }>('orders', {
      queues: 2,
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) =>
            typeof value === 'object'
              ? { value: value as { id: number } }
              : { issues: [{ message: 'no object' }] },
        },
      },
    });
    await expect(firstValueFrom(client.emit(orders, { id: 1 }))).resolves.toMatchObject({
      topic: 'orders',
    });
    await expect(firstValueFrom(client.emit(orders, 'x'))).rejects.toMatchObject({
      code: 'SCHEMA',
    });
    await client.close();
  });
});

describe('A record', () => {
  it('carries the options of send', async () => {
    const seen: unknown[] = [];

    @Controller()
    class Handlers {
      @EventPattern<string>('orders')
      on(@Payload() body: unknown, @Ctx() ctx: RivuletContext) {
        const { key, tag, messageGroup, properties } = ctx;
        seen.push(body, { key, tag, messageGroup, properties });
      }
    }
    const { client, events } = await startHybrid({ controllers: [Handlers] });
    const acked = events.next('acked');
    const record = new RivuletRecordBuilder({ id: 1 })
      .setKey('k')
      .setTag('t')
      .setMessageGroup('g')
      .setProperty('amount', 12)
      .setProperty('vip', true)
      .build();
    client.emit('orders', record);
    await acked;
    const properties = { amount: 12, vip: true };
    expect(seen).toEqual([{ id: 1 }, { key: 'k', tag: 't', messageGroup: 'g', properties }]);

    const delayed = new RivuletRecordBuilder().setData(2).setDelayMs(60_000).build();
    expect(await firstValueFrom(client.emit('orders', delayed))).toMatchObject({
      state: 'scheduled',
    });
  });

  it('fails a request when as many are open as may', async () => {
    const { client, stores } = clientOn(memoryStores(), { requests: { maxOpen: 1 } });
    await stores.topics.declare('slow');
    const join = { mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
    await stores.topics.joinGroup('slow', { group: 'g', ...join });
    await client.connect();
    const first = client.send('slow', 1).subscribe();
    const code = 'LIMIT_REACHED';
    await expect(firstValueFrom(client.send('slow', 2))).rejects.toMatchObject({ code });
    first.unsubscribe();
    await client.close();
  });

  it('sets the time a request waits', async () => {
    @Controller()
    class Silent {
      @MessagePattern('silent')
      on() {
        return new Promise(() => {});
      }
    }
    const { client } = await startHybrid({ controllers: [Silent], rivulet: { drainMs: 10 } });
    const record = new RivuletRecordBuilder({}).setOptions({ timeoutMs: 20 }).build();
    await expect(firstValueFrom(client.send('silent', record))).rejects.toThrow('within 20 ms');
  });

  it('does not change, and takes no reserved property', () => {
    const builder = new RivuletRecordBuilder('first').setProperty('a', 1);
    const record = builder.build();
    builder.setData('second').setProperty('a', 2);
    expect(record).toEqual(new RivuletRecord('first', { properties: { a: 1 } }));
    expect(Object.isFrozen(record) && Object.isFrozen(record.options)).toBe(true);
    expect(() => builder.setProperty('$metadata', 'x').build()).toThrow('reserved');
  });
});
