import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  defineTopic,
  DuplicateSubscriptionError,
  getConsumerToken,
  InvalidInputError,
  MessageConsumer,
  Subscribe,
} from 'nestjs-rivulet';
import { closeApps, start } from './helpers/open-app.js';

afterEach(closeApps);

const jobs = defineTopic<{ n: number }>('jobs');

describe('MessageConsumer', () => {
  it('receives in the group of the module, also where no handlers run', async () => {
    const { app, producer } = await start({ rivulet: { consume: false } });
    const consumer = app.get(MessageConsumer);
    await producer.send(jobs, { n: 1 });
    const [job] = await consumer.receive({ topic: jobs });
    expect(job).toMatchObject({ body: { n: 1 }, attempt: 1, message: { topic: 'jobs' } });
    await consumer.changeInvisibleDuration(job!.receipt, 0);
    const [again] = await consumer.receive({ topic: 'jobs', group: 'test' });
    expect(again).toMatchObject({ attempt: 2 });
    await consumer.ack(again!.receipt);
    await expect(consumer.reject(again!.receipt, 'x')).rejects.toMatchObject({
      code: 'RECEIPT_EXPIRED',
    });
  });

  it('needs a group, and is refused beside a handler of the same one', async () => {
    @Injectable()
    class Worker {
      @Subscribe('jobs', { group: 'workers' })
      work(): void {}
    }
    const { app } = await start({ providers: [Worker], rivulet: { group: undefined as never } });
    const consumer = app.get(MessageConsumer);
    await expect(consumer.receive({ topic: 'jobs' })).rejects.toThrow(InvalidInputError);
    await expect(consumer.receive({ topic: 'jobs', group: 'workers' })).rejects.toThrow(
      DuplicateSubscriptionError,
    );
  });

  it('belongs to its instance', async () => {
    const { app } = await start({});
    expect(app.get(getConsumerToken())).toBe(app.get(MessageConsumer));
  });
});
