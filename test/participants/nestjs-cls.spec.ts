import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mysqlDatabase } from '../helpers/mysql.js';
import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import { describeWith } from '../helpers/servers.js';

type Told = Record<string, { outcome: string; rows: string[]; published: string[] }>;

/** What the application tells of each scenario; it ends by itself. */
async function tell(type: 'postgres' | 'mysql', database: TestDatabase): Promise<Told> {
  const program = new URL('./programs/nestjs-cls.mjs', import.meta.url);
  const child = fork(program, [type, database.url], { execArgv: [] });
  const told: Told = {};
  child.on('message', (message: Told) => void Object.assign(told, message));
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  return told;
}

describe.each([
  ['postgres', 'postgres', postgresDatabase],
  ['mariadb', 'mysql', () => mysqlDatabase('mariadb')],
] as const)('nestjs-cls with TypeORM on %s', (server, type, fresh) => {
  describeWith(server)('a method under its own @Transactional', () => {
    let database: TestDatabase;
    let told: Told;
    beforeAll(async () => {
      database = await fresh();
      told = await tell(type, database);
    });
    afterAll(() => database.drop());

    it('commits row and message together', () => {
      expect(told['commits']).toEqual({ outcome: 'placed a', rows: ['a'], published: ['a'] });
    });

    it('rolls both back, and rejects with its own error', () => {
      expect(told['rolls back']).toEqual({ outcome: 'no stock', rows: [], published: [] });
    });

    it('is joined by what it calls, and leaves alone what has a transaction of its own', () => {
      expect(told['own and outer']).toEqual({
        outcome: 'too late',
        rows: ['audit'],
        published: ['audit'],
      });
    });

    it('goes on after a savepoint that failed, without the messages of that', () => {
      expect(told['savepoint']).toEqual({
        outcome: 'placed a',
        rows: ['a', 'good'],
        published: ['a', 'good'],
      });
    });

    it('refuses what is sent where nobody wrapped the adapter', () => {
      expect(told['forgotten']).toEqual({
        outcome: 'UNMANAGED_TRANSACTION',
        rows: [],
        published: [],
      });
    });

    it('rejects when the database had ended it, and sends nothing', () => {
      expect(told['ended on the way']).toMatchObject({ outcome: 'MARKER_REFUSED', published: [] });
    });
  });
});
