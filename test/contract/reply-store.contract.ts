import type { ReplyInbox } from '../../lib/core/store/reply-store.js';
import { type OpenHarness, useHarness } from './harness.js';
import { nothing } from './nothing.js';

const never = new AbortController().signal;

export function describeReplyStore(open: OpenHarness): void {
  describe('ReplyStore', () => {
    const h = useHarness(open);
    const openInbox = (ttlMs = 60_000, maxBytes = 64_000_000) =>
      h.stores.replies.openInbox({ ttlMs, maxBytes });
    const read = (inbox: ReplyInbox, blockMs = 0, signal = never) =>
      inbox.read({ blockMs, signal });
    /** The clock may be a real one here: it is asked until it is gone. */
    const expectItGoes = async (address: string): Promise<void> => {
      const reply = () => h.stores.replies.reply(address, Buffer.from('a'));
      while ((await reply()) !== 'gone') await h.advance(10);
    };

    it('brings packets to the inbox in the order they were sent, byte for byte, each once', async () => {
      const inbox = await openInbox();
      const other = await h.sibling();
      const packets = [
        Buffer.from([0, 255, 13, 10]),
        Buffer.alloc(0),
        Buffer.from('ü'),
        Buffer.alloc(1024 * 1024, 7),
      ];
      for (const packet of packets)
        expect(await other.replies.reply(inbox.address, packet)).toBe('sent');
      const received = [];
      while (received.length < packets.length) {
        const some = await read(inbox);
        expect(some.length).toBeGreaterThan(0);
        received.push(...some);
      }
      expect(received.map((packet, i) => packet.equals(packets[i]!))).toEqual([
        true,
        true,
        true,
        true,
      ]);
      expect(await read(inbox)).toEqual([]);
    });

    it('brings many packets of one turn, small and large, each once and in order', async () => {
      const inbox = await openInbox();
      const sizes = Array.from({ length: 300 }, (_, i) => (i % 50 === 0 ? 100_000 : 1 + (i % 7)));
      const packets = sizes.map((size, i) => Buffer.alloc(size, i % 256));
      const states = await Promise.all(
        packets.map((packet) => h.stores.replies.reply(inbox.address, packet)),
      );
      expect(new Set(states)).toEqual(new Set(['sent']));
      const received: Buffer[] = [];
      while (received.length < packets.length) {
        const some = await read(inbox);
        expect(some.length).toBeGreaterThan(0);
        received.push(...some);
      }
      expect(received.map((packet, i) => packet.equals(packets[i]!))).toEqual(
        sizes.map(() => true),
      );
    });

    it('gives every inbox an address of its own', async () => {
      const [a, b] = [
        await openInbox(),
        await (await h.sibling()).replies.openInbox({ ttlMs: 60_000, maxBytes: 64_000_000 }),
      ];
      expect(a.address).not.toBe(b.address);
      await h.stores.replies.reply(b.address, Buffer.from('for b'));
      expect(await read(a)).toEqual([]);
      expect((await read(b)).map(String)).toEqual(['for b']);
    });

    it('brings packets of one turn to the inboxes they are for, in their order, also in the next turn', async () => {
      const inboxes = [await openInbox(), await openInbox()] as const;
      for (const turn of [1, 2]) {
        const sent = ['a', 'b', 'c', 'd'].map((name, i) =>
          h.stores.replies.reply(inboxes[i % 2]!.address, Buffer.from(`${name}${turn}`)),
        );
        expect(await Promise.all(sent)).toEqual(['sent', 'sent', 'sent', 'sent']);
        expect((await read(inboxes[0])).map(String)).toEqual([`a${turn}`, `c${turn}`]);
        expect((await read(inboxes[1])).map(String)).toEqual([`b${turn}`, `d${turn}`]);
      }
      for (const inbox of inboxes) await inbox.close();
    });

    it('waits for a packet', async () => {
      const inbox = await openInbox();
      const reading = read(inbox, 20_000);
      await h.advance(5);
      await (await h.sibling()).replies.reply(inbox.address, Buffer.from('a'));
      expect((await reading).map(String)).toEqual(['a']);
    });

    it('stops waiting after `blockMs`, when the signal aborts, and on close', async () => {
      const inbox = await openInbox();
      const timed = read(inbox, 20);
      await h.advance(20);
      expect(await timed).toEqual([]);

      const aborter = new AbortController();
      const aborted = read(inbox, 20_000, aborter.signal);
      await h.advance(5);
      aborter.abort();
      expect(await nothing(aborted)).toEqual([]);
      expect(await nothing(read(inbox, 20_000, AbortSignal.abort()))).toEqual([]);

      const closed = read(inbox, 20_000);
      await h.advance(5);
      await inbox.close();
      expect(await nothing(closed)).toEqual([]);
    });

    it('keeps no answer when nobody waits', async () => {
      expect(await h.stores.replies.reply('nowhere', Buffer.from('a'))).toBe('gone');
      expect(await h.stores.replies.reply('nowhere', Buffer.alloc(100_000))).toBe('gone');
      expect(await h.stores.replies.reply('nowhere', Buffer.from('a'))).toBe('gone');
      const inbox = await openInbox();
      await h.stores.replies.reply(inbox.address, Buffer.from('a'));
      await inbox.close();
      expect(await h.stores.replies.reply(inbox.address, Buffer.from('b'))).toBe('gone');
    });

    it('revives an inbox that is gone, for a while, and leaves one that is there alone', async () => {
      const { replies } = h.stores;
      const lost = await openInbox();
      await lost.close();
      await replies.revive(lost.address, { ttlMs: 60_000, maxBytes: 100_000 });
      expect(await replies.reply(lost.address, Buffer.from('a'))).toBe('sent');
      expect(await replies.reply(lost.address, Buffer.alloc(90_000))).toBe('sent');
      expect(await replies.reply(lost.address, Buffer.alloc(90_000))).toBe('full');

      const shortly = await openInbox();
      await shortly.close();
      // At once: on a busy machine it may be gone again before the answer to the first one is heard.
      await Promise.all(
        [200, 60_000].map((ttlMs) => replies.revive(shortly.address, { ttlMs, maxBytes: 100 })),
      );
      await expectItGoes(shortly.address);

      const inbox = await openInbox();
      await replies.reply(inbox.address, Buffer.from('b'));
      await replies.revive(inbox.address, { ttlMs: 1, maxBytes: 1 });
      await h.advance(5);
      expect((await read(inbox)).map(String)).toEqual(['b']);
    });

    it('takes answers before the first read, and between reads', async () => {
      const inbox = await openInbox();
      expect(await h.stores.replies.reply(inbox.address, Buffer.from('a'))).toBe('sent');
      expect((await read(inbox)).map(String)).toEqual(['a']);
      expect(await h.stores.replies.reply(inbox.address, Buffer.from('b'))).toBe('sent');
      expect((await read(inbox)).map(String)).toEqual(['b']);
    });

    it('lets an inbox disappear that was not read for its lifetime', async () => {
      const inbox = await openInbox(200);
      // Answers do not keep it alive.
      await expectItGoes(inbox.address);
    });

    it('takes no more than so many bytes that nobody has read, one packet always, and more once they are read', async () => {
      const inbox = await openInbox(60_000, 100_000);
      const other = (await h.sibling()).replies;
      const reply = (bytes: number) => other.reply(inbox.address, Buffer.alloc(bytes));
      expect(await reply(200_000)).toBe('sent');
      expect(await reply(10_000)).toBe('full');
      for (let round = 0; round < 3; round++) {
        let received = await read(inbox);
        while (received.length === 0) received = await read(inbox);
        // What it has read does not count from its next read on.
        expect(await read(inbox)).toEqual([]);
        const replies = [];
        for (let i = 0; i < 12; i++) replies.push(await reply(10_000));
        expect(replies.slice(0, 9)).toEqual(replies.slice(0, 9).map(() => 'sent'));
        expect(replies.slice(-2)).toEqual(['full', 'full']);
      }
    });

    it('keeps an inbox that is read', async () => {
      const inbox = await openInbox(10_000);
      for (let i = 0; i < 5; i++) {
        await h.advance(3_000);
        await read(inbox);
      }
      expect(await h.stores.replies.reply(inbox.address, Buffer.from('a'))).toBe('sent');
      expect((await read(inbox)).map(String)).toEqual(['a']);
    });
  });
}
