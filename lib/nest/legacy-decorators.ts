import { InvalidOptionsError } from '../core/message/errors.js';

/** @throws InvalidOptionsError when the compiler made a standard decorator: it is given a context in place of the name. */
export function requireLegacyDecorators(decorator: string, method: unknown): void {
  if (typeof method !== 'object' || method === null) return;
  const { name } = method as Partial<ClassMethodDecoratorContext>;
  throw new InvalidOptionsError(`${decorator} of ${String(name)}`, [
    'it was compiled as a standard decorator, and Nest works with legacy ones: set "experimentalDecorators" and "emitDecoratorMetadata" in tsconfig.json, or what your compiler has for them',
  ]);
}
