import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  defineTopic,
  InvalidOptionsError,
  Rivulet,
  type RivuletContext,
  Subscribe,
  tags,
} from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';
import { closeApps, type ModuleOptions, startHybrid } from '../helpers/open-app.js';

afterEach(closeApps);

async function problemOf(
  controller: Type,
  rivulet: ModuleOptions = {},
): Promise<InvalidOptionsError> {
  const error: unknown = await startHybrid({ controllers: [controller], rivulet }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InvalidOptionsError);
  return error as InvalidOptionsError;
}

describe('Patterns', () => {
  it.each<[string, unknown, unknown]>([
    ['text', 'orders.created', 'orders.created'],
    ['a number', 17, '17'],
    ['an object, whatever the order of its keys', { cmd: 'sum', v: 1 }, { v: 1, cmd: 'sum' }],
    ['nested objects', { a: { b: [1, null, true] } }, { a: { b: [1, null, true] } }],
    ['text that is no name of a topic', 'orders/created', 'orders/created'],
    ['text with a hash tag', '{a}:b', '{a}:b'],
    ['a topic definition', defineTopic('orders'), 'orders'],
  ])('may be %s', async (_what, declared, sent) => {
    @Controller()
    class Handlers {
      @MessagePattern(declared)
      on(@Payload() body: unknown) {
        return body;
      }
    }
    const { client } = await startHybrid({ controllers: [Handlers] });
    expect(await firstValueFrom(client.send(sent, 'x'))).toBe('x');
  });

  it('may be several for one handler', async () => {
    const seen: unknown[] = [];

    @Controller()
    class Handlers {
      @EventPattern<string[]>(['first', 'second'])
      on(body: unknown) {
        seen.push(body);
      }
    }
    const { producer, events } = await startHybrid({ controllers: [Handlers] });
    for (const topic of ['first', 'second']) {
      const acked = events.next('acked');
      await producer.send(topic, topic);
      await acked;
    }
    expect(seen).toEqual(['first', 'second']);
  });

  it('may be patterns of topics, with both kinds of decorators', async () => {
    const seen: unknown[] = [];

    @Controller()
    class Handlers {
      @EventPattern<string>('order.*')
      on(@Payload() body: string, @Ctx() ctx: RivuletContext) {
        seen.push([ctx.getPattern(), ctx.topic, body]);
      }
      @Subscribe('#', { group: 'audit' })
      audit(@Payload() body: string, @Ctx() ctx: RivuletContext) {
        seen.push([ctx.getPattern(), ctx.topic, body]);
      }
    }
    const { events, producer, client } = await startHybrid({ controllers: [Handlers] });
    let left = 2;
    const both = new Promise<void>((resolve) =>
      events.on('acked', () => --left === 0 && resolve()),
    );
    await producer.send('order.created', 'a');
    await both;
    expect(seen).toEqual(
      expect.arrayContaining([
        ['order.*', 'order.created', 'a'],
        ['#', 'order.created', 'a'],
      ]),
    );
    await expect(firstValueFrom(client.emit('order.*', 'b'))).rejects.toThrow(
      /"order\.\*" has a wildcard: .* a message goes to one topic/,
    );
  });

  it('that cannot be topics are refused together, by the names of their handlers', async () => {
    @Controller()
    class Handlers {
      @EventPattern<RegExp>(/orders/)
      expression() {}
      @EventPattern<string>('orders*')
      wildcard() {}
      @EventPattern<string>('>.orders')
      place() {}
      @MessagePattern()
      nothing() {}
      @MessagePattern({ a: { a: { a: { a: { a: { a: 1 } } } } } })
      deep() {}
      @EventPattern<string>('orders', { concurency: 1 })
      misspelt() {}
    }
    expect((await problemOf(Handlers)).problems).toEqual([
      expect.stringMatching(/^Handlers\.expression: the pattern \/orders\/ is a RegExp/),
      expect.stringMatching(
        /^Handlers\.wildcard: the pattern "orders\*" has a wildcard within a word/,
      ),
      expect.stringMatching(/^Handlers\.place: Topic pattern ">\.orders": .* at character 1/),
      expect.stringMatching(/^Handlers\.nothing: a pattern must be text.*got: undefined/),
      expect.stringMatching(/^Handlers\.deep: a pattern must be.*at most 5 levels deep/),
      'Handlers.misspelt: unknown option "concurency", did you mean "concurrency"?',
    ]);
  });
});

describe('Extras of a pattern', () => {
  it('are the options of the handler', async () => {
    @Controller()
    class Handlers {
      @EventPattern<string>('orders', {
        group: 'billing',
        concurrency: 3,
        retry: { maxAttempts: 2 },
      })
      on() {}
    }
    const { app } = await startHybrid({ controllers: [Handlers] });
    expect(app.get(Rivulet).subscriptions).toMatchObject([
      {
        topic: 'orders',
        group: 'billing',
        concurrency: 3,
        origin: 'Handlers.on',
        retry: { maxAttempts: 2 },
      },
    ]);
  });

  it('come from the module by name, too', async () => {
    @Controller()
    class Handlers {
      @EventPattern<string>('orders', { name: 'billing' })
      on() {}
      @EventPattern<string>('returns')
      off() {}
    }
    const handlers = { billing: { concurrency: 3 }, 'Handlers.off': { group: 'other' } };
    const { app } = await startHybrid({ controllers: [Handlers], rivulet: { handlers } });
    expect(app.get(Rivulet).subscriptions).toMatchObject([
      { topic: 'orders', concurrency: 3 },
      { topic: 'returns', group: 'other' },
    ]);
  });

  it('that several controllers inherit are those of each, by its name', async () => {
    abstract class Base {
      @EventPattern<string[]>(['orders', 'returns'])
      on() {}
    }
    @Controller()
    class Billing extends Base {}
    @Controller()
    class Audit extends Base {}
    @Module({ controllers: [Billing] })
    class Elsewhere {}
    const { app } = await startHybrid({
      imports: [Elsewhere],
      controllers: [Audit],
      rivulet: {
        handlers: {
          'Audit.on': { group: 'audit', concurrency: 3 },
          'Billing.on': { group: 'billing', concurrency: 4 },
        },
      },
    });
    const audit = { group: 'audit', concurrency: 3, origin: 'Audit.on' };
    const billing = { group: 'billing', concurrency: 4, origin: 'Billing.on' };
    const { subscriptions } = app.get(Rivulet);
    expect(subscriptions).toHaveLength(4);
    expect(subscriptions).toEqual(
      expect.arrayContaining(
        ['orders', 'returns'].flatMap((topic) =>
          [audit, billing].map((own) => expect.objectContaining({ topic, ...own })),
        ),
      ),
    );
  });

  it('that one controller inherits in several modules are those of each instance', async () => {
    abstract class Base {
      @EventPattern<string>('orders')
      on() {}
    }
    @Controller()
    class Billing extends Base {}
    @Controller()
    class Audit extends Base {}
    @Module({ controllers: [Billing, Audit] })
    class Elsewhere {}
    const { app } = await startHybrid({
      imports: [Elsewhere],
      controllers: [Billing],
      rivulet: { handlers: { 'Audit.on': { group: 'audit' } } },
    });
    expect(app.get(Rivulet).subscriptions.map(({ group, origin }) => [group, origin])).toEqual(
      expect.arrayContaining([
        ['audit', 'Audit.on'],
        [expect.any(String), 'Billing.on and Billing.on'],
      ]),
    );
  });

  it('or the module must name a group', async () => {
    @Controller()
    class Handlers {
      @EventPattern<string>('orders')
      on() {}
    }
    expect((await problemOf(Handlers, { group: undefined })).message).toMatch(
      /^Handlers\.on: no consumer group/,
    );
  });
});

describe('Two handlers', () => {
  it('of requests for one pattern are refused', async () => {
    @Controller()
    class Handlers {
      @MessagePattern('sum')
      first() {}
      @MessagePattern('sum')
      second() {}
    }
    expect((await problemOf(Handlers)).message).toMatch(
      /^Two handlers answer the requests of "sum": Handlers\.first and Handlers\.second;/,
    );
  });

  it('of one event must not contradict each other', async () => {
    @Controller()
    class Handlers {
      @EventPattern<string>('orders', { concurrency: 1 })
      first() {}
      @EventPattern<string>('orders', { concurrency: 2 })
      second() {}
    }
    expect((await problemOf(Handlers)).message).toMatch(
      /^Handlers\.first and Handlers\.second: they share .* but differ in concurrency/,
    );
  });

  it('of one event take what the other, or the module, leaves undefined', async () => {
    const unset = { concurrency: undefined } as object;
    @Controller()
    class Handlers {
      @EventPattern<string>('orders', unset)
      first() {}
      @EventPattern<string>('orders', { concurrency: 2 })
      second() {}
    }
    const { app } = await startHybrid({
      controllers: [Handlers],
      rivulet: { handlers: { 'Handlers.second': unset } },
    });
    expect(app.get(Rivulet).subscriptions).toMatchObject([{ concurrency: 2 }]);
  });

  it('of one event have one filter, or none', async () => {
    const both = (first: object, second: object): Type => {
      @Controller()
      class Handlers {
        @EventPattern<string>('orders', first)
        first() {}
        @EventPattern<string>('orders', second)
        second() {}
      }
      return Handlers;
    };
    const { app } = await startHybrid({
      controllers: [both({ filter: tags('a||b') }, { filter: tags('b || a') })],
    });
    await app.close();
    for (const other of [{ filter: tags('a') }, {}])
      expect((await problemOf(both({ filter: tags('b') }, other))).message).toMatch(
        /but differ in filter; give both the same, or one its own group/,
      );
  });

  it('of one topic and group may not be of both kinds', async () => {
    @Controller()
    class Handlers {
      @EventPattern<string>('orders')
      pattern() {}
      @Subscribe('orders')
      subscribe() {}
    }
    expect((await problemOf(Handlers)).message).toContain(
      'Handlers.pattern and Handlers.subscribe',
    );
  });

  it('of different groups have a delivery each', async () => {
    const seen: string[] = [];

    @Controller()
    class Handlers {
      @EventPattern<string>('orders', { group: 'first' })
      first() {
        seen.push('first');
      }
      @EventPattern<string>('orders', { group: 'second' })
      second() {
        seen.push('second');
      }
    }
    const { producer, events } = await startHybrid({ controllers: [Handlers] });
    const both = Promise.all(
      ['first', 'second'].map((name) => events.next('acked', ({ group }) => group === name)),
    );
    await producer.send('orders', 1);
    await both;
    expect(seen.sort()).toEqual(['first', 'second']);
  });
});
