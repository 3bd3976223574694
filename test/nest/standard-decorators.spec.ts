import { describe, expect, it } from '@jest/globals';
import { Subscribe, SubscribeBatch, Transactional, TransactionCheck } from 'nestjs-rivulet';

/** As a compiler without `experimentalDecorators` calls it. */
function asStandard(decorator: object) {
  return () =>
    Reflect.apply(decorator as () => void, undefined, [() => {}, { kind: 'method', name: 'on' }]);
}

describe('A compiler that makes standard decorators', () => {
  it.each([
    ['@Subscribe', Subscribe('orders')],
    ['@SubscribeBatch', SubscribeBatch('orders')],
    ['@Transactional', Transactional()],
    ['@TransactionCheck', TransactionCheck('transfer')],
  ])('is told what to set by %s', (name, decorator) => {
    expect(asStandard(decorator)).toThrow(
      `${name} of on: it was compiled as a standard decorator, and Nest works with legacy ones: set "experimentalDecorators"`,
    );
  });
});
