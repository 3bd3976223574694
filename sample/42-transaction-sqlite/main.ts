// An order is a row in a SQLite file and a message: both are there, or neither.
import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Transaction } from '@libsql/client';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';
import { Transactional, Transactions } from 'nestjs-rivulet';
import { libsqlParticipant } from 'nestjs-rivulet/participants/libsql';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-sample-'));
const database = createClient({ url: `file:${folder}/shop.db` });
await database.execute('CREATE TABLE orders (id TEXT PRIMARY KEY)');

@Injectable()
class Orders {
  constructor(
    private readonly producer: MessageProducer,
    private readonly transactions: Transactions,
  ) {}

  @Transactional()
  async place(id: string): Promise<void> {
    await this.producer.send('orders', { id }, { key: id }); // visible once the row is committed
    const tx = this.transactions.current<Transaction>()!;
    await tx.execute({ sql: 'INSERT INTO orders VALUES (?)', args: [id] });
  }

  @Subscribe('orders', { group: 'packing' })
  pack(@Payload() { id }: { id: string }): void {
    console.log(`${id}: packed`);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const transactions = { participants: [libsqlParticipant(database)] };

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-sqlite', transactions })],
  providers: [Orders],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const packed = app.get(Events).next('acked');
await app.get(Orders).place('tea');
await packed;
// The key is taken: the method throws, and its message is not sent either.
const second = app.get(Orders).place('tea');
await second.catch(({ code }: { code: string }) => console.log(`tea: ${code}`));
console.log(`rows: ${(await database.execute('SELECT id FROM orders')).rows.length}`);
await app.close();
database.close();
rmSync(folder, { recursive: true });
