import { Inject } from '@nestjs/common';
import type { Rivulet } from '../core/rivulet.js';
import { getRivuletToken } from './tokens.js';

/** What Nest reads to fill properties of the instances it makes. */
const PROPERTY_DEPENDENCIES = 'self:properties_metadata';

/**
 * Where an object finds the instance of Rivulet it belongs to: a property that Nest fills, so that two applications in one
 * process never meet, and request-scoped providers work as others do.
 *
 * Its name is what Nest's error tells of it where the module is not there, as in a test of the class alone.
 */
function slotOf(instance: string | undefined): symbol {
  const name = instance === undefined ? '' : ` with the name "${instance}"`;
  return Symbol.for(
    `RivuletModule${name}, which @Transactional needs: import it, in a test with stores: new MemoryStores()`,
  );
}

/** Every object of the class has the instance from now on. */
export function injectInstance(prototype: object, instance: string | undefined): void {
  const slot = slotOf(instance);
  const known = (Reflect.getMetadata(PROPERTY_DEPENDENCIES, prototype.constructor) ?? []) as {
    key: unknown;
  }[];
  if (known.some(({ key }) => key === slot)) return;
  Inject(getRivuletToken(instance))(prototype, slot);
}

/**
 * For values, and what factories made: Nest fills nothing in there. What an application before this one filled in is of no
 * use when that has stopped, as in tests that share an object.
 */
export function fillSlot(object: object, instance: string | undefined, rivulet: Rivulet): void {
  const slot = slotOf(instance);
  const found = (object as Record<symbol, Rivulet | undefined>)[slot];
  if ((found === undefined || found.isStopping) && Object.isExtensible(object))
    Object.defineProperty(object, slot, { value: rivulet, configurable: true });
}

/** @throws TypeError when Nest did not make the object. `what` is the decorated method. */
export function instanceOf(object: unknown, instance: string | undefined, what: string): Rivulet {
  const found = (object as Record<symbol, Rivulet | undefined> | undefined)?.[slotOf(instance)];
  if (found) return found;
  throw new TypeError(
    `${what} was called on an object that Nest did not make, so it has no RivuletModule to begin a transaction with. Nothing was done. ` +
      'Provide the class in a module (in a test: Test.createTestingModule with RivuletModule.forRoot({ stores: new MemoryStores(…) })), and call the method on what is injected, not on `new`.',
  );
}
