import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import { allOf, consume, deadLettered, type OpenAdminBed, publish, useBed } from './bed.js';

const UNKNOWN_ID = '01890a5d-ac96-774b-bcce-b302099a8057';

export function describeMessageAdmin(open: OpenAdminBed): void {
  describe('messages', () => {
    const bed = useBed(open, { topics: { queues: 2 } });

    it('finds a visible message by its id', async () => {
      for (let i = 0; i < 5; i++) await publish(bed, i);
      const sent = await publish(bed, { id: 7 }, { key: 'k', tag: 'created' });
      expect(await bed.admin.findById('orders', sent.messageId)).toEqual([
        {
          state: 'visible',
          queue: sent.queue,
          offset: sent.offset,
          entry: {
            kind: 'message',
            only: null,
            body: { value: { id: 7 } },
            message: expect.objectContaining({
              messageId: sent.messageId,
              key: 'k',
              tag: 'created',
            }),
          },
        },
      ]);
    });

    it('finds a scheduled message, with its time', async () => {
      const { messageId, queue } = await publish(bed, 'later', { delayMs: 3_600_000 });
      expect(await bed.admin.findById('orders', messageId)).toMatchObject([
        { state: 'scheduled', queue, dueAt: expect.any(Number), entry: { kind: 'message' } },
      ]);
    });

    it('finds a dead letter beside its message, and both again after a redrive', async () => {
      let rejects = true;
      await consume(bed, () => {
        if (rejects) throw new RejectMessageError('no such customer');
      });
      const gone = deadLettered(bed, 1);
      const { messageId } = await publish(bed, 'a');
      await gone;
      const places = await bed.admin.findById('orders', messageId);
      expect(places.map(({ state }) => state)).toEqual(['visible', 'dead-letter']);
      expect(places[1]).toMatchObject({ group: 'billing', letter: { reason: 'no such customer' } });

      rejects = false;
      const { letters } = await bed.admin.listDeadLetters('orders', 'billing');
      await bed.admin.redriveDeadLetter('orders', 'billing', letters[0]!.id);
      const after = await bed.admin.findById('orders', messageId);
      expect(after.map((place) => place.state === 'visible' && place.entry)).toMatchObject([
        { only: null },
        { only: 'billing' },
      ]);
    });

    it('finds nothing for an id that is not there', async () => {
      await publish(bed, 'a');
      expect(await bed.admin.findById('orders', UNKNOWN_ID)).toEqual([]);
    });

    it('finds by key, oldest first over all queues', async () => {
      for (let i = 0; i < 30; i++)
        await publish(bed, i, { key: i % 3 === 0 ? 'wanted' : 'other', queue: i % 2 });
      const found = await allOf(bed.admin.findByKey('orders', 'wanted'));
      expect(found.map(({ entry }) => entry.body)).toEqual(
        [0, 3, 6, 9, 12, 15, 18, 21, 24, 27].map((value) => ({ value })),
      );
    });

    it('answers in pages, up to the limit', async () => {
      await bed.until(
        Promise.all(Array.from({ length: 350 }, (_, i) => bed.rivulet.producer.send('orders', i))),
      );
      const sizes: number[] = [];
      for await (const page of bed.admin.findByTime('orders', { limit: 250 }))
        sizes.push(page.length);
      expect(sizes).toEqual([100, 100, 50]);
      expect(await allOf(bed.admin.findByTime('orders'))).toHaveLength(350);
    });

    it('answers in shorter pages when messages are large', async () => {
      const bodies = Array.from({ length: 12 }, () => 'x'.repeat(1_000_000));
      for (const body of bodies) await publish(bed, body, { queue: 0 });
      const sizes: number[] = [];
      for await (const page of bed.admin.findByTime('orders')) sizes.push(page.length);
      expect(sizes).toEqual([9, 3]);
    });

    it('finds what became visible between two times', async () => {
      const first = await publish(bed, 'a');
      const at = new Date(Number(first.offset!.split('-')[0]));
      const before = new Date(at.getTime() - 1);
      const found = await allOf(bed.admin.findByTime('orders', { from: at, to: at }));
      expect(found.map(({ offset }) => offset)).toContain(first.offset);
      expect(await allOf(bed.admin.findByTime('orders', { to: before }))).toEqual([]);
    });

    it('shows entries of other programs as they are', async () => {
      await bed.admin.createTopic('orders');
      const fields = ['name', 'Ada', 'raw', '\u0000'].map((field) => Buffer.from(field));
      const offset = await bed.addForeign({ topic: 'orders', queue: 1 }, fields);
      expect(await allOf(bed.admin.findByTime('orders'))).toEqual([
        {
          queue: 1,
          offset,
          entry: {
            kind: 'foreign',
            fields: [
              [fields[0], fields[1]],
              [fields[2], fields[3]],
            ],
          },
        },
      ]);
    });

    it('can be left in the middle', async () => {
      await publish(bed, 'a');
      await publish(bed, 'b');
      for await (const page of bed.admin.findByTime('orders', { limit: 1 })) {
        expect(page).toHaveLength(1);
        break;
      }
    });

    it('refuses a search that cannot be meant, before anything is read', () => {
      const later = new Date(2_000);
      const earlier = new Date(1_000);
      expect(() => bed.admin.findByTime('orders', { from: later, to: earlier })).toThrow(
        /from must not be later than to/,
      );
      expect(() => bed.admin.findByKey('a b', '', { limit: 0, form: later } as object)).toThrow(
        expect.objectContaining({
          problems: [
            expect.stringContaining('topic must be'),
            expect.stringContaining('key must be text'),
            expect.stringContaining('did you mean "from"'),
            expect.stringContaining('limit must be an integer of at least 1'),
          ],
        }) as Error,
      );
      expect(() => bed.admin.findByTime('orders', { from: new Date(NaN) })).toThrow(
        /from must be a valid Date/,
      );
    });

    it.each([[''], ['x'], [UNKNOWN_ID.toUpperCase()], [undefined], [42]])(
      'refuses the id %p',
      async (id) => {
        await publish(bed, 'a');
        for (const refused of [
          bed.admin.findById('orders', id as string),
          bed.admin.cancelScheduled('orders', id as string),
          bed.admin.reschedule('orders', id as string, { delayMs: 0 }),
        ])
          await expect(refused).rejects.toThrow(/messageId must be a message id/);
      },
    );
  });

  describe('scheduled messages', () => {
    const bed = useBed(open, { topics: { queues: 3 } });

    it('are listed page by page, queue after queue, by when they are due', async () => {
      const dueAt = (minutes: number) => new Date(Date.UTC(2100, 0, 1, 0, minutes));
      for (const [i, minutes] of [5, 1, 4, 2, 3].entries())
        await publish(bed, i, { deliverAt: dueAt(minutes), queue: i % 2 });
      await publish(bed, 'visible', { queue: 0 });
      const found = [];
      for (let after: string | undefined; ;) {
        const page = await bed.admin.listScheduled('orders', { ...(after && { after }), limit: 2 });
        expect(page.messages.length).toBeLessThanOrEqual(2);
        found.push(...page.messages);
        if (page.next === null) break;
        after = page.next;
      }
      expect(
        found.map(({ queue, dueAt: at, entry }) => [
          ...[queue, (at - dueAt(0).getTime()) / 60_000],
          entry.kind === 'message' && 'value' in entry.body && entry.body.value,
        ]),
      ).toEqual([
        [0, 3, 4],
        [0, 4, 2],
        [0, 5, 0],
        [1, 1, 1],
        [1, 2, 3],
      ]);
      const due = await bed.admin.listScheduled('orders', { from: dueAt(2), to: dueAt(4) });
      expect(due.next).toBeNull();
      expect(due.messages.map((one) => (one.dueAt - dueAt(0).getTime()) / 60_000)).toEqual([
        3, 4, 2,
      ]);
      const { messages, next } = await bed.admin.listScheduled('orders', { maxBytes: 1 });
      expect(messages).toHaveLength(1);
      // Behind the page before, and not before `from`.
      const rest = await bed.admin.listScheduled('orders', { after: next!, from: dueAt(5) });
      expect(rest.messages.map((one) => one.dueAt)).toEqual([dueAt(5).getTime()]);
    });

    it('are listed with the ids by which they are cancelled', async () => {
      const { messageId } = await publish(bed, 'later', { delayMs: 3_600_000 });
      const { messages } = await bed.admin.listScheduled('orders');
      expect(messages).toMatchObject([{ messageId, topic: 'orders' }]);
      expect(await bed.admin.cancelScheduled('orders', messages[0]!.messageId)).toBe(true);
      expect(await bed.admin.listScheduled('orders')).toEqual({ messages: [], next: null });
    });

    it.each([
      [{ after: 'x' }, /after must be `next` of the page before, got: "x"/],
      [{ after: 5 }, /after must be `next`/],
      [{ limit: 0 }, /limit must be an integer/],
      [{ from: new Date(5), to: new Date(4) }, /from must not be later than to/],
      [{ to: 'tomorrow' }, /to must be a valid Date/],
      [{ form: new Date() }, /did you mean "from"/],
      [null, /options must be an object/],
    ])('are not listed when the page is %p: it says what is wrong', async (page, problem) => {
      await publish(bed, 'later', { delayMs: 3_600_000 });
      await expect(bed.admin.listScheduled('orders', page as never)).rejects.toThrow(problem);
    });

    it('cancels one, once', async () => {
      const { messageId } = await publish(bed, 'later', { delayMs: 3_600_000 });
      expect(await bed.admin.cancelScheduled('orders', messageId)).toBe(true);
      expect(await bed.admin.cancelScheduled('orders', messageId)).toBe(false);
      expect(await bed.admin.findById('orders', messageId)).toEqual([]);
    });

    it('brings one forward, and it is delivered then', async () => {
      const received: unknown[] = [];
      await consume(bed, ({ body }) => received.push(body));
      const acked = bed.rivulet.events.next('acked');
      const { messageId } = await publish(bed, 'later', { delayMs: 3_600_000 });
      expect(await bed.admin.reschedule('orders', messageId, { delayMs: 50 })).toBe(true);
      await bed.until(acked);
      expect(received).toEqual(['later']);
      expect(await bed.admin.reschedule('orders', messageId, { delayMs: 50 })).toBe(false);
    });

    it('takes a time that has passed for now', async () => {
      await consume(bed, () => {});
      const acked = bed.rivulet.events.next('acked');
      const { messageId } = await publish(bed, 'later', { delayMs: 3_600_000 });
      await bed.admin.reschedule('orders', messageId, { deliverAt: new Date(1) });
      expect(await bed.until(acked)).toMatchObject({ messageId });
    });

    it('leaves a visible message alone', async () => {
      const { messageId } = await publish(bed, 'a');
      expect(await bed.admin.cancelScheduled('orders', messageId)).toBe(false);
      expect(await bed.admin.reschedule('orders', messageId, { delayMs: 1 })).toBe(false);
      expect(await bed.admin.findById('orders', messageId)).toHaveLength(1);
    });

    it.each([
      [{}, /either delayMs or deliverAt/],
      [{ delayMs: 1, deliverAt: new Date() }, /either delayMs or deliverAt/],
      [{ delayMs: -1 }, /delayMs must be an integer/],
      [{ delayMs: NaN }, /delayMs must be an integer/],
      [{ deliverAt: new Date(NaN) }, /deliverAt must be a valid Date/],
      [{ deliverAt: 5 }, /deliverAt must be a valid Date/],
      [{ delay: 5 }, /did you mean "delayMs"/],
      [null, /options must be an object/],
    ])('refuses the new time %p', async (due, problem) => {
      const { messageId } = await publish(bed, 'later', { delayMs: 3_600_000 });
      await expect(bed.admin.reschedule('orders', messageId, due as never)).rejects.toThrow(
        problem,
      );
    });
  });
}
