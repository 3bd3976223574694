import { SendBuffer } from '../../../lib/core/producer/send-buffer.js';

describe('SendBuffer', () => {
  it('holds so many messages and so many bytes', () => {
    const buffer = new SendBuffer({ maxMessages: 2, maxBytes: 10 });
    expect([buffer.tryTake(4), buffer.tryTake(7), buffer.tryTake(6), buffer.tryTake(0)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(buffer.held).toEqual({ messages: 2, bytes: 10, waiting: 0 });
  });

  it('takes one message however large, when it holds nothing', () => {
    const buffer = new SendBuffer({ maxMessages: 2, maxBytes: 10 });
    expect(buffer.tryTake(1_000)).toBe(true);
    expect(buffer.tryTake(1)).toBe(false);
  });

  it('gives room in the order it was asked for; small ones do not overtake', () => {
    const buffer = new SendBuffer({ maxMessages: 10, maxBytes: 10 });
    const admitted: string[] = [];
    buffer.tryTake(10);
    buffer.wait(9, () => admitted.push('large'));
    buffer.wait(1, () => admitted.push('small'));
    expect(buffer.tryTake(0)).toBe(false);
    buffer.give(10);
    expect(admitted).toEqual(['large', 'small']);
    expect(buffer.held).toEqual({ messages: 2, bytes: 10, waiting: 0 });
  });

  it('lets those behind go when the one in front gives up', () => {
    const buffer = new SendBuffer({ maxMessages: 10, maxBytes: 10 });
    const admitted: string[] = [];
    buffer.tryTake(5);
    const giveUp = buffer.wait(9, () => admitted.push('large'));
    buffer.wait(5, () => admitted.push('small'));
    expect(admitted).toEqual([]);
    expect(giveUp()).toBe(true);
    expect(admitted).toEqual(['small']);
    expect(giveUp()).toBe(false);
  });

  it('answers that it is too late to give up once there was room', () => {
    const buffer = new SendBuffer({ maxMessages: 1, maxBytes: 10 });
    buffer.tryTake(1);
    const giveUp = buffer.wait(1, () => {});
    buffer.give(1);
    expect(giveUp()).toBe(false);
    expect(buffer.held.messages).toBe(1);
  });

  it('admits any number of those whose room is free again at once', () => {
    const buffer = new SendBuffer({ maxMessages: 1, maxBytes: 10 });
    const admitted: number[] = [];
    buffer.tryTake(1);
    for (let i = 0; i < 50_000; i++)
      buffer.wait(1, () => {
        admitted.push(i);
        buffer.give(1);
      });
    buffer.give(1);
    expect(admitted).toHaveLength(50_000);
    expect(admitted.at(-1)).toBe(49_999);
    expect(buffer.held).toEqual({ messages: 0, bytes: 0, waiting: 0 });
  });

  it('admits what is asked for while others are admitted', () => {
    const buffer = new SendBuffer({ maxMessages: 1, maxBytes: 10 });
    const admitted: number[] = [];
    const ask = (n: number): void =>
      void buffer.wait(1, () => {
        admitted.push(n);
        if (n < 3) ask(n + 1);
      });
    buffer.tryTake(1);
    ask(1);
    for (let i = 0; i < 3; i++) buffer.give(1);
    expect(admitted).toEqual([1, 2, 3]);
  });
});
