import { AsyncLocalStorage } from 'node:async_hooks';
import { jest } from '@jest/globals';
import { TestBed } from '../../../lib/testing/test-bed.js';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('storages of an instance', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  // A process in which many applications begin and end, as that of a user's tests, would be slower with each.
  it('are visited by no promise once it has stopped', async () => {
    const run = jest.spyOn(AsyncLocalStorage.prototype, 'run');
    const disable = jest.spyOn(AsyncLocalStorage.prototype, 'disable');
    const bed = await TestBed.open();
    const handled: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => void handled.push(body),
    });
    await bed.publish('orders', 'traced', { traceparent });
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'in a transaction'));
    await bed.advance(1_000);
    expect(handled).toEqual(expect.arrayContaining(['traced', 'in a transaction']));
    const used = new Set(run.mock.contexts);
    expect(used.size).toBeGreaterThanOrEqual(2);
    expect(disable).not.toHaveBeenCalled();
    await bed.close();
    expect(new Set(disable.mock.contexts)).toEqual(used);
  });

  it('stay as they are for a message without a trace context', async () => {
    const exit = jest.spyOn(AsyncLocalStorage.prototype, 'exit');
    const bed = await TestBed.open();
    const sent: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: async ({ body }) => {
        if (body !== 'last') await bed.publish('orders', 'last');
        sent.push(body);
      },
    });
    await bed.publish('orders', 'traced', { traceparent });
    await bed.publish('orders', 'plain');
    await bed.advance(1_000);
    expect(sent.sort()).toEqual(['last', 'last', 'plain', 'traced']);
    const parents = (await bed.sent('orders')).map(({ traceparent: parent }) => parent);
    expect(parents.filter((parent) => parent?.includes('0af7651916cd43dd'))).toHaveLength(2);
    expect(exit).not.toHaveBeenCalled();
    await bed.close();
  });
});
