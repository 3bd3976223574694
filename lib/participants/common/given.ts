import { InvalidOptionsError } from '../../core/message/errors.js';
import { describeValue, isOptions, notOptions } from '../../core/message/options.js';

/** What a participant is made of. */
export interface ClientWanted {
  /** In words, with the way to get one. */
  what: string;
  /** Without these it is none: a client that is not made yet would be missed by the first transaction otherwise. */
  methods: readonly string[];
  /** Why a client that has them all is not the one that is wanted. */
  whyNot?: (client: object) => string | undefined;
}

/**
 * @param where the function that was called.
 * @throws InvalidOptionsError when the client is none, or the options are no object.
 */
export function checkGiven(
  where: string,
  { client, options }: { client: unknown; options?: unknown },
  wanted: ClientWanted,
): void {
  const problem = clientProblem(client, wanted);
  const problems = problem === undefined ? [] : [problem];
  if (options !== undefined && !isOptions(options)) problems.push(notOptions('options', options));
  if (problems.length > 0) throw new InvalidOptionsError(where, problems);
}

function clientProblem(client: unknown, wanted: ClientWanted): string | undefined {
  const { what, methods, whyNot } = wanted;
  const must = `the first argument must be ${what}`;
  // Knex is a function with methods.
  if (typeof client !== 'function' && !isOptions(client))
    return `${must}, got: ${describeValue(client)}`;
  const has = client as Record<string, unknown>;
  const missing = methods.filter((method) => typeof has[method] !== 'function');
  if (missing.length > 0) return `${must}, got: an object without ${missing.join('(), ')}()`;
  const why = whyNot?.(client);
  return why === undefined ? undefined : `${must}, got: ${why}`;
}
