import type { TransactionParticipant } from 'nestjs-rivulet';
import type { Database } from '../database/database.js';

/** Where a transaction ends this process with SIGKILL: it cannot say good-bye. */
export type DeathPoint = 'before-commit' | 'after-commit';

export function diesAt(): DeathPoint | undefined {
  const point = process.env.SHOP_DIES;
  if (point === undefined || point === 'before-commit' || point === 'after-commit') return point;
  throw new Error(`SHOP_DIES must be "before-commit" or "after-commit", got: "${point}"`);
}

/** The database as it is, in a process that dies in its first transaction. Only for the demo. */
export function dying(database: Database, point: DeathPoint): Database {
  const participant = Object.create(database.participant) as TransactionParticipant;
  participant.run = async (body, options) => {
    const result = await database.participant.run(async (tx) => {
      const value = await body(tx);
      // The marker and the half messages are stored by now, COMMIT is not sent.
      if (point === 'before-commit') process.kill(process.pid, 'SIGKILL');
      return value;
    }, options);
    // The database has committed; nobody has told Redis.
    process.kill(process.pid, 'SIGKILL');
    return result;
  };
  return Object.create(database, { participant: { value: participant } }) as Database;
}
