import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, Transport } from '@nestjs/microservices';
import {
  Events,
  getEventsToken,
  getServerToken,
  getTransportId,
  Rivulet,
  RivuletClient,
  RivuletModule,
  RivuletServer,
} from 'nestjs-rivulet';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { closeApps, compile, inMemory } from '../helpers/open-app.js';

afterEach(closeApps);

describe('Servers', () => {
  it('take the patterns that are theirs, and those of any transport', async () => {
    const seen: string[] = [];

    @Controller()
    class Handlers {
      @EventPattern<string>('orders', getTransportId(), { group: 'ours' })
      ours() {
        seen.push('ours');
      }
      @EventPattern<string>('orders', getTransportId('audit'), { group: 'audit' })
      audit() {
        seen.push('audit');
      }
      @EventPattern<string>('orders', Transport.TCP)
      tcp() {
        seen.push('tcp');
      }
      @EventPattern<string>('orders', { group: 'any' })
      any() {
        seen.push('any');
      }
    }
    const { app } = await compile({
      controllers: [Handlers],
      imports: [RivuletModule.forRoot(inMemory({ name: 'audit' }))],
    });
    const hybrid = app.createNestApplication({ logger: silentLogger });
    for (const token of [RivuletServer, getServerToken('audit')])
      hybrid.connectMicroservice({ strategy: hybrid.get(token) });
    await hybrid.startAllMicroservices();
    await hybrid.init();
    const server = hybrid.get(RivuletServer);
    expect([...server.getHandlers().keys()]).toEqual(['orders']);
    expect(server.transportId).toBe(getTransportId());

    const acks = [Events, getEventsToken('audit')].flatMap((token, i) =>
      ['any', i === 0 ? 'ours' : 'audit'].map((name) =>
        hybrid.get<Events>(token).next('acked', ({ group }) => group === name),
      ),
    );
    for (const [i, rivulet] of [Rivulet, 'Rivulet:audit'].entries())
      await hybrid.get<Rivulet>(rivulet).producer.send('orders', i);
    await Promise.all(acks);
    expect(seen.sort()).toEqual(['any', 'any', 'audit', 'ours']);
    await hybrid.close();
  });

  it('name their patterns where they do not know their handlers', async () => {
    const server = new RivuletServer(inMemory());
    const callback = async () => {};
    server.addHandler('sum', callback, false);
    server.addHandler('sum', callback, false);
    const error = await new Promise((resolve) => server.listen(resolve));
    expect((error as Error).message).toContain('@MessagePattern("sum") and @MessagePattern("sum")');
    await server.close();
  });

  it('refuse what are no options', () => {
    for (const Kind of [RivuletServer, RivuletClient])
      expect(() => new Kind(undefined as never)).toThrow(
        `Options of ${Kind.name}: options must be an object, got: undefined`,
      );
  });

  it('refuse options nobody knows', () => {
    // None of those that are refused themselves is proposed.
    expect(() => new RivuletServer({ ...inMemory(), serialiser: {} } as object)).toThrow(
      /^Options of RivuletServer: unknown option "serialiser" \(known: (?!.*serializer)/,
    );
  });

  it('refuse the serializers of Nest, and say what to give instead', () => {
    for (const options of [{ serializer: {} }, { deserializer: {} }])
      for (const made of [RivuletServer, RivuletClient])
        expect(() => new made({ ...inMemory(), ...options } as object)).toThrow(
          /serializer is for the packets of Nest.* Give a "codec" /,
        );
  });
});
