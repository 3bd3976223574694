import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue, suggestion } from '../core/message/options.js';

/** Provided by every `RivuletModule`, so that the instances of an application can find each other. */
export class InstanceName {
  readonly name: string | undefined;

  constructor(name: string | undefined) {
    this.name = name;
  }
}

/** @throws InvalidOptionsError for what is no name of an instance; `undefined` is the default one. */
export function checkInstanceName(where: string, name: unknown): void {
  if (name === undefined || (typeof name === 'string' && name !== '')) return;
  throw new InvalidOptionsError(where, [
    `the name of an instance must be a text, got: ${describeValue(name)}`,
  ]);
}

/** @throws InvalidOptionsError for two modules of one name, and for handlers of a module that does not exist. */
export function checkInstanceNames(
  names: readonly (string | undefined)[],
  wanted: readonly { origin: string; instance: string | undefined }[],
): void {
  const problems: string[] = [];
  if (new Set(names).size < names.length)
    problems.push(
      'two modules have the same name, or none: each handler would consume twice. Give one a name: forRoot({ name, … })',
    );
  const known = names.filter((name) => name !== undefined);
  for (const { origin, instance } of wanted) {
    if (names.includes(instance)) continue;
    problems.push(
      instance === undefined
        ? `${origin} names no instance, and every RivuletModule has a name (${known.join(', ')})`
        : `${origin} wants instance "${instance}"${suggestion(instance, known)}`,
    );
  }
  if (problems.length > 0) throw new InvalidOptionsError('Instances of RivuletModule', problems);
}
