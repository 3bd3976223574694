import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { RivuletContext, Subscribe } from 'nestjs-rivulet';
import { closeApps, start } from './helpers/open-app.js';

afterEach(closeApps);

describe('@Subscribe', () => {
  it('hands the body and the context to a method of a provider', async () => {
    const seen: unknown[] = [];

    @Injectable()
    class Billing {
      @Subscribe('orders', { group: 'billing' })
      charge(@Payload() order: { id: number }, @Ctx() ctx: RivuletContext) {
        seen.push(order, ctx.messageId, ctx.group, ctx.attempt, ctx.getPattern());
      }
    }

    const { producer, events } = await start({ providers: [Billing] });
    const acked = events.next('acked');
    const { messageId } = await producer.send('orders', { id: 1 });
    await acked;
    expect(seen).toEqual([{ id: 1 }, messageId, 'billing', 1, 'orders']);
  });
});
