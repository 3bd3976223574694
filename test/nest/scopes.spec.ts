import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  Inject,
  Injectable,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { type ContextId, ContextIdFactory, type HostComponentInfo } from '@nestjs/core';
import {
  CONTEXT,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  type RequestContext,
} from '@nestjs/microservices';
import { RivuletContext, Subscribe } from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';
import { AT_ONCE, closeApps, start, startHybrid, type TestApp } from './helpers/open-app.js';

afterEach(closeApps);

async function acked(
  { producer, events }: Pick<TestApp, 'producer' | 'events'>,
  bodies: unknown[],
) {
  for (const body of bodies) {
    const done = events.next('acked');
    await producer.send('orders', body);
    await done;
  }
}

describe('A request-scoped handler', () => {
  it('has an instance of its own for each message, with the message as its context', async () => {
    const seen: unknown[] = [];
    let instances = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Handlers {
      constructor(
        @Inject(CONTEXT) private readonly request: RequestContext<string, RivuletContext>,
      ) {
        instances += 1;
      }

      @Subscribe('orders')
      on(@Payload() order: string, @Ctx() ctx: RivuletContext) {
        const { request } = this;
        seen.push(order, request.data, request.pattern, request.getContext() === ctx);
      }
    }
    await acked(await start({ providers: [Handlers] }), ['a', 'b']);
    expect(instances).toBe(2);
    expect(seen).toEqual(['a', 'a', 'orders', true, 'b', 'b', 'orders', true]);
  });

  it('may be one because of what it depends on, or what guards it', async () => {
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Dependency {
      constructor() {
        made += 1;
      }
    }
    @Injectable()
    class Dependent {
      constructor(readonly dependency: Dependency) {}
      @Subscribe('orders', { group: 'dependent' })
      on() {}
    }
    @Injectable({ scope: Scope.REQUEST })
    class Guard implements CanActivate {
      constructor() {
        made += 1;
      }
      canActivate() {
        return true;
      }
    }
    @Controller()
    class Guarded {
      @Subscribe('orders', { group: 'guarded' })
      @UseGuards(Guard)
      on() {}
    }
    const app = await start({ providers: [Dependent, Dependency], controllers: [Guarded] });
    const both = Promise.all(
      ['dependent', 'guarded'].map((name) =>
        app.events.next('acked', ({ group }) => group === name),
      ),
    );
    await app.producer.send('orders', 1);
    await both;
    expect(made).toBe(2);
  });

  it('fails by its retry policy when it cannot be made', async () => {
    let tries = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Handlers {
      constructor() {
        tries += 1;
        throw new Error('no database');
      }
      @Subscribe('orders', { retry: AT_ONCE })
      on() {}
    }
    const { producer, events } = await start({ providers: [Handlers] });
    const dead = events.next('dead-lettered');
    await producer.send('orders', 1);
    expect((await dead).reason).toBe('failed 3 times; last: Error: no database');
    expect(tries).toBe(3);
  });

  it.each<[string, Type]>([
    ['events', eventsController()],
    ['requests', requestsController()],
  ])('works with the patterns of Nest: %s', async (what, controller) => {
    const { client, events } = await startHybrid({ controllers: [controller] });
    for (const body of ['a', 'b']) {
      const done = events.next('acked');
      const answer = what === 'events' ? client.emit('orders', body) : client.send('orders', body);
      await firstValueFrom(answer);
      await done;
    }
    expect((controller as unknown as { instances: number }).instances).toBe(2);
  });
});

function eventsController(): Type {
  @Controller({ scope: Scope.REQUEST })
  class Events {
    static instances = 0;
    constructor() {
      Events.instances += 1;
    }
    @EventPattern<string>('orders')
    on() {}
  }
  return Events;
}

function requestsController(): Type {
  @Controller({ scope: Scope.REQUEST })
  class Requests {
    static instances = 0;
    constructor(@Inject(CONTEXT) private readonly request: RequestContext<string, RivuletContext>) {
      Requests.instances += 1;
    }
    @MessagePattern('orders')
    on() {
      return this.request.getContext() instanceof RivuletContext && this.request.data;
    }
  }
  return Requests;
}

describe('A transient handler', () => {
  it('has one instance for all messages, made before the first', async () => {
    const instances = new Set<object>();
    let made = 0;

    @Injectable({ scope: Scope.TRANSIENT })
    class Handlers {
      readonly isConstructed = true;
      constructor() {
        made += 1;
      }
      @Subscribe('orders')
      on() {
        if (this.isConstructed) instances.add(this);
      }
    }
    const app = await start({ providers: [Handlers] });
    const madeAtStart = made;
    await acked(app, [1, 2]);
    expect(instances.size).toBe(1);
    expect(made).toBe(madeAtStart);
  });
});

describe('A durable handler', () => {
  const original = Reflect.get(ContextIdFactory, 'strategy') as never;
  afterEach(() => ContextIdFactory.apply(original));

  it('has one instance for each tenant', async () => {
    const tenants = new Map<string, ContextId>();
    ContextIdFactory.apply({
      attach(contextId: ContextId, request: { data: { tenant: string } }) {
        const { tenant } = request.data;
        const parent = tenants.get(tenant) ?? ContextIdFactory.create();
        tenants.set(tenant, parent);
        return {
          resolve: ({ isTreeDurable }: HostComponentInfo) => (isTreeDurable ? parent : contextId),
          payload: { tenant },
        };
      },
    });
    const made: string[] = [];
    const handled: string[] = [];

    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Handlers {
      constructor(@Inject(CONTEXT) private readonly context: { tenant: string }) {
        made.push(context.tenant);
      }
      @Subscribe('orders')
      on() {
        handled.push(this.context.tenant);
      }
    }
    const app = await start({ providers: [Handlers] });
    await acked(app, [{ tenant: 'a' }, { tenant: 'b' }, { tenant: 'a' }]);
    expect(made).toEqual(['a', 'b']);
    expect(handled).toEqual(['a', 'b', 'a']);
  });
});
