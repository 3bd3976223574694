import { setImmediate as nextTurn } from 'node:timers/promises';
import { claimed, completed } from '../../lib/core/store/dedup-store.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { type OpenHarness, useHarness } from './harness.js';

const ORDER = { topic: 'orders', group: 'billing' };
const LEASE = 30_000;
const DAY = 86_400_000;

export function describeDedupStore(open: OpenHarness): void {
  describe.each([
    ['a key of the user', 'pay-17'],
    ['a message id', '0191f0c2-ab17-7000-8123-456789abcdef'],
  ])('DedupStore, %s', (_, key) => {
    const REF = { ...ORDER, key };
    const h = useHarness(open);
    const begin = (owner: string, ref = REF, stores: Stores = h.stores) =>
      claimed(stores.dedup, ref, { owner, leaseMs: LEASE });
    const renew = (owner: string) => h.stores.dedup.renew(REF, { owner, leaseMs: LEASE });
    const complete = (owner: string, result?: Buffer) =>
      completed(h.stores.dedup, REF, { owner, ttlMs: DAY, result });
    const abandonOf = (ref: typeof REF, owner = 'a') => h.stores.dedup.abandon(ref, owner);
    const abandon = (owner: string) => abandonOf(REF, owner);
    /** Others of the same kind. */
    const keyLike = (n: string | number): string => `${key.slice(0, -3)}${n}`;
    const find = () => h.stores.dedup.find(REF);

    it('lets one of many begin, whoever they are; the others learn for how long it is busy', async () => {
      const other = await h.sibling();
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) => begin(`o${i}`, REF, i % 2 === 0 ? h.stores : other)),
      );
      expect(replies.filter(({ state }) => state === 'new')).toHaveLength(1);
      expect(replies.filter(({ state }) => state === 'busy')).toHaveLength(49);
      const busy = replies.find((reply) => reply.state === 'busy');
      expect(busy).toEqual({ state: 'busy', leftMs: LEASE });
    });

    it('is busy for no longer than a few leases, however far the clock was set back', async () => {
      await begin('a');
      h.jump(-3_600_000);
      expect(await begin('b')).toEqual({ state: 'busy', leftMs: 4 * LEASE });
      await h.advance(4 * LEASE - 1);
      expect(await begin('b')).toEqual({ state: 'busy', leftMs: 1 });
      await h.advance(1);
      expect(await begin('b')).toEqual({ state: 'new' });
      h.jump(-3_600_000);
      expect(await complete('b')).toBe('completed');
      expect(await begin('c')).toMatchObject({ state: 'done' });
    });

    it('is not cut short by a member with a shorter lease', async () => {
      await begin('a');
      const short = { owner: 'b', leaseMs: LEASE / 4 };
      expect(await claimed(h.stores.dedup, REF, short)).toEqual({ state: 'busy', leftMs: LEASE });
      await h.advance(LEASE - 1);
      expect(await begin('b')).toEqual({ state: 'busy', leftMs: 1 });
    });

    it('lets an owner begin again, since its reply may have been lost', async () => {
      await begin('a');
      await h.advance(20_000);
      expect(await begin('a')).toEqual({ state: 'new' });
      await h.advance(20_000);
      expect(await begin('b')).toMatchObject({ state: 'busy' });
    });

    it('answers done once it is completed, for its lifetime', async () => {
      await begin('a');
      expect(await complete('a')).toBe('completed');
      expect(await begin('b')).toEqual({ state: 'done', result: undefined });
      expect(await begin('a')).toEqual({ state: 'done', result: undefined });
      await h.advance(DAY - 1);
      expect(await begin('b')).toMatchObject({ state: 'done' });
      await h.advance(1);
      expect(await begin('b')).toEqual({ state: 'new' });
    });

    it('gives a result back byte for byte', async () => {
      const result = Buffer.from([0, 10, 13, 32, 255, 128, 0, 80, 32]);
      await begin('a');
      await complete('a', result);
      expect(await begin('b')).toEqual({ state: 'done', result });
      expect(await find()).toEqual({ state: 'done', result });
    });

    it('holds a result of 64 KiB', async () => {
      const result = Buffer.alloc(65_536, 7);
      await begin('a');
      await complete('a', result);
      expect(await begin('b')).toEqual({ state: 'done', result });
    });

    it('carries out what one owner asks in its order: a renewal on its way does not outlive the end', async () => {
      for (const pause of [async () => {}, nextTurn]) {
        await begin('a');
        const renewing = renew('a');
        await pause();
        expect(await Promise.all([renewing, abandon('a')])).toEqual(['renewed', 'abandoned']);
        expect(await find()).toBeUndefined();
      }
    });

    it('takes the ref it made for the one it was made of', async () => {
      const ref = h.stores.dedup.recordOf(REF);
      expect(ref).toMatchObject(REF);
      await begin('a', ref);
      expect(await begin('b')).toMatchObject({ state: 'busy' });
      await h.stores.dedup.abandon(ref, 'a');
      expect(await find()).toBeUndefined();
    });

    it('frees an abandoned record at once', async () => {
      await begin('a');
      expect(await abandon('a')).toBe('abandoned');
      expect(await begin('b')).toEqual({ state: 'new' });
    });

    it('lets a claim lapse whose owner is gone', async () => {
      await begin('a');
      await h.advance(LEASE - 1);
      expect(await begin('b')).toEqual({ state: 'busy', leftMs: 1 });
      await h.advance(1);
      expect(await begin('b')).toEqual({ state: 'new' });
    });

    it('keeps a claim that is renewed', async () => {
      await begin('a');
      for (let i = 0; i < 4; i++) {
        await h.advance(20_000);
        expect(await renew('a')).toBe('renewed');
      }
      expect(await begin('b')).toEqual({ state: 'busy', leftMs: LEASE });
    });

    it('renews and completes a claim that lapsed while nobody wanted it', async () => {
      await begin('a');
      await h.advance(LEASE + 1);
      expect(await renew('a')).toBe('renewed');
      await h.advance(LEASE + 1);
      expect(await complete('a')).toBe('completed');
    });

    it('refuses an owner that was overtaken, whatever it wants', async () => {
      await begin('a');
      await h.advance(LEASE);
      await begin('b');
      expect(await renew('a')).toBe('lost');
      expect(await complete('a')).toBe('lost');
      expect(await abandon('a')).toBe('lost');
      expect(await find()).toMatchObject({ state: 'in-progress', owner: 'b' });
      await complete('b');
      expect(await complete('a')).toBe('lost');
      expect(await renew('a')).toBe('lost');
      expect(await abandon('a')).toBe('lost');
      expect(await find()).toMatchObject({ state: 'done' });
    });

    it('takes each repeat for what it is', async () => {
      await begin('a');
      expect(await renew('a')).toBe('renewed');
      expect(await abandon('a')).toBe('abandoned');
      expect(await abandon('a')).toBe('abandoned');
      await begin('a');
      expect(await complete('a')).toBe('completed');
      expect(await complete('a')).toBe('completed');
      // What is done is not undone by a call that comes late.
      expect(await renew('a')).toBe('lost');
      expect(await abandon('a')).toBe('lost');
      expect(await begin('b')).toMatchObject({ state: 'done' });
    });

    it('keeps what each owner says, of several that ask alike in one turn', async () => {
      const [one, two] = [keyLike(101), keyLike(102)].map((each) => ({ ...REF, key: each }));
      const { dedup } = h.stores;
      await Promise.all([
        claimed(dedup, one!, { owner: 'a', leaseMs: LEASE }),
        claimed(dedup, two!, { owner: 'a', leaseMs: 2 * LEASE }),
      ]);
      expect(await Promise.all([begin('b', one), begin('b', two)])).toEqual([
        { state: 'busy', leftMs: LEASE },
        { state: 'busy', leftMs: 2 * LEASE },
      ]);
      const results = [Buffer.from('first'), Buffer.from('second')];
      const done = { owner: 'a', ttlMs: DAY };
      await Promise.all([
        completed(dedup, one!, { ...done, result: results[0] }),
        completed(dedup, two!, { ...done, result: results[1] }),
      ]);
      expect(await Promise.all([begin('b', one), begin('b', two)])).toEqual(
        results.map((result) => ({ state: 'done', result })),
      );
    });

    it('answers each call of one turn for itself', async () => {
      const more = Array.from({ length: 300 }, (_, i) => String(i).padStart(3, '0'));
      const others = more.flatMap((i) => [`k${i}`, keyLike(i)].map((key) => ({ ...REF, key })));
      const key2 = { ...REF, key: 'another' };
      await begin('first', others[7]);
      await begin('a');
      const replies = await Promise.all([
        complete('a', Buffer.from('r')),
        begin('b'),
        begin('a', key2),
        begin('b', key2),
        ...others.map((ref) => begin('a', ref)),
      ]);
      expect(replies.slice(0, 4)).toEqual([
        'completed',
        { state: 'done', result: Buffer.from('r') },
        { state: 'new' },
        { state: 'busy', leftMs: LEASE },
      ]);
      expect(
        replies.slice(4).map((reply) => (typeof reply === 'object' ? reply.state : reply)),
      ).toEqual(others.map((_, i) => (i === 7 ? 'busy' : 'new')));
    });

    it('tells records of one owner apart, however many it asks for together', async () => {
      const refs = Array.from({ length: 40 }, (_, i) => ({ ...REF, key: keyLike(i + 100) }));
      const all = <Reply>(ask: (ref: typeof REF, i: number) => Promise<Reply>): Promise<Reply[]> =>
        Promise.all(refs.map(ask));
      await all((ref, i) => (i % 4 === 0 ? begin('b', ref) : begin('a', ref)));
      expect((await all((ref) => begin('a', ref))).map(({ state }) => state)).toEqual(
        refs.map((_, i) => (i % 4 === 0 ? 'busy' : 'new')),
      );
      const complete = (ref: typeof REF) =>
        completed(h.stores.dedup, ref, { owner: 'a', ttlMs: DAY });
      expect(await all((ref, i) => (i % 4 === 1 ? abandonOf(ref) : complete(ref)))).toEqual(
        refs.map((_, i) => ['lost', 'abandoned', 'completed', 'completed'][i % 4]),
      );
      await h.advance(LEASE);
      expect((await all((ref) => begin('c', ref))).map(({ state }) => state)).toEqual(
        refs.map((_, i) => ['new', 'new', 'done', 'done'][i % 4]),
      );
      expect(await all(complete)).toEqual(refs.map((_, i) => (i % 4 < 2 ? 'lost' : 'completed')));
    });

    it.each([
      { ...REF, topic: 'refunds' },
      { ...REF, group: 'mail' },
      { ...REF, key: keyLike(118) },
      { ...REF, key: key.toUpperCase() },
      { topic: 'orders', group: 'billing:pay', key: '17' },
      { topic: 'g', group: 'billing', key: 'retry' },
      { ...REF, key: 'any {text}: *?[] ü \u{1F389} %3A' },
    ])('does not take %j for another', async (ref) => {
      await begin('a');
      await complete('a');
      expect(await begin('b', ref)).toEqual({ state: 'new' });
    });

    it('tells what it knows, and forgets it when told to', async () => {
      expect(await find()).toBeUndefined();
      expect(await h.stores.dedup.forget(REF)).toBe(false);
      await begin('a');
      expect(await find()).toMatchObject({ state: 'in-progress', owner: 'a' });
      expect(await h.stores.dedup.forget(REF)).toBe(true);
      await begin('b');
      await complete('b');
      expect(await h.stores.dedup.forget(REF)).toBe(true);
      expect(await begin('c')).toEqual({ state: 'new' });
    });
  });
}
