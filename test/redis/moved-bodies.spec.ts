import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Codec, CodecContext } from '../../lib/core/message/codec.js';
import { decodeMessage } from '../../lib/core/message/wire-format.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { newNamespace } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const AES = 'aes-256-gcm';
const KEY = randomBytes(32);

function whose(context: CodecContext): Buffer {
  return Buffer.from(
    context.kind === 'message' ? `${context.topic}/${context.messageId}` : 'answer',
  );
}

const encrypted: Codec = {
  name: AES,
  encode(body, context) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv(AES, KEY, nonce).setAAD(whose(context));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(body)), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  },
  decode(bytes, context) {
    const decipher = createDecipheriv(AES, KEY, bytes.subarray(0, 12)).setAAD(whose(context));
    decipher.setAuthTag(bytes.subarray(12, 28));
    const text = decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final();
    return JSON.parse(text) as unknown;
  },
};

describe('an encrypted body that somebody moves in Redis', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  const log = (topic: string): string => keys.queue({ topic, queue: 0 }).log;
  const own = ownServer();
  let rivulet: Rivulet;
  let handled: unknown[];
  let dead: { key: string | undefined; reason: string; attempt: number }[];
  let told: () => void;

  beforeEach(async () => {
    await own.redis.flushall();
    [handled, dead, told] = [[], [], () => {}];
    const stores = new RedisStores({ connection: own.url, namespace });
    const settings = { codec: encrypted, topics: { queues: 1 } };
    rivulet = new Rivulet({ stores, settings });
    rivulet.events.on('dead-lettered', ({ key, reason, attempt }) => {
      dead.push({ key, reason, attempt });
      told();
    });
    await rivulet.open();
  });
  afterEach(() => rivulet.stop());

  /** Handles the topic until so many messages have their end. */
  async function consume(topic: string, count: number): Promise<void> {
    const all = new Promise<void>((resolve) => {
      told = () => void (handled.length + dead.length === count && resolve());
    });
    rivulet.subscribe({
      ...{ topic, group: 'billing', origin: 'test', from: 'earliest' },
      handler: ({ body }) => {
        handled.push(body);
        told();
      },
    });
    await rivulet.consume();
    await all;
  }

  const refused = (key: string) => ({
    ...{ key, attempt: 1 },
    reason: expect.stringMatching(/^Codec "aes-256-gcm" cannot decode the body/) as string,
  });

  it('to another message is a dead letter at once, and the others are handled', async () => {
    for (const key of ['a', 'b', 'c']) await rivulet.producer.send('orders', key, { key });
    const stored = await own.redis.xrangeBuffer(log('orders'), '-', '+');
    const parts = stored.map(([, fields]) => {
      const at = fields.findIndex((field) => field.toString() === 'rv') + 1;
      const frame = fields[at]!;
      const { bytes } = decodeMessage({ topic: 'orders', queue: 0, offset: '' }, frame);
      return { at, head: frame.subarray(0, frame.length - bytes.length), bytes };
    });
    await own.redis.del(log('orders'));
    for (const [i, [id, fields]] of stored.entries()) {
      const { at, head } = parts[i]!;
      const changed = fields.with(at, Buffer.concat([head, parts[[1, 0, 2][i]!]!.bytes]));
      await own.redis.xadd(log('orders'), id, ...changed);
    }
    await consume('orders', 3);
    expect(handled).toEqual(['c']);
    expect(dead).toEqual([refused('a'), refused('b')]);
  });

  it('to another topic, with all of its message, is a dead letter at once', async () => {
    await rivulet.producer.send('refunds', 'mine', { key: 'mine' });
    await rivulet.producer.send('orders', 'moved', { key: 'moved' });
    const [[, fields] = []] = await own.redis.xrangeBuffer(log('orders'), '-', '+');
    await own.redis.xadd(log('refunds'), '*', ...fields!);
    await consume('refunds', 2);
    expect(handled).toEqual(['mine']);
    expect(dead).toEqual([refused('moved')]);
  });
});
