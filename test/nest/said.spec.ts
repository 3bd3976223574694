import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Module } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { type Logger, Subscribe, SubscribeBatch } from 'nestjs-rivulet';
import { AT_ONCE, closeApps, start, startHybrid, type TestApp } from './helpers/open-app.js';

afterEach(closeApps);

class Lines implements Logger {
  readonly debugged: string[] = [];
  readonly warned: string[] = [];
  readonly errors: string[] = [];
  error = (line: string): void => void this.errors.push(line);
  log = (): void => {};
  warn = (line: string): void => void this.warned.push(line);
  debug = (line: string): void => void this.debugged.push(line);
}

async function sendAndFail({ producer, events }: Pick<TestApp, 'producer' | 'events'>) {
  const acked = events.next('acked');
  const { messageId } = await producer.send('orders', { card: '4111' });
  await acked;
  return messageId;
}

describe('What is said', () => {
  it('of a failed attempt: where it threw, with topic, group, message id and attempt', async () => {
    @Injectable()
    class Billing {
      private attempts = 0;

      @Subscribe('orders', { group: 'billing', retry: AT_ONCE })
      charge() {
        if (this.attempts++ === 0) throw new Error('declined');
      }
    }
    const logger = new Lines();
    const messageId = await sendAndFail(await start({ providers: [Billing], rivulet: { logger } }));
    expect(logger.debugged).toEqual([
      expect.stringMatching(
        new RegExp(
          `^orders/billing: message ${messageId} attempt 1 threw Error: declined\\n +at .*charge`,
        ),
      ),
    ]);
    expect(JSON.stringify(logger)).not.toContain('4111');
  });

  it('of an entry in which there is no message: its place', async () => {
    @Injectable()
    class Billing {
      @Subscribe('orders', { group: 'billing' })
      charge() {}
    }
    const logger = new Lines();
    const { stores, events } = await start({ providers: [Billing], rivulet: { logger } });
    const dead = events.next('dead-lettered');
    const offset = stores.tamper.addForeign({ topic: 'orders', queue: 0 }, [Buffer.from('x')]);
    await dead;
    expect(logger.errors).toEqual([
      `orders/billing: offset ${offset} of queue 0 attempt 1 became a dead letter: not a Rivulet message: another program wrote it, or it is damaged. Read or redrive it with MessageAdmin.`,
    ]);
  });

  it('of a failed attempt of an @EventPattern: the same', async () => {
    @Controller()
    class Billing {
      private attempts = 0;

      @EventPattern('orders', { group: 'billing', retry: AT_ONCE })
      charge(_order: unknown) {
        if (this.attempts++ === 0) throw new Error('declined');
      }
    }
    const logger = new Lines();
    const messageId = await sendAndFail(
      await startHybrid({ controllers: [Billing], rivulet: { logger } }),
    );
    expect(logger.debugged).toEqual([
      expect.stringMatching(
        new RegExp(`^orders/billing: message ${messageId} attempt 1 threw Error: declined`),
      ),
    ]);
  });

  it('of a failed batch: the message ids in it', async () => {
    @Injectable()
    class Billing {
      private attempts = 0;

      @SubscribeBatch('orders', { group: 'billing', retry: AT_ONCE, batch: { size: 1 } })
      charge() {
        if (this.attempts++ === 0) throw new Error('declined');
      }
    }
    const logger = new Lines();
    const messageId = await sendAndFail(await start({ providers: [Billing], rivulet: { logger } }));
    expect(logger.debugged).toEqual([
      expect.stringMatching(
        new RegExp(
          `^orders/billing: a batch of 1 \\(messages ${messageId}\\) threw Error: declined`,
        ),
      ),
    ]);
  });

  it('of a class that two modules provide: that one instance gets the messages, and which', async () => {
    const handled: object[] = [];

    @Injectable()
    class Billing {
      @Subscribe('orders', { group: 'billing' })
      charge() {
        handled.push(this);
      }
    }
    @Module({ providers: [Billing] })
    class BillingModule {}
    @Module({ providers: [Billing] })
    class ReportsModule {}
    const logger = new Lines();
    const { app, producer, events } = await start({
      imports: [BillingModule, ReportsModule],
      rivulet: { logger },
    });
    for (let sent = 0; sent < 3; sent++) {
      const acked = events.next('acked');
      await producer.send('orders', {});
      await acked;
    }
    expect(logger.warned).toEqual([
      expect.stringMatching(
        /^Billing\.charge has 2 instances, in BillingModule, ReportsModule: that of BillingModule gets every message.* Provide the class in one module/,
      ),
    ]);
    const first = app.select(BillingModule).get(Billing, { strict: true });
    expect(handled.map((instance) => instance === first)).toEqual([true, true, true]);
  });
});
