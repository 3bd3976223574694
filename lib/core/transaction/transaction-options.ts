import {
  describeValue,
  isOptions,
  notOptions,
  saysNothing,
  unknownOptions,
} from '../message/options.js';

/** How a transaction is begun. */
export interface TransactionOptions {
  /** Name of the database, when several take part. Default: the one of the transaction that runs, else the only one. */
  participant?: string | undefined;
  /**
   * Inside a transaction of the same database: `required` (default) becomes a part of it, `requires-new` is decided by
   * itself, on another connection, and `nested` is a savepoint: when it fails and the error is caught, what it wrote and
   * sent is undone and the transaction goes on. Savepoints that are called at once run one after the other: none may wait for
   * the end of another.
   */
  propagation?: 'required' | 'requires-new' | 'nested' | undefined;
  /**
   * What the client of this database knows: `isolation` (`read committed`, `repeatable read`, `serializable`), for Prisma
   * `isolationLevel`, `maxWait`, `timeout`. An SQL client refuses others before anything is begun.
   */
  database?: unknown;
}

const KNOWN: readonly (keyof TransactionOptions)[] = ['participant', 'propagation', 'database'];

/** Problems with how a transaction is to be begun, for decorators that find them early. */
export function transactionOptionProblems(options: TransactionOptions): string[] {
  if (!isOptions(options)) return [notOptions('options', options)];
  if (saysNothing(options)) return [];
  const { propagation = 'required', participant } = options;
  return [
    ...unknownOptions(options, KNOWN),
    participant === undefined || typeof participant === 'string'
      ? undefined
      : `participant must be the name of one, got: ${describeValue(participant)}`,
    propagation === 'required' || propagation === 'requires-new' || propagation === 'nested'
      ? undefined
      : `propagation must be "${'required' satisfies TransactionOptions['propagation']}", "${'requires-new' satisfies TransactionOptions['propagation']}" or "${'nested' satisfies TransactionOptions['propagation']}", got: ${describeValue(propagation satisfies never)}`,
  ].filter((problem) => problem !== undefined);
}
