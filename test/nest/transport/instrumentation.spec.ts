import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import {
  Ctx,
  EventPattern,
  MessagePattern,
  type PacketMetadata,
  type ReadPacket,
} from '@nestjs/microservices';
import { Rivulet, RivuletContext, RivuletServer, Subscribe } from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';
import { deferred, stateOf } from '../helpers/deferred.js';
import { closeApps, compile, inMemory, start, startHybrid } from '../helpers/open-app.js';

afterEach(closeApps);

@Controller()
class Handlers {
  readonly metadata: unknown[] = [];

  @EventPattern<string>('orders', { retry: { maxAttempts: 1 } })
  onOrder(@Ctx() ctx: RivuletContext) {
    this.metadata.push(ctx.getMetadata(), ctx.properties);
    if (ctx.key === 'fails') throw new Error('failed');
  }

  @MessagePattern('sum')
  sum(@Ctx() ctx: RivuletContext) {
    this.metadata.push(ctx.getMetadata());
    if (ctx.key === 'fails') throw new Error('failed');
    return 1;
  }

  @Subscribe('returns')
  onReturn(@Ctx() ctx: RivuletContext) {
    this.metadata.push(ctx.getMetadata());
  }
}

type StartHook = Parameters<RivuletServer['setOnProcessingStartHook']>[0];

describe('Processing hooks', () => {
  it.each<[string, StartHook]>([
    ['returns what done returns', (_id, _context, done) => done()],
    ['does not wait for done', (_id, _context, done) => void done()],
    ['calls done later', (_id, _context, done) => void setTimeout(() => void done(), 5)],
  ])('run once each around an event and a request, when the start hook %s', async (_what, hook) => {
    const steps: unknown[] = [];
    const { client, events } = await startHybrid({ controllers: [Handlers] }, (app) => {
      const server = app.get(RivuletServer);
      server.setOnProcessingStartHook((id, context, done) => {
        steps.push(`start ${String(id)}`, context instanceof RivuletContext);
        hook(id, context, done);
      });
      server.setOnProcessingEndHook((_id, context) => {
        steps.push(`end ${(context as RivuletContext).topic}`);
      });
    });
    const once = (topic: string) => ['start Symbol(nestjs-rivulet)', true, `end ${topic}`];

    const acked = events.next('acked');
    client.emit('orders', {});
    await acked;
    expect(steps.splice(0)).toEqual(once('orders'));
    const answered = events.next('acked');
    await firstValueFrom(client.send('sum', {}));
    await answered;
    expect(steps.splice(0)).toEqual(once('sum'));
  });

  it('may be an end hook alone, which runs once', async () => {
    const ends: string[] = [];
    const { client, events } = await startHybrid({ controllers: [Handlers] }, (app) =>
      app.get(RivuletServer).setOnProcessingEndHook((_id, context) => {
        ends.push((context as RivuletContext).topic);
      }),
    );
    const acked = events.next('acked');
    client.emit('orders', {});
    await acked;
    expect(ends).toEqual(['orders']);
  });

  it('run once each when the handler fails, and an end hook that throws changes nothing', async () => {
    const steps: string[] = [];
    const { producer, events, client } = await startHybrid({ controllers: [Handlers] }, (app) => {
      const server = app.get(RivuletServer);
      server.setOnProcessingStartHook((_id, _context, done) => {
        steps.push('start');
        void done();
      });
      server.setOnProcessingEndHook(() => {
        steps.push('end');
        throw new Error('the hook itself');
      });
    });
    const dead = events.next('dead-lettered');
    await producer.send('orders', {}, { key: 'fails' });
    expect((await dead).reason).toContain('Error: failed');
    expect(steps.splice(0)).toEqual(['start', 'end']);
    const answered = events.next('acked');
    await firstValueFrom(client.send('sum', {}));
    await answered;
    expect(steps).toEqual(['start', 'end']);
  });

  it('do not let a message be settled while its handler runs', async () => {
    const running = deferred();

    @Controller()
    class Slow {
      @EventPattern<string>('orders')
      on() {
        return running.promise;
      }
    }
    const { producer, events } = await startHybrid({ controllers: [Slow] }, (app) =>
      app.get(RivuletServer).setOnProcessingStartHook((_id, _context, done) => void done()),
    );
    const acked = events.next('acked');
    const delivered = events.next('delivered');
    await producer.send('orders', 1);
    await delivered;
    expect(await stateOf(acked)).toBe('pending');
    running.resolve();
    await acked;
  });
});

describe('Metadata of a packet', () => {
  const attach = (packet: ReadPacket): void => {
    packet.metadata = { trace: String(packet.pattern) };
  };

  it('travels with events and requests of the client', async () => {
    const { client, events, app } = await startHybrid({ controllers: [Handlers] });
    client.setOnDispatchHook(attach);
    const acked = events.next('acked');
    client.emit('orders', {});
    await acked;
    await firstValueFrom(client.send('sum', {}));
    expect(app.get(Handlers).metadata).toEqual([{ trace: 'orders' }, {}, { trace: 'sum' }]);
  });

  it('travels with everything the producer sends', async () => {
    const { producer, app, events } = await startHybrid({ controllers: [Handlers] });
    const seen: unknown[] = [];
    producer.setOnDispatchHook((packet) => {
      seen.push(packet.data);
      attach(packet as { pattern: unknown; data: unknown; metadata?: PacketMetadata });
    });
    for (const send of [
      () => producer.send('returns', 'sent'),
      () => producer.sendBatch('returns', [{ body: 'in a batch' }]),
      () => Promise.resolve(producer.oneway('returns', 'one way')),
    ]) {
      const acked = events.next('acked');
      await send();
      await acked;
    }
    await producer.request('sum', 'asked');
    expect(seen).toEqual(['sent', 'in a batch', 'one way', 'asked']);
    const returns = { trace: 'returns' };
    expect(app.get(Handlers).metadata).toEqual([returns, returns, returns, { trace: 'sum' }]);
  });

  it('is nothing a sender can set by hand', async () => {
    const { producer } = await start({});
    await expect(producer.send('orders', {}, { properties: { $metadata: '{}' } })).rejects.toThrow(
      'property "$metadata" is reserved',
    );
  });
});

describe('A server', () => {
  it('tells its status, also to those who ask later', async () => {
    const { app } = await compile({});
    const server = app.get(RivuletServer);
    const states: string[] = [];
    server.status.subscribe((state) => states.push(state));
    await app.init();
    const late: string[] = [];
    server.status.subscribe((state) => late.push(state));
    expect(late).toEqual(['connected']);
    const { stores } = app.get(Rivulet) as unknown as {
      stores: { goDown(): void; comeUp(): void };
    };
    stores.goDown();
    stores.comeUp();
    await app.close();
    expect(states).toEqual(['connected', 'disconnected', 'connected', 'disconnected']);
  });

  it('tells events to whoever asked before it listened', async () => {
    const seen: string[] = [];
    const { producer, events } = await startHybrid({ controllers: [Handlers] }, (app) => {
      app.get(RivuletServer).on('delivered', ({ topic }) => seen.push(topic));
    });
    const acked = events.next('acked');
    await producer.send('orders', 1);
    await acked;
    expect(seen).toEqual(['orders']);
  });

  it('shows what is below once it listens', async () => {
    const server = new RivuletServer(inMemory());
    expect(() => server.unwrap()).toThrow('Not initialized. Please call the "listen"');
    await new Promise((resolve) => server.listen(resolve));
    expect(server.unwrap()).toBeInstanceOf(Rivulet);
    await server.close();
  });
});
