import { Responder } from '../../../lib/core/consumer/responder.js';
import { UnsentAnswers } from '../../../lib/core/consumer/unsent-answers.js';
import { Codecs } from '../../../lib/core/message/codecs.js';
import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import type { MessageView } from '../../../lib/core/message/message.js';
import { decodeReply } from '../../../lib/core/message/reply-packet.js';
import type { ReplyState, ReplyStore } from '../../../lib/core/store/reply-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const TTL_MS = 1_000;
const MOST_BYTES = 1_000;

describe('an answer on its way back', () => {
  let clock: ManualClock;
  /** What the store answers, one after the other; then it takes everything. */
  let states: (ReplyState | Error)[];
  let asked: string[];
  let errors: unknown[];
  let responder: Responder;

  beforeEach(() => {
    clock = new ManualClock();
    [states, asked, errors] = [[], [], []];
    const reply = async (_: string, packet: Buffer): Promise<ReplyState> => {
      const { kind, bytes } = decodeReply(packet);
      asked.push(`${kind} ${bytes.toString()}`);
      const state = states.shift() ?? 'sent';
      if (state instanceof Error) throw state;
      return state;
    };
    const revive: ReplyStore['revive'] = async (address, { maxBytes }) =>
      void asked.push(`revive ${address} for ${maxBytes}`);
    responder = new Responder({
      message: {
        ...{ replyTo: 'inbox', ttlMs: TTL_MS },
        messageId: '01970000-0000-7000-8000-000000000000',
      } as MessageView,
      replies: { reply, revive } as ReplyStore,
      codecs: new Codecs(),
      clock,
      maxBytes: MOST_BYTES,
      maxInboxBytes: 7_000,
      unsent: new UnsentAnswers({ mostBytes: MOST_BYTES }),
      onError: (error) => errors.push(error),
    });
  });

  /** Within the time that all its tries take. */
  async function answered(value: unknown): Promise<void> {
    let isOver = false;
    void responder.lastValue(value).then(() => (isOver = true));
    await clock.advance(600);
    expect(isOver).toBe(true);
  }

  it('goes to an inbox that is made again while the time of the request is not up', async () => {
    states = ['gone', 'gone'];
    await answered('a');
    const post = 'last-value "a"';
    expect(asked).toEqual([post, post, 'revive inbox for 7000', post]);
    expect(errors).toEqual([]);
  });

  it('makes no inbox for whoever waits no longer', async () => {
    states = ['gone'];
    await clock.advance(TTL_MS);
    await answered('a');
    expect(asked).toEqual(['last-value "a"']);
  });

  it('is given up where the time was up between two tries', async () => {
    states = [new StoreUnavailableError('lost'), 'gone'];
    await clock.advance(TTL_MS - 10);
    await answered('a');
    expect(asked).toEqual(['last-value "a"', 'last-value "a"']);
  });

  it('waits for room in a full inbox, and says so', async () => {
    states = ['full', 'full', new StoreUnavailableError('lost')];
    await answered('a');
    expect(asked).toHaveLength(4);
    expect(errors.map(String)).toEqual([
      expect.stringContaining('requests.maxInboxBytes'),
      expect.stringContaining('requests.maxInboxBytes'),
      expect.stringContaining('lost'),
    ]);
  });

  it('is given up after five tries, with the reason', async () => {
    states = Array<ReplyState>(9).fill('full');
    await answered('a');
    expect(asked).toHaveLength(5);
    expect(errors).toHaveLength(5);
  });

  it('that is too large is an error that says so, and the last step', async () => {
    await responder.value('x'.repeat(MOST_BYTES));
    await responder.lastValue('b');
    expect(asked).toEqual([
      expect.stringMatching(/^error .*the answer takes 1002 bytes, producer.maxMessageBytes of/),
    ]);
  });

  it('is nothing after its end', async () => {
    await responder.end();
    await responder.value('late');
    expect(asked).toEqual(['end null']);
  });
});
