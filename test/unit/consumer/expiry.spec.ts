import { expect, it } from '@jest/globals';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

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
