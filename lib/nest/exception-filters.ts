import type { ArgumentsHost } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { FailingFilters } from './failing-filters.js';

/** What Nest made of the exception filters of a handler. */
export interface Filters {
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
  next(error: unknown, host: ArgumentsHost): unknown;
}

const HANDLED = Symbol('handled');

/**
 * What the exception filters make of an error.
 *
 * A filter that returns a value, or an Observable that completes, has handled the error. No filter, or one that returns
 * nothing, leaves the error as it was. A filter that throws an Error replaces it; one that throws anything else (as the
 * filters of Nest's microservices do, with what a remote caller may see) does not, nor one that fails itself.
 */
export async function afterFilters(
  error: unknown,
  host: ArgumentsHost,
  filters: Pick<Filters, 'invokeCustomFilters'>,
  failing: FailingFilters,
): Promise<unknown> {
  let result: unknown;
  try {
    result = await filters.invokeCustomFilters(error, host);
    if (isObservable(result)) result = await lastValueFrom(result, { defaultValue: HANDLED });
    else if (result === undefined || result === null) throw error;
  } catch (thrown) {
    throw thrown instanceof Error ? failing.judge(thrown, error) : error;
  }
  return result === HANDLED ? undefined : result;
}
