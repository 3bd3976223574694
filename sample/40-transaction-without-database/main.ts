// Money is moved at a bank, which knows no transactions of ours; whoever waits for it hears of it if and only if it was moved.
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import type { CheckAnswer, HalfMessage } from 'nestjs-rivulet';
import { Events, RivuletModule, Subscribe, Transactional, TransactionCheck } from 'nestjs-rivulet';

type Transfer = { id: string; cents: number };

@Injectable()
class Transfers {
  private readonly atTheBank = new Set<string>();

  /** The message is stored before, shown after a return, and dropped after a throw. */
  @Transactional({
    name: 'transfer',
    topic: 'transfers',
    message: (transfer: Transfer) => ({ body: transfer, key: transfer.id }),
  })
  async move({ id, cents }: Transfer): Promise<void> {
    if (cents > 1_000) throw new Error('the bank refuses');
    this.atTheBank.add(id);
  }

  /** Asked when a process died in between. Not there yet is not "rollback". */
  @TransactionCheck('transfer')
  async wasMoved({ key }: HalfMessage): Promise<CheckAnswer> {
    return this.atTheBank.has(key!) ? 'commit' : 'unknown';
  }

  @Subscribe('transfers', { group: 'accounts' })
  book(@Payload() { cents }: Transfer): void {
    console.log(`booked ${cents}`);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-transfers', group: 'bank' })],
  providers: [Transfers],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const transfers = app.get(Transfers);
const booked = app.get(Events).next('acked');
await transfers.move({ id: randomUUID(), cents: 250 });
await booked;
await transfers
  .move({ id: randomUUID(), cents: 5_000 })
  .catch(({ message }: Error) => console.log(`not moved: ${message}`));
await app.close();
