import { mysql2Participant } from '../../../lib/participants/mysql2.js';
import { pgParticipant } from '../../../lib/participants/pg.js';

/** A connection that fails with one statement, as when a client is told not to wait longer for its answer. */
class Hurried {
  givenUp = false;

  constructor(private readonly unanswered: RegExp) {}

  query(sql: string): Promise<unknown> {
    if (this.unanswered.test(sql)) return Promise.reject(new Error('Query read timeout'));
    return Promise.resolve({ rows: [{ home: 'public' }], rowCount: 1 });
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

// The server may have begun all the same: whoever gets the connection next would write into a transaction that nobody commits.
describe('A connection whose transaction may have begun unheard', () => {
  it.each([
    ['pg', /^BEGIN/],
    ['mysql2', /^START/],
    ['mysql2', /^SET TRANSACTION/],
  ])('does not go back to its pool: %s, %s', async (which, unanswered) => {
    const connection = new Hurried(unanswered);
    const take = (): Promise<Hurried> => Promise.resolve(connection);
    const given = { connect: take, getConnection: take };
    const pool = Object.assign(new Hurried(unanswered), given) as never;
    const { decide } = which === 'pg' ? pgParticipant(pool) : mysql2Participant(pool);
    const id = '01890000-0000-7000-8000-000000000001';
    const told: string[] = [];
    await decide([id], ({ message }) => void told.push(message));
    expect(told).toEqual(['Query read timeout']);
    expect(connection.givenUp).toBe(true);
  });
});
