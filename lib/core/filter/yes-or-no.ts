import { InvalidInputError } from '../message/errors.js';
import { isThenable, unawaited } from '../runtime/thenable.js';

/**
 * What a function of the application answered where it is asked yes or no, and yes destroys something. `asked` names it.
 *
 * @throws InvalidInputError for a promise, which would mean "yes" whatever comes of it.
 */
export function yesOrNo(answer: unknown, asked: string): boolean {
  if (!isThenable(answer)) return Boolean(answer);
  unawaited(answer);
  throw new InvalidInputError(asked, ['it must answer at once, and answered a promise']);
}
