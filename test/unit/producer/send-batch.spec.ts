import { SchemaError } from '../../../lib/core/message/errors.js';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { sendBatch } from '../../../lib/core/producer/send-batch.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const positive = defineTopic<number>('numbers', {
  schema: {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) =>
        (value as number) > 0
          ? { value: value as number }
          : { issues: [{ message: 'must be positive' }] },
    },
  },
});

describe('a batch', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open();
  });
  afterEach(() => bed.close());

  const send = (bodies: number[]) =>
    sendBatch(
      bed.rivulet.producer,
      positive,
      bodies.map((body) => ({ body })),
    );

  it('stores nothing when one of its messages does not match the schema', async () => {
    await expect(send([1, 0, 2])).rejects.toBeInstanceOf(SchemaError);
    await bed.clock.settle();
    expect(await bed.sent(positive)).toEqual([]);
  });

  it('is refused for the first problem found, whatever else is wrong', async () => {
    const items = [{ body: 0 }, { body: 1, ttlMs: -1 }];
    await expect(sendBatch(bed.rivulet.producer, positive, items)).rejects.toThrow('ttlMs');
  });

  it('stores all of its messages when they match', async () => {
    await send([1, 2]);
    expect((await bed.sent(positive)).map(({ body }) => body)).toEqual([1, 2]);
  });
});
