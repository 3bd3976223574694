import type { Codec } from '../../../../lib/core/message/codec.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;
const TIMING = { heartbeatMs: 1_000, deadAfterMs: 3_000 };
const LEASE_MS = 15_000;
const NEIGHBOURS = Array.from({ length: 16 }, (_, i) => `neighbour ${i}`);
const MAX_ATTEMPTS = 3;
/** More lives than the poison may cost. */
const MOST_LIVES = 8;

describe('a message that kills whoever starts it', () => {
  const beds: TestBed[] = [];
  afterEach(async () => {
    for (const bed of beds.splice(0)) await bed.close();
  });

  it.each([['its handler'], ['the codec that decodes it']])(
    'by way of %s becomes a dead letter after one start more than its attempts, and none of 16 neighbours does',
    async (killer) => {
      let starts = 0;
      const handled: string[] = [];
      const letters: unknown[] = [];
      const open = async (before?: TestBed) => {
        const die = (): void => {
          starts += 1;
          bed.crash();
        };
        const deadly: Codec = {
          ...{ name: 'deadly', encode: (body) => Buffer.from(JSON.stringify(body)) },
          decode: (bytes) => {
            const body = JSON.parse(Buffer.from(bytes).toString()) as string;
            if (body === 'poison' && killer !== 'its handler') die();
            return body;
          },
        };
        const settings = { ...TIMING, codec: deadly };
        const bed: TestBed = before
          ? await before.sibling({ settings })
          : await TestBed.open({ settings });
        beds.push(bed);
        bed.rivulet.events.on('dead-lettered', ({ key }) => void letters.push(key));
        const consume = (): Promise<void> =>
          bed.subscribe({
            ...BILLING,
            concurrency: 17,
            onExhausted: 'dead-letter',
            retry: { maxAttempts: MAX_ATTEMPTS },
            handler: async ({ body }) => {
              if (body === 'poison') {
                if (killer === 'its handler') die();
                // A dead process answers nothing.
                await new Promise(() => {});
              }
              await Promise.resolve();
              handled.push(body as string);
            },
          });
        return { bed, consume };
      };
      let life = await open();
      await life.bed.stores.topics.declare('orders', { queues: 1 });
      for (const body of ['poison', ...NEIGHBOURS])
        await life.bed.publish('orders', body, { key: body, messageGroup: body });
      for (let lives = 1; ; lives++) {
        await life.consume();
        await life.bed.advance(LEASE_MS + 5_000);
        if (letters.length > 0 || lives === MOST_LIVES) break;
        life = await open(life.bed);
      }
      expect(letters).toEqual(['poison']);
      expect(starts).toBe(MAX_ATTEMPTS + 1);
      expect([...new Set(handled)].toSorted()).toEqual(NEIGHBOURS.toSorted());
      expect(await life.bed.deadLetters('orders', 'billing')).toHaveLength(1);
    },
  );
});
