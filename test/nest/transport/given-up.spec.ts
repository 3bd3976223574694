import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Subscribe } from 'nestjs-rivulet';
import { firstValueFrom, NEVER } from 'rxjs';
import { sleep, systemClock } from '../../../lib/core/runtime/clock.js';
import { deferred } from '../helpers/deferred.js';
import { closeApps, start, startHybrid } from '../helpers/open-app.js';

afterEach(closeApps);

describe('Giving up on a request', () => {
  const silent = (started = deferred(), ended = deferred()) => {
    @Controller()
    class Silent {
      @MessagePattern('silent')
      @Subscribe('silent-subscription', { reply: true })
      on() {
        started.resolve();
        return NEVER;
      }
      @MessagePattern('late')
      async late() {
        await ended.promise;
        return 'late';
      }
    }
    return { controllers: [Silent], started, ended };
  };

  it('happens after the default time, or its own', async () => {
    const { controllers } = silent();
    const { client, producer } = await startHybrid({
      controllers,
      rivulet: { requestTimeoutMs: 300, drainMs: 50 },
    });
    await expect(firstValueFrom(client.send('silent', {}))).rejects.toMatchObject({
      code: 'REQUEST_TIMEOUT',
      message: expect.stringContaining('within 300 ms'),
    });
    await expect(producer.request('silent', {}, { timeoutMs: 300 })).rejects.toThrow(
      'within 300 ms',
    );
  });

  it.each(['silent', 'silent-subscription'])(
    'happens when the application closes (%s)',
    async (topic) => {
      const { controllers, started } = silent();
      const { app, client } = await startHybrid({ controllers, rivulet: { drainMs: 50 } });
      const answer = firstValueFrom(client.send(topic, {})).catch((error: unknown) => error);
      await started.promise;
      await app.close();
      expect(await answer).toMatchObject({ code: 'CLOSED' });
    },
  );

  it('happens when nobody listens any more, and a late answer is dropped', async () => {
    const { controllers, ended } = silent();
    const { client, events } = await startHybrid({ controllers });
    const seen: unknown[] = [];
    const delivered = events.next('delivered');
    const subscription = client.send('late', {}).subscribe((value) => seen.push(value));
    await delivered;
    subscription.unsubscribe();
    const acked = events.next('acked');
    ended.resolve();
    await acked;
    expect(seen).toEqual([]);
  });

  it('leaves a request that came too late unhandled', async () => {
    let handled = 0;

    @Controller()
    class Late {
      @MessagePattern('sum')
      on() {
        handled += 1;
      }
    }
    const first = await startHybrid({ controllers: [Late] });
    await first.app.close();
    const caller = await start({ rivulet: { stores: first.stores.sibling() } });
    await expect(caller.producer.request('sum', 1, { timeoutMs: 500 })).rejects.toThrow(
      'within 500 ms',
    );
    // Its time to live passes by the store's clock, and begins when it is stored: on a busy machine well after it was asked.
    await sleep(systemClock, 510);
    const second = await startHybrid({
      controllers: [Late],
      rivulet: { stores: first.stores.sibling() },
    });
    expect(await caller.producer.request('sum', 2)).toBeUndefined();
    expect(handled).toBe(1);
    await second.app.close();
  });
});
