import { mysql2Participant } from '../../../lib/participants/mysql2.js';
import { pgParticipant } from '../../../lib/participants/pg.js';
import { ScriptedConnection } from './scripted-connection.js';

/** Begins, refuses what follows, and answers no ROLLBACK. */
function unanswering(sql: string): Promise<unknown> {
  if (sql === 'ROLLBACK') return new Promise(() => {});
  if (/^(BEGIN|SET|START) ?/.test(sql)) return Promise.resolve([]);
  return Promise.reject(new Error('the database refuses'));
}

describe('A ROLLBACK that is never answered', () => {
  it.each(['pg', 'mysql2'])('ends, and its connection is given up: %s', async (which) => {
    const connection = new ScriptedConnection(unanswering);
    const { pool } = connection;
    const options = { commitTimeoutMs: 1 };
    const participant =
      which === 'pg' ? pgParticipant(pool, options) : mysql2Participant(pool, options);
    const work = participant.run(() => Promise.resolve());
    await expect(work).rejects.toThrow('the database refuses');
    expect(connection.givenUp).toBe(true);
  });
});
