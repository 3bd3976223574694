import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CanActivate, Controller, Injectable, UseGuards } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { trace } from '@opentelemetry/api';
import { InvalidOptionsError, MessageProducer, Subscribe } from 'nestjs-rivulet';
import { openTelemetry } from 'nestjs-rivulet/opentelemetry';
import { firstValueFrom } from 'rxjs';
import { Sdk } from '../unit/opentelemetry/sdk.js';
import { closeApps, compile, inMemory, startHybrid } from './helpers/open-app.js';

const inGuard: unknown[] = [];

@Injectable()
class Watchman implements CanActivate {
  canActivate(): boolean {
    inGuard.push(trace.getActiveSpan()?.spanContext().spanId);
    return true;
  }
}

describe('telemetry in a Nest application', () => {
  let sdk: Sdk;
  beforeEach(() => {
    inGuard.length = 0;
    sdk = new Sdk();
  });
  afterEach(async () => {
    await closeApps();
    await sdk.close();
  });
  const traced = () => {
    const { tracerProvider, meterProvider } = sdk;
    return inMemory({ telemetry: openTelemetry({ tracerProvider, meterProvider }) });
  };

  it('has its span before guards run, for @Subscribe, @EventPattern and @MessagePattern', async () => {
    @Controller()
    @UseGuards(Watchman)
    class Pricing {
      constructor(private readonly producer: MessageProducer) {}

      @MessagePattern({ cmd: 'price' })
      price(_query: unknown): number {
        return 3;
      }

      @EventPattern('orders', { group: 'mail' })
      async mail(_order: unknown): Promise<void> {
        await this.producer.send('mails', {});
      }

      @Subscribe('mails', { group: 'post' })
      post(): void {}
    }
    const { client, events } = await startHybrid({ controllers: [Pricing], rivulet: traced() });
    const posted = events.next('acked', ({ group }) => group === 'post');
    expect(await firstValueFrom(client.send<number>({ cmd: 'price' }, {}))).toBe(3);
    await firstValueFrom(client.emit('orders', { id: 1 }));
    await posted;

    const spanIds = (name: RegExp) => sdk.spansLike(name).map((span) => span.spanContext().spanId);
    expect(inGuard.toSorted()).toEqual(spanIds(/^process/).toSorted());
    expect(inGuard).toHaveLength(3);
    const [emitted] = sdk.spans('send orders');
    const [posting] = sdk.spans('process mails');
    expect(posting!.spanContext().traceId).toBe(emitted!.spanContext().traceId);
    // By what the handler declared, not by the name that the topic of a pattern has.
    expect(await sdk.measured('messaging.process.duration')).toMatchObject({
      '{"cmd":"price"} test': 1,
      'orders mail': 1,
      'mails post': 1,
    });
  });

  it('is refused when it is none', async () => {
    const rivulet = inMemory({ telemetry: {} as never });
    await expect(compile({ rivulet })).rejects.toThrow(InvalidOptionsError);
    await expect(compile({ rivulet })).rejects.toThrow(/telemetry must be what openTelemetry\(\)/);
  });
});
