// An application whose transactions are those of nestjs-cls. A process of its own, since nestjs-cls requires Nest, which
// is an ES module: Node can do that, jest cannot.
// argv: postgres | mysql, URL of an empty database. Tells { scenario: { outcome, rows, published } }.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClsPluginTransactional,
  Propagation,
  Transactional,
  TransactionHost,
} from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { ClsModule } from 'nestjs-cls';
import { DataSource } from 'typeorm';
import { Events, MessageProducer, RivuletModule, systemClock } from '../../../dist/index.js';
import { withMessaging } from '../../../dist/participants/nestjs-cls.js';
import { typeormParticipant } from '../../../dist/participants/typeorm.js';
import { MemoryStores } from '../../../dist/testing/index.js';

const [type, url] = process.argv.slice(2);
const DATABASE = Symbol('DataSource');
const source = await new DataSource({ type, url }).initialize();
await source.query('CREATE TABLE orders (id VARCHAR(60) PRIMARY KEY)');

class Orders {
  static inject = [TransactionHost, MessageProducer];

  constructor(host, producer) {
    Object.assign(this, { host, producer });
  }
  async write(id) {
    await this.host.tx.insert('orders', { id });
    await this.producer.send('orders', id, { key: id });
  }
  async place(id, andThen = async () => {}) {
    await this.write(id);
    await andThen();
    return `placed ${id}`;
  }
  async forgotten(id) {
    await this.producer.send('orders', id, { key: id });
  }
  async audit(id) {
    await this.write(id);
  }
  async part(id, fails = false) {
    await this.write(id);
    if (fails) throw new Error(`part ${id} failed`);
  }
}
const decorate = (name, decorator) => {
  const method = Object.getOwnPropertyDescriptor(Orders.prototype, name);
  Object.defineProperty(
    Orders.prototype,
    name,
    decorator(Orders.prototype, name, method) ?? method,
  );
};
decorate('place', Transactional());
decorate('forgotten', Transactional('not wrapped'));
decorate('audit', Transactional(Propagation.RequiresNew));
decorate('part', Transactional(Propagation.Nested));

class DatabaseModule {}
Module({ providers: [{ provide: DATABASE, useValue: source }], exports: [DATABASE] })(
  DatabaseModule,
);
class AppModule {}
Module({
  imports: [
    RivuletModule.forRoot({
      stores: new MemoryStores({ clock: systemClock }),
      group: 'test',
      transactions: { participants: [typeormParticipant(source)] },
    }),
    ClsModule.forRoot({
      plugins: [
        new ClsPluginTransactional({
          imports: [DatabaseModule],
          adapter: withMessaging(new TransactionalAdapterTypeOrm({ dataSourceToken: DATABASE })),
        }),
        new ClsPluginTransactional({
          connectionName: 'not wrapped',
          imports: [DatabaseModule],
          adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: DATABASE }),
        }),
      ],
    }),
  ],
  providers: [
    { provide: Orders, inject: Orders.inject, useFactory: (...parts) => new Orders(...parts) },
  ],
})(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const [orders, producer, events] = [Orders, MessageProducer, Events].map((token) => app.get(token));

/** Runs one, waits for the messages that must come, then for one that is sent after all of them. */
async function run(name, { scenario, expected = [] }) {
  await source.query('DELETE FROM orders');
  const published = new Set();
  const wakers = [];
  const listen = ({ key }) => {
    published.add(key);
    for (const wake of wakers.splice(0)) wake();
  };
  const until = async (key) => {
    while (!published.has(key)) await new Promise((resolve) => wakers.push(resolve));
  };
  const stop = events.on('published', listen);
  const outcome = await scenario().catch((error) => `${error.code ?? error.message}`);
  for (const key of expected) await until(key);
  await producer.send('orders', 'last', { key: 'last' });
  await until('last');
  stop();
  const rows = (await source.query('SELECT id FROM orders ORDER BY id')).map(({ id }) => id);
  const keys = [...published].filter((key) => key !== 'last').sort();
  process.send({ [name]: { outcome, rows, published: keys } });
}

await run('commits', { scenario: () => orders.place('a'), expected: ['a'] });
await run('rolls back', {
  scenario: () =>
    orders.place('a', async () => {
      throw new Error('no stock');
    }),
});
await run('own and outer', {
  scenario: () =>
    orders.place('a', async () => {
      await orders.place('joined');
      await orders.audit('audit');
      throw new Error('too late');
    }),
  expected: ['audit'],
});
await run('savepoint', {
  scenario: () =>
    orders.place('a', async () => {
      await orders.part('bad', true).catch(() => {});
      await orders.part('good');
    }),
  expected: ['a', 'good'],
});
await run('forgotten', { scenario: () => orders.forgotten('a') });
const ending = { postgres: 'SELECT 1 / 0', mysql: 'CREATE TABLE IF NOT EXISTS ddl (a INT)' }[type];
await run('ended on the way', {
  scenario: () => orders.place('a', () => orders.host.tx.query(ending).catch(() => {})),
});

await app.close();
await source.destroy();
process.disconnect();
