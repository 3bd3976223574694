import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { InvalidOptionsError, Subscribe } from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';
import { closeApps, start, startHybrid } from './helpers/open-app.js';

afterEach(closeApps);

interface Payment {
  id: string;
}

const byId = { key: (_: unknown, payment: Payment): string => payment.id };

describe('idempotent', () => {
  it('runs a method once for each dedup key, and tells of duplicates', async () => {
    const paid: string[] = [];

    @Injectable()
    class Bank {
      @Subscribe('payments', { idempotent: byId })
      pay(@Payload() payment: Payment): void {
        paid.push(payment.id);
      }
    }
    const { producer, events } = await start({ providers: [Bank] });
    const acked = events.next('acked');
    await producer.send('payments', { id: 'a' });
    await acked;
    const duplicate = events.next('duplicate');
    await producer.send('payments', { id: 'a' });
    expect(await duplicate).toMatchObject({ group: 'test', dedupKey: 'a' });
    expect(paid).toEqual(['a']);
  });

  it('works with the pattern decorators, as an option among their extras', async () => {
    const seen: string[] = [];

    @Controller()
    class Mail {
      @EventPattern('paid', { idempotent: byId })
      thank(@Payload() payment: Payment): void {
        seen.push(payment.id);
      }

      @MessagePattern('charge', { idempotent: { ...byId, storeResult: true } })
      charge(@Payload() payment: Payment): string {
        seen.push(payment.id);
        return `receipt of ${payment.id}, number ${seen.length}`;
      }
    }
    const { client, events } = await startHybrid({ controllers: [Mail] });
    const duplicate = events.next('duplicate');
    await firstValueFrom(client.emit('paid', { id: 'a' }), { defaultValue: undefined });
    await firstValueFrom(client.emit('paid', { id: 'a' }), { defaultValue: undefined });
    expect(await duplicate).toMatchObject({ dedupKey: 'a' });
    expect(seen).toEqual(['a']);

    const charge = (): Promise<unknown> => firstValueFrom(client.send('charge', { id: 'b' }));
    expect(await charge()).toBe('receipt of b, number 2');
    expect(await charge()).toBe('receipt of b, number 2');
    expect(seen).toEqual(['a', 'b']);
  });

  it('can be given by the module, for a handler by its name', async () => {
    const paid: string[] = [];

    @Injectable()
    class Bank {
      @Subscribe('payments')
      pay(@Payload() payment: Payment): void {
        paid.push(payment.id);
      }
    }
    const handlers = { 'Bank.pay': { idempotent: byId } };
    const { producer, events } = await start({ providers: [Bank], rivulet: { handlers } });
    const duplicate = events.next('duplicate');
    await producer.sendBatch('payments', [{ body: { id: 'a' } }, { body: { id: 'a' } }]);
    expect(await duplicate).toMatchObject({ dedupKey: 'a' });
    expect(paid).toEqual(['a']);
  });

  it('is refused at boot with options nobody knows, naming the method', async () => {
    @Injectable()
    class Bank {
      @Subscribe('payments', { idempotent: { tllMs: 5 } as never })
      pay(): void {}
    }
    const refused = start({ providers: [Bank] });
    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow(
      'Bank.pay: idempotent: unknown option "tllMs", did you mean "ttlMs"?',
    );
  });
});
