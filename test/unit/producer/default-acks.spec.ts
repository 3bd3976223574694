import type { AcksWanted, AppendCall } from '../../../lib/core/store/message-log.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const TWO = { replicas: 2, timeoutMs: 500 } as const;

describe('the default acks of a producer', () => {
  let bed: TestBed;
  /** What each call to the log waited for, in order. */
  let wanted: (AcksWanted | undefined)[];

  beforeEach(async () => {
    bed = await TestBed.open({ settings: { producer: { acks: TWO } } });
    wanted = [];
    const { log } = bed.stores;
    const append = log.append.bind(log);
    log.append = (call: AppendCall) => {
      wanted.push(call.acks);
      return append(call);
    };
  });
  afterEach(() => bed.close());

  const twoReplicas = { disk: false, ...TWO };

  it('are those of a send that says none', async () => {
    expect(await bed.publish('orders', 1)).toMatchObject({ acks: { replicas: 2 } });
    expect(wanted).toEqual([twoReplicas]);
  });

  it('give way to what a send says, less or more', async () => {
    expect(await bed.publish('orders', 1, { acks: 'memory' })).toMatchObject({ acks: 'memory' });
    expect(await bed.publish('orders', 2, { acks: 'disk' })).toMatchObject({ acks: 'disk' });
    expect(wanted).toEqual([undefined, expect.objectContaining({ disk: true, replicas: 0 })]);
  });

  it('are those of a recurring send', async () => {
    await bed.rivulet.recurring.set('reports', {}, { name: 'daily', cron: '* * * * *' });
    await bed.advance(61_000);
    expect(wanted).toEqual([twoReplicas]);
  });

  it('are not those of a request, which has an answer to wait for, unless it says so itself', async () => {
    await bed.publish('sums', 0);
    wanted.length = 0;
    const asked = [{}, { acks: TWO }].map((options) =>
      bed.rivulet.requester.request('sums', 1, { timeoutMs: 1_000, queue: 0, ...options }),
    );
    for (const one of asked) one.catch(() => {}); // nobody answers here
    await bed.advance(10);
    expect(wanted).toEqual([twoReplicas]);
    wanted.length = 0;
    for (const options of [{}, { acks: undefined }])
      bed.rivulet.requester
        .request('sums', 1, { timeoutMs: 1_000, queue: 1, ...options } as object)
        .catch(() => {});
    await bed.advance(10);
    expect(wanted).toEqual([undefined]);
    wanted.length = 0;
    bed.rivulet.requester.request('sums', 1).catch(() => {});
    await bed.advance(10);
    expect(wanted).toEqual([undefined]);
    await bed.advance(1_000);
    await Promise.allSettled(asked);
  });

  it('are checked with the other settings', async () => {
    const open = (acks: unknown) => TestBed.open({ settings: { producer: { acks } as object } });
    await expect(open('all')).rejects.toThrow(
      'producer.acks must be "memory", "disk" or { replicas, timeoutMs }, got: "all"',
    );
    await expect(open({ replicas: 0 })).rejects.toThrow('producer.acks.replicas must be');
  });
});
