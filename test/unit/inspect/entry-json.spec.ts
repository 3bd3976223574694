import { newMessageId, writeMessageId } from '../../../lib/core/message/message-id.js';
import { Codecs } from '../../../lib/core/message/codecs.js';
import { encodeFrame, type Header } from '../../../lib/core/message/wire-format.js';
import { type EntryView, viewEntry } from '../../../lib/inspect/entry-view.js';

const PLACE = { topic: 'orders', queue: 0, offset: '1-0' };
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const PROTOBUF = Buffer.from([0x08, 0x07]);

function message(header: Header, body: Buffer): EntryView {
  const writeId = (target: Buffer, at: number): void => writeMessageId(newMessageId(1), target, at);
  const frame = encodeFrame(header, body, writeId);
  return viewEntry(PLACE, { kind: 'message', frame, only: null }, new Codecs());
}
const asJson = (view: unknown): unknown => JSON.parse(JSON.stringify(view));

describe('an entry as JSON', () => {
  it('shows the body of a message once, as what it is', () => {
    const view = message({ key: 'k' }, Buffer.from('{"id":7}'));
    const json = asJson({ entry: view }) as { entry: { message: object } };
    expect(json).toMatchObject({
      entry: { kind: 'message', only: null, body: { value: { id: 7 } }, message: { key: 'k' } },
    });
    expect(json.entry.message).not.toHaveProperty('bytes');
    expect(asJson((view as { message: unknown }).message)).toMatchObject({ bytes: '{"id":7}' });
  });

  it.each<[string, Buffer, unknown]>([
    ['text', Buffer.from('grüß\n'), 'grüß\n'],
    ['an image', PNG, { base64: 'iVBORw==' }],
    ['Protobuf', PROTOBUF, { base64: 'CAc=' }],
  ])('shows bytes that are %s', (_, bytes, shown) => {
    expect(asJson(message({ codec: 'bytes' }, bytes))).toMatchObject({ body: { value: shown } });
    expect(asJson(message({ codec: 'unheard of' }, bytes))).toMatchObject({
      body: { problem: expect.any(String) },
      message: { bytes: shown },
    });
    const fields = [Buffer.from('name'), bytes];
    expect(asJson(viewEntry(PLACE, { kind: 'foreign', fields }, new Codecs()))).toEqual({
      kind: 'foreign',
      fields: [['name', shown]],
    });
    const damaged = { kind: 'message', frame: bytes, only: null } as const;
    expect(asJson(viewEntry(PLACE, damaged, new Codecs()))).toMatchObject({
      kind: 'unreadable',
      bytes: shown,
    });
  });

  it('is told by JSON only', () => {
    const view = message({}, PNG);
    expect(Object.keys(view)).toEqual(['kind', 'message', 'body', 'only']);
    expect(view).toMatchObject({ message: { bytes: PNG } });
  });
});
