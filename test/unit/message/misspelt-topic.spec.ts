import { mayBeMisspelt } from '../../../lib/core/message/misspelt-topic.js';

describe('The name of a topic', () => {
  it.each([
    ['oders', 'orders'],
    ['order', 'orders'],
    ['oredrs', 'orders'],
    ['orbers', 'orders'],
    ['Orders', 'orders'],
    ['order.created', 'order-created'],
    ['orderCreated', 'order_created'],
    ['orders-v1', 'ordersV1'],
    ['order.craeted', 'order.created'],
  ])('may be another one, misspelt: %s for %s', (name, other) => {
    expect([mayBeMisspelt(name, other), mayBeMisspelt(other, name)]).toEqual([true, true]);
  });

  it.each([
    ['orders', 'orders'],
    ['order.1', 'order.2'],
    ['orders1', 'orders2'],
    ['orders', 'orders2'],
    ['orders-v1', 'orders-v2'],
    ['report.1.1', 'report.11'],
    ['orders-v1.12', 'orders-v11.2'],
    ['orders-eu', 'orders-us'],
    ['orders-a', 'orders-b'],
    ['orders', 'orders.retry'],
    ['order.created', 'order.canceled'],
    ['user.created', 'order.created'],
    ['import', 'export'],
    ['a', 'b'],
  ])('is one of its own: %s beside %s', (name, other) => {
    expect([mayBeMisspelt(name, other), mayBeMisspelt(other, name)]).toEqual([false, false]);
  });
});
