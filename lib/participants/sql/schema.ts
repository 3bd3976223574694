import { InvalidOptionsError } from '../../core/message/errors.js';
import { describeValue, unknownOptions } from '../../core/message/options.js';
import { DIALECTS, tablesIn } from './site.js';
import type { DialectName } from './sql-database.js';

/**
 * The SQL of the tables, for those who make tables by migrations. Each statement makes what is missing and ends with a
 * semicolon; Rivulet writes the one row that it needs itself.
 *
 * @param options.schema As for the participant. Default: where an unqualified name leads.
 */
export function schema(dialect: DialectName, options: { schema?: string } = {}): string {
  if (!Object.hasOwn(DIALECTS, dialect))
    throw new InvalidOptionsError('schema', [
      `unknown dialect ${describeValue(dialect)} (known: ${Object.keys(DIALECTS).join(', ')})`,
    ]);
  const problems = unknownOptions(options, ['schema']);
  if (problems.length > 0) throw new InvalidOptionsError('schema', problems);
  const { createTables } = DIALECTS[dialect];
  const statements = createTables(tablesIn(DIALECTS[dialect], options.schema));
  return statements.map((statement) => `${statement};\n`).join('');
}
