import { murmur2 } from '../../../lib/core/message/murmur2.js';
import { checkedQueue, selectQueue } from '../../../lib/core/producer/queue-selector.js';

describe('murmur2', () => {
  // From Kafka's own test: org.apache.kafka.common.utils.UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('answers for %p what Kafka answers', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('answers for the bytes abc what Kafka answers', () => {
    expect(murmur2(Buffer.from('abc'))).toBe(479470107);
    expect(murmur2(Buffer.alloc(0))).toBe(275646681);
  });

  it('refuses what are no bytes', () => {
    expect(() => murmur2('abc' as never)).toThrow('bytes must be a Uint8Array, got: "abc"');
  });
});

describe('selectQueue', () => {
  it.each<[unknown, unknown, string]>([
    ['a', 0, 'queues must be an integer of at least 1, got: 0'],
    ['a', undefined, 'queues must be an integer of at least 1, and is missing'],
    ['a', 1.5, 'queues must be an integer'],
    [7, 4, 'messageGroup must be text, got: 7'],
  ])('refuses %p of %p queues', (messageGroup, queues, why) => {
    expect(() => selectQueue(messageGroup as string, queues as number)).toThrow(why);
  });

  it('always answers a queue of the topic, and the same one for the same group', () => {
    const wrong: unknown[] = [];
    for (let i = 0; i < 5_000; i++)
      for (const queues of [1, 3, 4, 1024]) {
        const queue = selectQueue(`group-${i}`, queues);
        const isRight = Number.isInteger(queue) && queue >= 0 && queue < queues;
        if (!isRight || selectQueue(`group-${i}`, queues) !== queue) wrong.push([i, queues, queue]);
      }
    expect(wrong).toEqual([]);
  });

  it('spreads groups evenly', () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 40_000; i++) counts[selectQueue(`order-${i}`, 4)]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it('looks at the bytes of the text', () => {
    expect(selectQueue('ü', 1024)).toBe((murmur2(Buffer.from('ü')) & 0x7fffffff) % 1024);
  });
});

describe('an explicit queue', () => {
  it.each<[unknown]>([[-1], [4], [1.5], [NaN], ['1'], [null], [Promise.resolve(1)]])(
    'is refused when the topic does not have it: %p',
    (queue) => {
      expect(() => checkedQueue(queue, 4, { topic: 'orders', from: 'queue' })).toThrow(
        /queue must be a queue from 0 to 3, got: /,
      );
    },
  );
});
