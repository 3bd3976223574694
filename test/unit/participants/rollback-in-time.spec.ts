import { mysql2Participant } from '../../../lib/participants/mysql2.js';
import { pgParticipant } from '../../../lib/participants/pg.js';

/** A connection that begins, refuses what follows, and answers no ROLLBACK. */
class Unanswering {
  givenUp = false;

  query(sql: string): Promise<unknown> {
    if (sql === 'ROLLBACK') return new Promise(() => {});
    if (/^(BEGIN|SET|START) ?/.test(sql)) return Promise.resolve([]);
    return Promise.reject(new Error('the database refuses'));
  }
  on(): void {}
  off(): void {}
  listenerCount(): number {
    return 1;
  }
  release(broken?: Error): void {
    this.givenUp = broken !== undefined;
  }
  destroy(): void {
    this.givenUp = true;
  }
}

describe('A ROLLBACK that is never answered', () => {
  it.each(['pg', 'mysql2'])('ends, and its connection is given up: %s', async (which) => {
    const connection = new Unanswering();
    const take = (): Promise<Unanswering> => Promise.resolve(connection);
    const pool = Object.assign(new Unanswering(), { connect: take, getConnection: take }) as never;
    const options = { commitTimeoutMs: 1 };
    const participant =
      which === 'pg' ? pgParticipant(pool, options) : mysql2Participant(pool, options);
    const work = participant.run(() => Promise.resolve());
    await expect(work).rejects.toThrow('the database refuses');
    expect(connection.givenUp).toBe(true);
  });
});
