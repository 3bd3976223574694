import { InvalidOptionsError } from '../message/errors.js';
import type { Properties, PropertyValue } from '../message/message.js';
import { propertyNameProblem } from '../message/names.js';
import { describeValue } from '../message/options.js';

/** `all` of them, or `any` one, as with RabbitMQ's headers exchange. */
export type HeaderMatch = 'all' | 'any';

/** What properties must be: exactly this value of this type, or `null` for any value at all. */
export type WantedHeaders = Readonly<Record<string, PropertyValue | null>>;

/** @throws InvalidOptionsError naming every problem. */
export function compileHeaders(
  wanted: WantedHeaders,
  match: HeaderMatch = 'all',
): (properties: Properties) => boolean {
  const problems = headerProblems(wanted, match);
  if (problems.length > 0) throw new InvalidOptionsError('headers()', problems);
  const entries = Object.entries(wanted);
  const fits = (properties: Properties, [name, value]: [string, PropertyValue | null]): boolean =>
    Object.hasOwn(properties, name) && (value === null || properties[name] === value);
  return match === 'all'
    ? (properties) => entries.every((entry) => fits(properties, entry))
    : (properties) => entries.some((entry) => fits(properties, entry));
}

function headerProblems(wanted: unknown, match: unknown): string[] {
  const problems: (string | undefined)[] = [
    match === 'all' || match === 'any'
      ? undefined
      : `the match must be "${'all' satisfies HeaderMatch}" or "${'any' satisfies HeaderMatch}", got: ${describeValue(match)}`,
  ];
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted))
    problems.push(`must be an object of properties, got: ${describeValue(wanted)}`);
  else if (Object.keys(wanted).length === 0)
    problems.push('names no property, which would match every message, or none');
  else
    for (const [name, value] of Object.entries(wanted as Record<string, unknown>))
      problems.push(propertyNameProblem(name), valueProblem(name, value));
  return problems.filter((problem) => problem !== undefined);
}

function valueProblem(name: string, value: unknown): string | undefined {
  if (value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value))
    return undefined;
  return `${name} must be text, a finite number, a boolean, or null for any value, got: ${describeValue(value)}`;
}
