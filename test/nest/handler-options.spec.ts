import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  DuplicateSubscriptionError,
  InvalidOptionsError,
  Rivulet,
  selector,
  Subscribe,
  type SubscribeOptions,
  tags,
} from 'nestjs-rivulet';
import { closeApps, type ModuleOptions, start } from './helpers/open-app.js';

afterEach(closeApps);

type Provider = new () => object;

async function startError(providers: Provider[], rivulet: ModuleOptions = {}): Promise<unknown> {
  return start({ providers, rivulet }).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('Options of handlers', () => {
  const handlerWith = (options?: SubscribeOptions): Provider => {
    @Injectable()
    class Billing {
      @Subscribe('orders', options)
      charge() {}
    }
    return Billing;
  };

  it('take the group of the module unless they name one', async () => {
    const { events, producer } = await start({
      providers: [handlerWith()],
      rivulet: { group: 'ours' },
    });
    const done = events.next('acked');
    await producer.send('orders', 1);
    expect((await done).group).toBe('ours');
  });

  it('must have a group from somewhere', async () => {
    expect(await startError([handlerWith()], { group: undefined })).toMatchObject({
      message: expect.stringMatching(/^Billing\.charge: no consumer group; give the handler one/),
    });
  });

  it('are refused when nobody knows them, or they contradict each other', async () => {
    const options = { concurency: 1, ordred: true };
    expect(await startError([handlerWith(options as object)])).toMatchObject({
      problems: [
        'unknown option "concurency", did you mean "concurrency"?',
        'unknown option "ordred", did you mean "ordered"?',
      ],
    });
    expect(await startError([handlerWith({ onExhausted: 'skip' })])).toMatchObject({
      problems: ['onExhausted is for ordered subscriptions; add ordered: true or leave it out'],
    });
  });

  it('choose messages by a filter, and what is none is refused', async () => {
    const handled: string[] = [];

    @Injectable()
    class Billing {
      @Subscribe('orders', { filter: tags('paid') })
      onPaid(@Payload() body: string) {
        handled.push(`paid ${body}`);
      }
      @Subscribe('orders', { group: 'large', filter: selector('cents > 1000') })
      onLarge(@Payload() body: string) {
        handled.push(`large ${body}`);
      }
    }
    const { events, producer } = await start({ providers: [Billing] });
    let ended = 0;
    const all = new Promise<void>((resolve) => {
      const count = () => ++ended === 4 && resolve();
      events.on('acked', count);
      events.on('filtered', count);
    });
    await producer.send('orders', 'tea', { tag: 'paid', properties: { cents: 500 } });
    await producer.send('orders', 'lamp', { tag: 'created', properties: { cents: 5_000 } });
    await all;
    expect(handled.toSorted()).toEqual(['large lamp', 'paid tea']);

    expect(await startError([handlerWith({ filter: 'paid' } as object)])).toMatchObject({
      message: expect.stringMatching(
        /^Billing\.charge: filter must be made by tags\(\), selector\(\) or headers\(\), got: "paid"/,
      ),
    });
  });

  it('are all checked before anything starts', async () => {
    @Injectable()
    class Other {
      @Subscribe('a b')
      on() {}
    }
    const error = await startError([handlerWith({ concurrency: 0 }), Other]);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect((error as InvalidOptionsError).problems).toEqual([
      expect.stringMatching(/^Billing\.charge: concurrency must be/),
      expect.stringMatching(/^Other\.on: topic must be/),
    ]);
  });

  it('come from the module by name, and win there', async () => {
    const { events, producer } = await start({
      providers: [handlerWith({ name: 'billing.charge', group: 'from-code' })],
      rivulet: { handlers: { 'billing.charge': { group: 'from-config' } } },
    });
    const done = events.next('acked');
    await producer.send('orders', 1);
    expect((await done).group).toBe('from-config');
  });

  it('from the module say nothing where they are undefined', async () => {
    const unset = { concurrency: undefined, ordered: undefined } as object;
    const { app } = await start({
      providers: [handlerWith({ group: 'billing', concurrency: 2, ordered: true })],
      rivulet: { handlers: { 'Billing.charge': unset } },
    });
    const [made] = app.get(Rivulet).subscriptions;
    expect(made).toMatchObject({ concurrency: 2, ordered: { by: 'message-group' } });
  });

  it('from the module are refused for a handler that does not exist, or when they are wrong', async () => {
    const handlers = { 'Billing.chrage': {}, 'Billing.charge': { concurency: 1 } };
    expect(await startError([handlerWith()], { handlers } as object)).toMatchObject({
      problems: [
        'handlers: no handler is named "Billing.chrage", did you mean "Billing.charge"?',
        'handlers["Billing.charge"]: unknown option "concurency", did you mean "concurrency"?',
      ],
    });
  });

  it('may not make two handlers compete for one group', async () => {
    @Injectable()
    class Billing {
      @Subscribe('orders', { group: 'billing' })
      onPaid() {}
      @Subscribe('orders', { group: 'billing' })
      onAny() {}
    }
    const error = await startError([Billing]);
    expect(error).toBeInstanceOf(DuplicateSubscriptionError);
    expect((error as Error).message).toContain('Billing.onPaid and Billing.onAny');
  });

  it('are checked, and nothing is consumed, in a process that only produces', async () => {
    let ran = 0;

    @Injectable()
    class Billing {
      @Subscribe('orders')
      charge() {
        ran += 1;
      }
    }
    const producing = await start({ providers: [Billing], rivulet: { consume: false } });
    await producing.producer.send('orders', 1);
    expect(await producing.stores.topics.groups('orders')).toEqual([]);
    expect(ran).toBe(0);
    expect(await startError([handlerWith({ concurrency: 0 })], { consume: false })).toBeDefined();
  });
});
