import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Module } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  type BatchContext,
  defineTopic,
  Events,
  RejectMessageError,
  type RivuletContext,
  RetryLaterError,
  type StandardSchema,
  Subscribe,
  SubscribeBatch,
} from 'nestjs-rivulet';
import { AT_ONCE, closeApps, type ModuleOptions, start, type TestApp } from './helpers/open-app.js';

afterEach(closeApps);

type Provider = new () => object;

/** Starts with these providers, sends, and waits until `times` deliveries were acked. */
async function acked(providers: Provider[], bodies: unknown[], times = bodies.length) {
  const made = await start({ providers });
  await sendAndWait(made, bodies, times);
  return made;
}

async function sendAndWait({ producer, events }: TestApp, bodies: unknown[], times: number) {
  const done = settled(events, 'acked', times);
  for (const body of bodies) await producer.send('orders', body);
  await done;
}

function settled(events: Events, name: 'acked' | 'dead-lettered', times: number): Promise<void> {
  return new Promise((resolve) => {
    events.on(name, () => {
      if (--times === 0) resolve();
    });
  });
}

describe('@Subscribe', () => {
  it('hands the body and the context to a method of a provider', async () => {
    const seen: unknown[] = [];

    @Injectable()
    class Billing {
      @Subscribe('orders', { group: 'billing' })
      charge(@Payload() order: { id: number }, @Ctx() ctx: RivuletContext) {
        const { topic, group, attempt, key, tag, messageGroup, properties, traceparent } = ctx;
        seen.push(order, topic, group, attempt, key, tag, messageGroup, properties, traceparent);
        seen.push(ctx.messageId, ctx.offset, ctx.bornAt <= Date.now(), ctx.signal.aborted);
        seen.push(ctx.getPattern(), ctx.getMetadata(), ctx.getArgs()[0].body, ctx.queue);
      }
    }

    const { producer, events } = await start({ providers: [Billing] });
    const done = events.next('acked');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { messageId, offset, queue } = await producer.send(
      'orders',
      { id: 1 },
      { key: 'k', tag: 't', messageGroup: 'g', properties: { amount: 12 }, traceparent },
    );
    await done;
    expect(seen).toEqual([
      ...[{ id: 1 }, 'orders', 'billing', 1, 'k', 't', 'g', { amount: 12 }, traceparent],
      ...[messageId, offset, true, false, 'orders', undefined, { id: 1 }, queue],
    ]);
  });

  it('hands the body to a method without parameter decorators', async () => {
    const seen: unknown[][] = [];

    @Injectable()
    class Billing {
      @Subscribe('orders')
      charge(...args: [unknown, ...unknown[]]) {
        seen.push(args);
      }
    }
    await acked([Billing], ['a']);
    expect(seen).toEqual([['a']]);
  });

  it('runs a method to its end that is a generator, for requests or not', async () => {
    const steps: unknown[] = [];

    @Injectable()
    class Generating {
      @Subscribe('orders', { group: 'plain' })
      async *plain(@Payload() body: string) {
        yield await Promise.resolve(1);
        steps.push(`plain ${body}`);
      }
      @Subscribe('orders', { group: 'replying', reply: true })
      async *replying(@Payload() body: string) {
        yield await Promise.resolve(1);
        steps.push(`replying ${body}`);
      }
      @Subscribe('orders', { group: 'at-once' })
      *atOnce(@Payload() body: string) {
        yield 1;
        steps.push(`at once ${body}`);
      }
      @SubscribeBatch('orders', { group: 'batch', batch: { size: 1 } })
      async *batch(@Payload() bodies: string[]) {
        yield await Promise.resolve(1);
        steps.push(`batch ${String(bodies)}`);
      }
    }
    await acked([Generating], ['a'], 4);
    expect(steps.sort()).toEqual(['at once a', 'batch a', 'plain a', 'replying a']);
  });

  it('works on controllers, on what factories made and on values', async () => {
    const seen: string[] = [];

    @Controller()
    class OnController {
      @Subscribe('orders', { group: 'controller' })
      on() {
        seen.push(this.constructor.name);
      }
    }
    class Made {
      @Subscribe('orders', { group: 'factory' })
      on() {
        seen.push(this.constructor.name);
      }
    }
    class Value {
      @Subscribe('orders', { group: 'value' })
      on() {
        seen.push(this.constructor.name);
      }
    }
    const made = await start({
      controllers: [OnController],
      providers: [
        { provide: 'ALIAS', useExisting: 'VALUE' },
        { provide: 'MADE', useFactory: () => new Made() },
        { provide: 'VALUE', useValue: new Value() },
      ],
    });
    await sendAndWait(made, ['x'], 3);
    expect(seen.sort()).toEqual(['Made', 'OnController', 'Value']);
  });

  it('subscribes a class once, however many modules provide it', async () => {
    @Injectable()
    class Billing {
      @Subscribe('orders')
      charge() {}
    }
    @Module({ providers: [Billing] })
    class First {}
    @Module({ providers: [Billing] })
    class Second {}
    const { app } = await start({ imports: [First, Second] });
    expect(app).toBeDefined();
  });

  it('may stand several times on one method', async () => {
    const seen: string[] = [];

    @Injectable()
    class Audit {
      @Subscribe('orders', { group: 'first' })
      @Subscribe('orders', { group: 'second' })
      note(@Ctx() ctx: RivuletContext) {
        seen.push(ctx.group);
      }
    }
    await acked([Audit], ['x'], 2);
    expect(seen.sort()).toEqual(['first', 'second']);
  });

  it('touches no getter while it looks for handlers', async () => {
    let touched = 0;

    @Injectable()
    class Lazy {
      get expensive(): never {
        touched += 1;
        throw new Error('not ready');
      }

      @Subscribe('orders')
      on() {}
    }
    await acked([Lazy], ['x']);
    expect(touched).toBe(0);
  });

  it('refuses methods that Nest does not find, named by a symbol', () => {
    expect(() => {
      class Wrong {
        // @ts-expect-error names that Reflect finds only
        @Subscribe('orders')
        [Symbol.iterator]() {}
      }
      return Wrong;
    }).toThrow('@Subscribe of Wrong.Symbol(Symbol.iterator): its method must be named by a text');
  });

  it('refuses static methods', () => {
    expect(() => {
      class Wrong {
        @Subscribe('orders')
        static on() {}
      }
      return Wrong;
    }).toThrow('@Subscribe of Wrong.on: only methods of instances can be handlers');
  });

  it.each<[string, unknown[], string]>([
    [
      'a topic that is undefined',
      [undefined],
      'topic is undefined. If it comes from another module, do the two import each other?',
    ],
    ['no topic', [null], 'topic must be a name or what defineTopic answers, got: null'],
    [
      'something else',
      [{ name: 'orders' }],
      'topic must be a name or what defineTopic answers, got: an object',
    ],
    ['options that are null', ['orders', null], 'options must be an object, got: null'],
    ['a group for options', ['orders', 'billing'], 'options must be an object, got: a text'],
  ])('refuses %s where it stands', (_, given, problem) => {
    for (const decorator of [Subscribe, SubscribeBatch])
      expect(() => {
        class Billing {
          @((decorator as (...all: unknown[]) => MethodDecorator)(...given))
          charge() {}
        }
        return Billing;
      }).toThrow(
        `${decorator === Subscribe ? '@Subscribe' : '@SubscribeBatch'} of Billing.charge: ${problem}`,
      );
  });

  it('refuses what is no method', () => {
    const decorate = Subscribe('orders') as (...all: unknown[]) => void;
    class Billing {}
    expect(() => decorate(Billing.prototype, 'rate', undefined)).toThrow(
      '@Subscribe of Billing.rate: only methods of instances can be handlers',
    );
    expect(() => decorate(Billing)).toThrow('@Subscribe of Billing: only methods');
  });

  it('checks bodies against the schema of the topic', async () => {
    const schema: StandardSchema<{ id: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          typeof (value as { id?: unknown }).id === 'number'
            ? { value: value as { id: number } }
            : { issues: [{ message: 'must be a number', path: ['id'] }] },
      },
    };
    const orders = defineTopic('orders', { schema, queues: 1 });

    @Injectable()
    class Billing {
      @Subscribe(orders)
      charge(_order: { id: number }) {}
    }
    const { producer, events } = await start({ providers: [Billing] });
    const dead = events.next('dead-lettered');
    const acks = events.next('acked');
    await producer.send(orders, { id: 1 });
    await acks;
    await expect(producer.send(orders, { id: 'x' } as never)).rejects.toThrow(
      'id: must be a number',
    );
    // Another program, without the schema.
    const other = await start({ rivulet: { stores: (await sibling(producer)).stores } });
    await other.producer.send('orders', { id: 'x' });
    expect((await dead).reason).toContain('id: must be a number');
  });

  it('compiles with what fits the topic only', () => {
    const orders = defineTopic<{ id: number }>('orders');
    class Handlers {
      @Subscribe(orders)
      body(_order: { id: number }) {}
      @Subscribe(orders)
      nothing() {}
      @Subscribe(orders)
      async more(_order: { id: number }, _ctx: RivuletContext): Promise<void> {}
      @Subscribe(orders)
      contextOnly(@Ctx() _ctx: RivuletContext) {}
      @Subscribe(orders)
      contextFirst(@Ctx() _ctx: RivuletContext, @Payload() _order: { id: number }) {}
      @SubscribeBatch(orders)
      batch(@Ctx() _ctx: BatchContext) {}
      @Subscribe('orders')
      anything(_order: string, _ctx: RivuletContext) {}
      // @ts-expect-error the body is no string
      @Subscribe(orders)
      wrong(_order: string) {}
      // @ts-expect-error it gets many bodies
      @SubscribeBatch(orders)
      single(_order: { id: number }) {}
      // @ts-expect-error no such option
      @Subscribe(orders, { concurency: 1 })
      misspelt() {}
    }
    expect(Handlers).toBeDefined();
  });
});

/** Another client of the same data. */
async function sibling(
  producer: object,
): Promise<{ stores: NonNullable<ModuleOptions['stores']> }> {
  const { rivulet } = producer as unknown as { rivulet: { stores: { sibling(): never } } };
  return { stores: rivulet.stores.sibling() };
}

describe('What a handler does', () => {
  it('decides what becomes of the message: return, throw, reject, retry later', async () => {
    const attempts: Record<string, number> = {};

    @Injectable()
    class Billing {
      @Subscribe('orders', { retry: AT_ONCE })
      charge(@Payload() what: string, @Ctx() ctx: RivuletContext) {
        attempts[what] = ctx.attempt;
        if (what === 'fails') throw new Error('always');
        if (what === 'succeeds later' && ctx.attempt < 3) throw new Error('not yet');
        if (what === 'rejects') throw new RejectMessageError('never');
        if (what === 'waits' && ctx.attempt === 1) throw new RetryLaterError(2);
      }
    }
    const { producer, events } = await start({ providers: [Billing] });
    const reasons: string[] = [];
    events.on('dead-lettered', ({ reason }) => reasons.push(reason));
    const done = [settled(events, 'acked', 3), settled(events, 'dead-lettered', 2)];
    for (const what of ['returns', 'fails', 'succeeds later', 'rejects', 'waits'])
      await producer.send('orders', what);
    await Promise.all(done);
    expect(attempts).toEqual({
      returns: 1,
      fails: 3,
      'succeeds later': 3,
      rejects: 1,
      waits: 2,
    });
    expect(reasons.sort()).toEqual(['failed 3 times; last: Error: always', 'never']);
  });

  it('answers requests when asked to', async () => {
    @Injectable()
    class Prices {
      @Subscribe('price', { reply: true })
      price(item: string) {
        if (item === 'nothing') return;
        if (item === 'unknown') throw new Error('secret');
        return { cents: item.length };
      }
    }
    const { producer } = await start({ providers: [Prices] });
    expect(await producer.request('price', 'tea')).toEqual({ cents: 3 });
    expect(await producer.request('price', 'nothing')).toBeUndefined();
    await expect(producer.request('price', 'unknown')).rejects.toMatchObject({
      code: 'REQUEST_FAILED',
      message: 'Internal server error',
      payload: { status: 'error', message: 'Internal server error' },
    });
  });
});
