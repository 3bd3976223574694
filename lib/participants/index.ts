export {
  InboxBusyError,
  MarkerRefusedError,
  WrongDatabaseError,
} from '../core/transaction/participant-errors.js';
export type {
  InboxTable,
  OutboxRow,
  OutboxTable,
  Resolution,
  TransactionId,
  TransactionParticipant,
  Verdict,
} from '../core/transaction/participant.js';
export { schema } from './sql/schema.js';
export type { DialectName, SqlDatabase, SqlResult, SqlValue } from './sql/sql-database.js';
export { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';
