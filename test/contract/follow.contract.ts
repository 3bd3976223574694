import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, QUEUE, texts } from './messages.js';
import { LEASE_MS, TestOwner } from './test-owner.js';

const HOUR_MS = 3_600_000;
const PENDING = 5_000;

export function describeFollowing(open: OpenHarness): void {
  describe('an owner that another one follows', () => {
    const h = useHarness(open);
    const owner = (name: string): TestOwner => new TestOwner(h.stores, BILLING, name);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('reads nothing of what comes while it waits: the next owner gets all of it, in order', async () => {
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      await a.readOffsets();
      const bell = h.stores.leases.openDoorbell();
      const { signal } = new AbortController();
      const positions = [{ ...QUEUE, after: '0-0' }];
      const waiting = bell.wait({ positions, blockMs: 60_000, signal });
      await h.advance(LEASE_MS);
      await b.own();
      const offsets = await publishTexts(h.stores, numbered(2));
      expect(await waiting).toEqual(positions);
      expect(await a.read()).toEqual({ state: 'fenced' });
      expect(await b.readOffsets()).toEqual(offsets);
      expect(await b.begin('=x', offsets[0]!)).toMatchObject({ state: 'done' });
      await bell.close();
    });

    it('settles nothing when its process comes back by the same name', async () => {
      const [offset] = await publishTexts(h.stores, numbered(1));
      const before = owner('a');
      await before.own();
      await before.readOffsets();
      await before.begin('=x', offset!);
      await h.advance(LEASE_MS);
      const again = owner('a');
      const { records } = await again.own();
      expect(again.proof.fencingToken).toBeGreaterThan(before.proof.fencingToken);
      expect(records).toMatchObject([{ offset, attempt: 1 }]);
      expect(await before.ack('=x', offset!)).toEqual({ state: 'fenced' });
      expect(await before.release()).toBe('fenced');
      expect(await again.begin('=x', offset!)).toMatchObject({ state: 'done' });
      expect(await again.ack('=x', offset!)).toMatchObject({ state: 'done' });
    });

    it.each([
      ['forward', HOUR_MS],
      ['back', -HOUR_MS],
    ])('is followed in time, with a larger token, when the clock jumps %s', async (_, jumpMs) => {
      const offsets = await publishTexts(h.stores, numbered(2));
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      await a.readOffsets();
      await a.begin('=x', offsets[0]!);
      await a.retry('=x', offsets[0]!, 1_000);
      h.jump(jumpMs);
      if (jumpMs < 0) {
        // A lease lasts no longer than it was given for, and nobody is thrown out before.
        expect(await b.acquire()).toBe(false);
        expect(await a.renew()).toMatchObject({ state: 'renewed' });
        expect(await b.acquire()).toBe(false);
        await h.advance(LEASE_MS);
      }
      const { records } = await b.own();
      expect(b.proof.fencingToken).toBeGreaterThan(a.proof.fencingToken);
      expect(await a.ack('=x', offsets[0]!)).toEqual({ state: 'fenced' });
      expect(records).toMatchObject([{ offset: offsets[0], attempt: 2 }]);
      // Nothing waits for longer than was wanted.
      expect(records[0]!.leftMs).toBeLessThanOrEqual(1_000);
    });

    it('leaves five thousand deliveries, which the next one loads twenty at a time, each once and in order', async () => {
      const offsets: string[] = [];
      for (let i = 0; i < PENDING; i += 1_000)
        offsets.push(...(await publishTexts(h.stores, numbered(1_000))));
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      while ((await a.readOffsets(1_000)).length > 0);
      await h.advance(LEASE_MS);
      await b.acquire();
      const loaded: string[] = [];
      for (let last = false; !last;) {
        expect(await b.read()).toEqual({ state: 'gap' });
        const after = loaded.at(-1) ?? null;
        const page = await h.stores.leases.load(BILLING, b.proof, { after, count: 20 });
        if (page.state !== 'loaded') throw new Error(page.state);
        loaded.push(...page.entries.map(({ offset }) => offset));
        ({ last } = page);
      }
      expect(loaded).toEqual(offsets);
      expect(await b.readOffsets()).toEqual([]);
    });

    it('leaves its deliveries in the log, however old they are, until they are settled or held', async () => {
      const offsets = await publishTexts(h.stores, numbered(4));
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      await a.readOffsets(3);
      await a.ack('#1', offsets[0]!);
      await a.hold('=x', offsets[1]!);
      await h.advance(10 * 24 * HOUR_MS);
      expect(await h.stores.log.trim(QUEUE, 100)).toBe(2);
      const { entries, held } = await b.own();
      expect(texts(entries)).toEqual(['m3']);
      expect(held).toMatchObject([{ lane: '=x', count: 1 }]);
      const page = { from: 0, count: 9 };
      expect(texts(await h.stores.leases.heldEntries(BILLING, '=x', page))).toEqual(['m2']);
      expect(await b.readOffsets()).toEqual(offsets.slice(3));
    });

    it('leaves a delivery whose message was deleted, to be settled without it', async () => {
      const offsets = await publishTexts(h.stores, numbered(3));
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      await a.readOffsets();
      await h.tamper.deleteEntry(QUEUE, offsets[0]!);
      await h.advance(LEASE_MS);
      const { entries } = await b.own();
      expect(entries.map(({ content }) => content.kind)).toEqual(['gone', 'message', 'message']);
      expect(await b.ack('=x', offsets[0]!)).toMatchObject({ state: 'done' });
      expect(await b.begin('=x', offsets[1]!)).toMatchObject({ state: 'done' });
    });
  });
}
