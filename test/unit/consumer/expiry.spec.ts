import { expect, it } from '@jest/globals';
import type { Codec } from '../../../lib/core/message/codec.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

async function expiring(send: (rivulet: Rivulet) => Promise<unknown>) {
  const clock = new ManualClock();
  const rivulet = new Rivulet({ stores: new MemoryStores({ clock }), clock });
  const handled: unknown[] = [];
  const dead: string[] = [];
  rivulet.events.on('dead-lettered', ({ reason }) => dead.push(reason));
  rivulet.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'test',
    reply: true,
    handler: ({ body }) => handled.push(body),
  });
  await rivulet.open();
  const sent = send(rivulet).catch((error: Error) => error.name);
  await clock.advance(1_500);
  const answer = await sent;
  await rivulet.consume();
  await clock.advance(100);
  const stopped = rivulet.stop();
  await clock.advance(1_000);
  await stopped;
  return { handled, dead, answer };
}

it('makes a dead letter of a message whose time has passed', async () => {
  const { handled, dead } = await expiring(({ producer }) =>
    producer.send('orders', 1, { ttlMs: 1_000 }),
  );
  expect({ handled, dead }).toEqual({
    handled: [],
    dead: ['expired: its ttl of 1000 ms has passed'],
  });
});

it('drops a request whose time has passed without a dead letter: whoever asked was told', async () => {
  const { handled, dead, answer } = await expiring(({ requester }) =>
    requester.request('orders', 1, { timeoutMs: 1_000 }),
  );
  expect({ handled, dead, answer }).toEqual({
    handled: [],
    dead: [],
    answer: 'RequestTimeoutError',
  });
});

it('answers a request at once whose body it cannot read, and keeps no dead letter of it', async () => {
  const bed = await TestBed.open();
  const dead: string[] = [];
  bed.rivulet.events.on('dead-lettered', ({ reason }) => dead.push(reason));
  const shout: Codec = {
    name: 'shout',
    encode: (body) => `${String(body)}!`,
    decode: (bytes) => Buffer.from(bytes).toString(),
  };
  const caller = await bed.sibling({ settings: { codec: shout } });
  await bed.subscribe({ topic: 'orders', group: 'billing', reply: true });
  const answer = caller.rivulet.requester
    .request('orders', 'hello', { timeoutMs: 60_000 })
    .catch((error: Error) => error.message);
  await bed.advance(100);
  expect(await answer).toContain('shout');
  expect(dead).toEqual([]);
  await caller.close();
  await bed.close();
});
