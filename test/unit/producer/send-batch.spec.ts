import { CodecError, SchemaError } from '../../../lib/core/message/errors.js';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { checkBatch, sendBatch } from '../../../lib/core/producer/send-batch.js';
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

  it.each<[string, unknown, string]>([
    ['the schema', { body: -1 }, 'message 1: must be positive'],
    ['an option', { body: 1, tagg: 'x' }, 'Message 1 of the batch: unknown option "tagg"'],
  ])('says which of its messages is refused by %s', async (_, item, said) => {
    const items = [{ body: 1 }, item as { body: number }];
    await expect(sendBatch(bed.rivulet.producer, positive, items)).rejects.toThrow(said);
  });

  it('says which body cannot be written', async () => {
    const items = [{ body: 1 }, { body: { n: 2n } }];
    const error: unknown = await sendBatch(bed.rivulet.producer, 'plain', items).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CodecError);
    expect(error).toMatchObject({
      path: '$.n',
      message:
        'Message 1 of the batch: Send to topic "plain": $.n is 2n, which JSON cannot hold; convert it to text first. Nothing was done.',
    });
  });

  it.each<[string, unknown, string]>([
    ['no list', undefined, 'messages must be a list of { body, … }, got: undefined'],
    [
      'bodies',
      [{ body: 1 }, 5, null],
      'message 1 must be { body, … }, got: 5; message 2 must be { body, … }, got: null',
    ],
  ])('is refused when it is %s', (_, items, said) => {
    expect(() => checkBatch('plain', items)).toThrow(
      `Send a batch to topic "plain": ${said}. Nothing was done.`,
    );
  });

  it('stores all of its messages when they match', async () => {
    await send([1, 2]);
    expect((await bed.sent(positive)).map(({ body }) => body)).toEqual([1, 2]);
  });

  it('writes each body once', async () => {
    let written = 0;
    const encode = (body: unknown): string => `${String(body)}:${++written}`;
    const codec = { name: 'counting', encode, decode: (bytes: Buffer) => bytes.toString() };
    const counting = await TestBed.open({ settings: { codec } });
    // The first message to a topic waits until that is looked up.
    await counting.rivulet.producer.send('plain', 'first', {});
    await sendBatch(counting.rivulet.producer, 'plain', [{ body: 'a' }, { body: 'b' }]);
    expect((await counting.sent('plain')).map(({ body }) => body)).toEqual([
      'first:1',
      'a:2',
      'b:3',
    ]);
    await counting.close();
  });
});
