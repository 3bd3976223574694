import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  prismaParticipant,
  type PrismaClientLike,
  type PrismaTransactionLike,
} from '../../lib/participants/prisma.js';
import { describeWith } from '../helpers/servers.js';
import { getPrismaClientClass as mysqlClient } from './generated/prisma-mysql.js';
import { getPrismaClientClass as postgresClient } from './generated/prisma-postgresql.js';
import type { ParticipantHarness } from './harness.js';
import { soon, transactionId } from './ids.js';
import { openMysql } from './mysql-harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

/** What the tests use of the generated types, which are not kept (tools/prisma-clients.mjs). */
interface Tx extends PrismaTransactionLike {
  order: {
    create(row: { data: { id: string } }): PromiseLike<unknown>;
    findMany(): PromiseLike<{ id: string }[]>;
  };
}
interface Client extends PrismaClientLike<Tx>, Tx {
  $extends(extension: object): Client;
  $disconnect(): Promise<void>;
}
interface ExtendedTx extends Tx {
  order: Tx['order'] & { place(id: string): Promise<void> };
}

const LEVELS = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
} as const;

/** Prisma's own limits are for requests of the web, and not for many transactions at once on a busy machine. */
const transactionOptions = { maxWait: 20_000, timeout: 20_000 };

function onPostgres(url: string): Client {
  const adapter = new PrismaPg({ connectionString: url });
  return new (postgresClient())({ adapter, transactionOptions }) as unknown as Client;
}

function onMysql(url: string, options?: { useTextProtocol: boolean }): Client {
  const adapter = new PrismaMariaDb(url, options);
  return new (mysqlClient())({ adapter, transactionOptions }) as unknown as Client;
}

function harness(
  { database, shared }: Awaited<ReturnType<typeof openPostgres>>,
  connectTo: (url: string) => Client,
): ParticipantHarness<Tx> {
  const clients = new Map<object, Client>();
  const isPostgres = shared.dialect === 'postgres';
  return {
    ...shared,
    async open(options) {
      const client = connectTo(database.url);
      const participant = prismaParticipant(client, options);
      clients.set(participant, client);
      return participant;
    },
    foreign: (participant, body) => clients.get(participant)!.$transaction(body),
    write: async (tx, id) => void (await tx.order.create({ data: { id } })),
    read: async (tx) => tx.order.findMany(),
    isolation: (level) => ({ isolationLevel: LEVELS[level] }),
    async kill(tx) {
      const [row] = (await tx.$queryRawUnsafe(
        isPostgres ? 'SELECT pg_backend_pid() AS id' : 'SELECT CONNECTION_ID() AS id',
      )) as [{ id: number }];
      await database.query(
        isPostgres ? `SELECT pg_terminate_backend(${row.id})` : `KILL ${row.id}`,
      );
    },
    swallow: async (tx) =>
      void (await tx
        .$executeRawUnsafe(
          isPostgres ? 'INSERT INTO nowhere VALUES (1)' : 'CREATE TABLE made (a INT)',
        )
        .then(undefined, () => undefined)),
    async close() {
      await Promise.all([...clients.values()].map((client) => client.$disconnect()));
      await database.drop();
    },
  };
}

const can = { isolation: true, writersMeet: true, kill: true, swallow: true, foreign: true };

describeWith('postgres')('prisma on PostgreSQL', () => {
  describeParticipant(async () => harness(await openPostgres(), onPostgres), can);

  it('keeps what an extension adds to transactions, and sees them begin', async () => {
    const { database } = await openPostgres();
    const client = onPostgres(database.url);
    const participant = prismaParticipant(client);
    const extended = client.$extends({
      model: {
        order: {
          async place(this: Tx['order'], id: string) {
            await this.create({ data: { id } });
          },
        },
      },
    }) as unknown as PrismaClientLike<ExtendedTx>;
    await extended.$transaction(async (tx) => {
      await tx.order.place('by the application');
      expect(participant.foreign!()).toContain('@Transactional()');
    });
    const its = prismaParticipant(extended);
    await its.prepare();
    await its.run(async (tx) => {
      await tx.order.place('by the participant');
      expect(its.foreign!()).toBeUndefined();
    });
    expect(await client.order.findMany()).toHaveLength(2);
    await client.$disconnect();
    await database.drop();
  });
});

describeWith('mariadb')('prisma on MariaDB', () => {
  describeParticipant(async () => harness(await openMysql('mariadb'), onMysql), can);
});

describeWith('mysql')('prisma on MySQL', () => {
  it('is told to use the text protocol, with which it takes part', async () => {
    const { database, shared } = await openMysql('mysql');
    const h = harness({ database, shared }, onMysql);
    await expect((await h.open()).prepare()).rejects.toThrow('{ useTextProtocol: true }');

    const client = onMysql(database.url, { useTextProtocol: true });
    const participant = prismaParticipant(client);
    await participant.prepare();
    const id = transactionId();
    await participant.run(async (tx) => {
      await h.write(tx, 'a');
      await participant.mark(tx, { id, deadline: soon() });
    });
    const verdicts = await participant.decide([id]);
    expect([verdicts.get(id), await h.orders()]).toEqual(['commit', ['a']]);
    await client.$disconnect();
    await h.close();
  });
});

describe('prisma on another database', () => {
  it('is refused where the participant is made', () => {
    const client = { _activeProvider: 'sqlite', $transaction: () => Promise.reject(new Error()) };
    expect(() => prismaParticipant(client)).toThrow('the client is of the provider "sqlite"');
  });
});
