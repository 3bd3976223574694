import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { sendBatch } from '../../../lib/core/producer/send-batch.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

/** A topic that is deleted and made anew while messages are on their way to it. */
describe('sends to a topic that changes', () => {
  let bed: TestBed;
  /** Appends wait here until they are let go. */
  let held: (() => void)[];
  let holding: boolean;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    held = [];
    holding = false;
    const { log } = bed.stores;
    const append = log.append.bind(log);
    log.append = async (call) => {
      if (holding) await new Promise<void>((resolve) => held.push(resolve));
      return append(call);
    };
    await bed.publish('orders', 'known');
  });
  afterEach(() => bed.close());

  async function anew(queues: number): Promise<void> {
    await bed.stores.topics.remove('orders');
    await bed.stores.topics.declare('orders', { queues });
  }
  const send = (body: string, timeoutMs = 10_000): Promise<unknown> =>
    bed.publish('orders', body, { messageGroup: 'g', timeoutMs });
  const sendTwo = (first: string, second: string): Promise<unknown> =>
    sendBatch(
      bed.rivulet.producer,
      'orders',
      [first, second].map((body) => ({ body, messageGroup: 'g' })),
    );
  const bodies = async (): Promise<unknown[]> => {
    const sent = await bed.sent('orders');
    return [...sent].sort((a, b) => (a.offset! < b.offset! ? -1 : 1)).map(({ body }) => body);
  };

  it.each([1, 4])(
    'keep their order when somebody else has looked the topic up meanwhile (%i queues now)',
    async (queues) => {
      holding = true;
      const sends = [send('first')];
      await bed.clock.settle();
      sends.push(send('second'));
      await anew(queues);
      // As a consumer does in whose queue the group has vanished.
      await bed.rivulet.topics.refresh('orders');
      sends.push(send('third'));
      await bed.clock.settle();
      holding = false;
      for (const letGo of held) letGo();
      sends.push(send('fourth'));
      await bed.advance(5_000);
      await Promise.all(sends);
      expect(await bodies()).toEqual(['first', 'second', 'third', 'fourth']);
    },
  );

  it('keep their order when a batch comes after a look at the topic that has grown', async () => {
    holding = true;
    const sends = [send('first')];
    await bed.clock.settle();
    await bed.stores.topics.alter('orders', { queues: 4 });
    await bed.rivulet.topics.find('orders');
    holding = false;
    sends.push(sendTwo('second', 'third'));
    await bed.clock.settle();
    held[0]!();
    sends.push(send('fourth'));
    await bed.advance(5_000);
    await Promise.all(sends);
    expect(await bodies()).toEqual(['known', 'first', 'second', 'third', 'fourth']);
  });

  it('are all answered at a stop, also when a batch came after the topic had grown', async () => {
    holding = true;
    const answered: string[] = [];
    void send('first', 60_000).catch(() => answered.push('first'));
    await bed.clock.settle();
    await bed.stores.topics.alter('orders', { queues: 4 });
    await bed.rivulet.topics.find('orders');
    void sendTwo('second', 'third').catch(() => answered.push('batch'));
    const stopping = bed.rivulet.stop(2_000);
    await bed.advance(3_000);
    await stopping;
    expect(answered).toEqual(['first', 'batch']);
    expect(bed.clock.armed).toBe(0);
  });

  it('keep their order when room in the buffer lets one go while the topic is looked up', async () => {
    await bed.close();
    bed = await TestBed.open({
      settings: { topics: { queues: 1 }, producer: { maxBufferedMessages: 2 } },
    });
    await bed.publish('orders', 'known');
    await bed.publish('other', 'known');
    const { topics, log } = bed.stores;
    const append = log.append.bind(log);
    let letOther: (() => void) | undefined;
    log.append = async (call) => {
      if (call.topic === 'other') await new Promise<void>((resolve) => (letOther = resolve));
      return append(call);
    };
    const other = bed.publish('other', 'fills the buffer');
    const sends = [send('first')];
    await anew(1);
    const declare = topics.declare.bind(topics);
    let letDeclare: (() => void) | undefined;
    topics.declare = async (...args) => {
      await new Promise<void>((resolve) => (letDeclare = resolve));
      return declare(...args);
    };
    sends.push(send('second'), send('third'));
    await bed.advance(1_000);
    // The topic is being looked up, `second` waits for room: now there is some.
    letOther!();
    await bed.clock.settle();
    letDeclare!();
    await bed.clock.settle();
    topics.declare = declare;
    sends.push(send('fourth'));
    for (let i = 0; i < 10; i++) {
      letDeclare!();
      await bed.advance(1_000);
    }
    await Promise.all([other, ...sends]);
    expect(await bodies()).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('end with a stop while the topic is looked up, and are not sent afterwards', async () => {
    await anew(2);
    const { topics } = bed.stores;
    const declare = topics.declare.bind(topics);
    let letGo: (() => void) | undefined;
    topics.declare = async (...args) => {
      await new Promise<void>((resolve) => (letGo = resolve));
      return declare(...args);
    };
    const outcome = Promise.allSettled([send('a', 60_000)]);
    await bed.advance(1_000);
    const stopping = bed.rivulet.stop(2_000);
    await bed.advance(3_000);
    expect((await outcome)[0]).toMatchObject({ reason: { code: 'SEND_FAILED' } });
    letGo!();
    await bed.advance(1_000);
    await stopping;
    expect(await bodies()).toEqual([]);
    expect(bed.clock.armed).toBe(0);
  });

  it('outlast a store that is down when the topic is looked up, each for as long as it may take', async () => {
    await anew(2);
    const { topics } = bed.stores;
    const declare = topics.declare.bind(topics);
    topics.declare = () => Promise.reject(new StoreUnavailableError('down'));
    const outcome = Promise.allSettled([send('a', 1_000), send('b', 20_000), send('c', 20_000)]);
    await bed.advance(3_000);
    topics.declare = declare;
    await bed.advance(1_000);
    expect(await outcome).toMatchObject([
      { reason: { code: 'SEND_FAILED' } },
      { value: { state: 'stored' } },
      { value: { state: 'stored' } },
    ]);
    expect(await bodies()).toEqual(['b', 'c']);
  });

  it('end in time while the topic is looked up', async () => {
    await anew(2);
    const { topics } = bed.stores;
    const declare = topics.declare.bind(topics);
    let letGo: (() => void) | undefined;
    topics.declare = async (...args) => {
      await new Promise<void>((resolve) => (letGo = resolve));
      return declare(...args);
    };
    const outcome = Promise.allSettled([send('a', 1_000)]);
    let ended = false;
    void outcome.then(() => (ended = true));
    await bed.advance(1_500);
    expect(ended).toBe(true);
    expect((await outcome)[0]).toMatchObject({ reason: { code: 'SEND_FAILED' } });
    letGo!();
    await bed.advance(5_000);
    expect(await bodies()).toEqual([]);
  });
});
