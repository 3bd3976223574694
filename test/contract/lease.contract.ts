import { QueueFaultedError } from '../../lib/core/message/errors.js';
import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, QUEUE } from './messages.js';
import { LEASE_MS, TestOwner } from './test-owner.js';

export function describeLease(open: OpenHarness): void {
  describe('QueueLeaseStore.acquire, renew and release', () => {
    const h = useHarness(open);
    const owner = (name: string): TestOwner => new TestOwner(h.stores, BILLING, name);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('gives a queue to one owner at a time', async () => {
      const [a, b] = [owner('a'), owner('b')];
      expect(await a.acquire()).toBe(true);
      expect(await b.acquire()).toBe(false);
      expect(await h.stores.leases.acquire(BILLING, { owner: 'b', leaseMs: LEASE_MS })).toEqual({
        state: 'held',
        owner: 'a',
        leftMs: LEASE_MS,
      });
      expect(await h.stores.leases.view(BILLING)).toEqual({ owner: 'a', leftMs: LEASE_MS });
    });

    it('gives an expired or released lease to whoever asks, and the tokens only grow', async () => {
      const [a, b] = [owner('a'), owner('b')];
      await a.acquire();
      await h.advance(LEASE_MS);
      expect(await h.stores.leases.view(BILLING)).toEqual({ owner: null, leftMs: 0 });
      expect(await b.acquire()).toBe(true);
      expect(b.proof.fencingToken).toBeGreaterThan(a.proof.fencingToken);
      expect(await b.release()).toBe('released');
      const earlier = b.proof.fencingToken;
      expect(await a.acquire()).toBe(true);
      expect(a.proof.fencingToken).toBeGreaterThan(earlier);
      const again = a.proof.fencingToken;
      await a.acquire();
      expect(a.proof.fencingToken).toBeGreaterThan(again);
    });

    it('tells an owner whether somebody else owned it in between', async () => {
      const claim = { leaseMs: LEASE_MS };
      const acquire = (name: string) => h.stores.leases.acquire(BILLING, { owner: name, ...claim });
      expect(await acquire('a')).toMatchObject({ continued: false });
      await h.advance(LEASE_MS * 2);
      expect(await acquire('a')).toMatchObject({ continued: true });
      await h.advance(LEASE_MS);
      await acquire('b');
      await h.advance(LEASE_MS);
      expect(await acquire('a')).toMatchObject({ continued: false });
    });

    it('renews for as long as nobody else took it, expired or not', async () => {
      const [a, b] = [owner('a'), owner('b')];
      await a.acquire();
      await h.advance(LEASE_MS - 1);
      expect(await a.renew()).toEqual({ state: 'renewed', nudge: 0, strangers: 0 });
      await h.advance(LEASE_MS - 1);
      expect(await b.acquire()).toBe(false);
      await h.advance(LEASE_MS);
      expect(await a.renew()).toMatchObject({ state: 'renewed' });
      expect(await b.acquire()).toBe(false);
      await h.advance(LEASE_MS);
      expect(await b.acquire()).toBe(true);
      expect(await a.renew()).toEqual({ state: 'fenced' });
      expect(await a.release()).toBe('fenced');
      expect(await b.renew()).toMatchObject({ state: 'renewed' });
    });

    it('keeps nobody out for longer than a lease, however far the clock was set back', async () => {
      const [a, b] = [owner('a'), owner('b')];
      await a.acquire();
      h.jump(-3_600_000);
      expect(await b.acquire()).toBe(false);
      await h.advance(LEASE_MS);
      expect(await b.acquire()).toBe(true);
    });

    it('leaves an owner the whole of its lease, also when who asks has a shorter one', async () => {
      const [patient, hasty] = [owner('patient'), owner('hasty')];
      const [long, short] = [60_000, 3_000];
      await patient.acquire(long);
      expect(await hasty.acquire(short)).toBe(false);
      await h.advance(long - 1);
      expect(await hasty.acquire(short)).toBe(false);
      const proof = { ...patient.proof };
      await h.stores.leases.renew(BILLING, proof, long * 2);
      expect(await hasty.acquire(short)).toBe(false);
      expect(await h.stores.leases.view(BILLING)).toEqual({ owner: 'patient', leftMs: long * 2 });
      h.jump(-3_600_000);
      expect(await hasty.acquire(short)).toBe(false);
      expect(await h.stores.leases.view(BILLING)).toEqual({ owner: 'patient', leftMs: long * 2 });
    });

    it('refuses everything of an owner that another one has followed', async () => {
      const offsets = await publishTexts(h.stores, numbered(2));
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      await a.readOffsets();
      await a.begin('=x', offsets[0]!);
      await h.advance(LEASE_MS);
      await b.own();
      const fenced = { state: 'fenced' };
      expect(await a.read()).toEqual(fenced);
      expect(await a.ack('=x', offsets[0]!)).toEqual(fenced);
      expect(await a.hold('=x', offsets[1]!)).toEqual(fenced);
      expect(await a.stepHeld('=x', { kind: 'ack', offset: offsets[1]! })).toEqual(fenced);
      const page = { after: null, count: 10 };
      expect(await h.stores.leases.load(BILLING, a.proof, page)).toEqual(fenced);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 2, held: 0 });
      expect(await b.ack('=x', offsets[0]!)).toMatchObject({ state: 'done' });
    });

    it('refuses everything of an owner from before it acquired anew', async () => {
      const offsets = await publishTexts(h.stores, numbered(3));
      const [before, now] = [owner('a'), owner('a')];
      await before.own();
      await before.readOffsets(2);
      await now.own();
      // As if it knew how many calls there were since.
      before.proof = { ...now.proof, fencingToken: before.proof.fencingToken };
      const fenced = { state: 'fenced' };
      expect(await before.read()).toEqual(fenced);
      expect(await before.begin('=x', offsets[0]!)).toEqual(fenced);
      expect(await before.hold('=x', offsets[0]!)).toEqual(fenced);
      expect(await before.stepHeld('=x', { kind: 'ack', offset: offsets[0]! })).toEqual(fenced);
      const page = { after: null, count: 10 };
      expect(await h.stores.leases.load(BILLING, before.proof, page)).toEqual(fenced);
      expect(await before.renew()).toEqual(fenced);
      expect(await before.release()).toBe('fenced');
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 2, held: 0 });
      // Nor is a token worth anything in the name of somebody else.
      const other = owner('b');
      other.proof = { ...now.proof, owner: 'b' };
      expect(await other.read()).toEqual(fenced);
      expect(await other.begin('=x', offsets[0]!)).toEqual(fenced);
      expect(await other.hold('=x', offsets[0]!)).toEqual(fenced);
      expect(await other.stepHeld('=x', { kind: 'ack', offset: offsets[0]! })).toEqual(fenced);
      expect(await h.stores.leases.load(BILLING, other.proof, page)).toEqual(fenced);
      expect(await other.renew()).toEqual(fenced);
      expect(await other.release()).toBe('fenced');
      expect(await now.readOffsets()).toEqual(offsets.slice(2));
    });

    it('refuses an owner that missed one of its own calls, until it loads again', async () => {
      const offsets = await publishTexts(h.stores, numbered(2));
      const a = owner('a');
      await a.own();
      const before = a.proof;
      await a.readOffsets();
      a.proof = before; // as if the reply had been lost
      expect(await a.read()).toEqual({ state: 'gap' });
      expect(await a.begin('=x', offsets[0]!)).toEqual({ state: 'gap' });
      const { entries } = await a.own();
      expect(entries.map(({ offset }) => offset)).toEqual(offsets);
      expect(await a.begin('=x', offsets[0]!)).toMatchObject({ state: 'done' });
    });

    it('refuses to read before everything was loaded', async () => {
      await publishTexts(h.stores, numbered(5));
      const [a, b] = [owner('a'), owner('b')];
      await a.own();
      await a.readOffsets();
      await a.release();
      await b.acquire();
      const load = (after: string | null) =>
        h.stores.leases.load(BILLING, b.proof, { after, count: 2 });
      let page = await load(null);
      const seen: string[] = [];
      for (;;) {
        if (page.state !== 'loaded') throw new Error(page.state);
        seen.push(...page.entries.map(({ offset }) => offset));
        if (page.last) break;
        expect(await b.read()).toEqual({ state: 'gap' });
        page = await load(seen.at(-1)!);
      }
      expect(seen).toHaveLength(5);
      expect(await b.readOffsets()).toEqual([]);
    });

    it('is not released while a head is started', async () => {
      const [offset] = await publishTexts(h.stores, numbered(1));
      const a = owner('a');
      await a.own();
      await a.readOffsets();
      await a.begin('=x', offset!);
      expect(await a.release()).toBe('busy');
      await a.retry('=x', offset!, 1_000);
      expect(await a.release()).toBe('released');
      expect(await h.stores.leases.view(BILLING)).toEqual({ owner: null, leftMs: 0 });
    });

    it('takes back what was read behind the owner’s back, in its place', async () => {
      const offsets = await publishTexts(h.stores, numbered(4));
      const a = owner('a');
      await a.own();
      await a.readOffsets(1);
      const stranger = h.consumer(BILLING, 'stranger');
      await stranger.read({ perQueue: 2 });
      expect(await a.renew()).toMatchObject({ strangers: 2 });
      expect((await a.own()).entries.map(({ offset }) => offset)).toEqual(offsets.slice(0, 3));
      expect(await a.renew()).toMatchObject({ strangers: 0 });
      expect(await a.readOffsets()).toEqual(offsets.slice(3));
    });

    it('names the queue in which the group is gone; its owner is none any more', async () => {
      const offsets = await publishTexts(h.stores, numbered(2));
      const a = owner('a');
      await a.own();
      await a.readOffsets();
      await a.begin('=x', offsets[0]!);
      await h.tamper.dropGroup(BILLING);
      await expect(a.read()).rejects.toThrow(QueueFaultedError);
      await expect(a.acquire()).rejects.toMatchObject({ fault: 'no-group', queue: 0 });
      await join(h.stores, 'billing');
      expect(await a.ack('=x', offsets[0]!)).toEqual({ state: 'fenced' });
      const { entries, records } = await a.own();
      expect([entries, records]).toEqual([[], []]);
      expect(await a.readOffsets()).toEqual(offsets);
    });

    it('rings when something stands behind what was read, in whatever topic', async () => {
      const [first] = await publishTexts(h.stores, ['a']);
      const elsewhere = { topic: 'returns', queue: 0, after: '0-0' };
      await h.stores.topics.declare('returns', { queues: 1 });
      const bell = h.stores.leases.openDoorbell();
      const { signal } = new AbortController();
      const wait = (after: string) =>
        bell.wait({ positions: [{ ...QUEUE, after }, elsewhere], blockMs: 5_000, signal });
      expect(await wait('0-0')).toEqual([{ ...QUEUE, after: '0-0' }]);
      const waiting = wait(first!);
      await publishTexts(h.stores, ['b'], QUEUE);
      expect(await waiting).toEqual([{ ...QUEUE, after: first }]);
      await publishTexts(h.stores, ['c'], elsewhere);
      expect(await wait('0-0')).toEqual([{ ...QUEUE, after: '0-0' }, elsewhere]);
      const stop = new AbortController();
      const [second] = (await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 9 })).slice(
        -1,
      );
      const idle = bell.wait({
        positions: [{ ...QUEUE, after: second!.offset }],
        blockMs: 5_000,
        signal: stop.signal,
      });
      stop.abort();
      expect(await idle).toEqual([]);
      await bell.close();
    });

    it('keeps a roster of the members of each group', async () => {
      const [one, other] = ['billing', 'audit'].map((group) =>
        h.stores.leases.roster({ topic: 'orders', group }),
      );
      await one!.beat('a');
      expect((await one!.beat('b')).members.map(({ member }) => member)).toEqual(['a', 'b']);
      expect((await other!.beat('c')).members.map(({ member }) => member)).toEqual(['c']);
      await one!.leave('a');
      expect((await one!.beat('b')).members.map(({ member }) => member)).toEqual(['b']);
    });
  });
}
