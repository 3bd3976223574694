import { mysql2Participant } from '../../../lib/participants/mysql2.js';
import { pgParticipant } from '../../../lib/participants/pg.js';
import { ScriptedConnection } from './scripted-connection.js';

// The server may have begun all the same: whoever gets the connection next would write into a transaction that nobody commits.
describe('A connection whose transaction may have begun unheard', () => {
  it.each([
    ['pg', /^BEGIN/],
    ['mysql2', /^START/],
    ['mysql2', /^SET TRANSACTION/],
  ])('does not go back to its pool: %s, %s', async (which, unanswered) => {
    // As when a client is told not to wait longer for its answer.
    const connection = new ScriptedConnection((sql) =>
      unanswered.test(sql)
        ? Promise.reject(new Error('Query read timeout'))
        : Promise.resolve({ rows: [{ home: 'public' }], rowCount: 1 }),
    );
    const { pool } = connection;
    const { decide } = which === 'pg' ? pgParticipant(pool) : mysql2Participant(pool);
    const id = '01890000-0000-7000-8000-000000000001';
    const told: string[] = [];
    await decide([id], ({ message }) => void told.push(message));
    expect(told).toEqual(['Query read timeout']);
    expect(connection.givenUp).toBe(true);
  });
});
