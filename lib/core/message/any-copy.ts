/** The same in every copy of the library that a process has loaded. */
const KIND = Symbol.for('nestjs-rivulet:kind');

type Class<T> = (abstract new (...args: never[]) => T) & { prototype: object };

/**
 * Stands in the static block of a class whose objects applications make and hand over. An application may have several
 * copies of this library (pnpm installs one for each set of peers), and `instanceof` knows those of one copy only: a
 * `BatchResult` of another would say that nothing failed, and everything would be acked.
 */
export function knownToCopies(type: Class<object>, kind: string): void {
  Object.defineProperty(type.prototype, KIND, { value: kind });
}

/** As `instanceof`, also for objects of another copy; `type` must be known to copies. */
export function isInstance<T>(value: unknown, type: Class<T>): value is T {
  // Asked of the body of each message, of which most have no such prototype: that is one look.
  if (typeof value !== 'object' || value === null || !(KIND in value)) return false;
  const kind = ownKind(type.prototype);
  return hasPrototype(
    value,
    (at) => at === type.prototype || (kind !== undefined && ownKind(at) === kind),
  );
}

/** Whether one of the prototypes of an object, the nearest first, is such a one. */
export function hasPrototype(value: object, isSuch: (prototype: object) => boolean): boolean {
  for (let at = prototypeOf(value); at !== null; at = prototypeOf(at)) if (isSuch(at)) return true;
  return false;
}

function ownKind(prototype: object): unknown {
  return Object.getOwnPropertyDescriptor(prototype, KIND)?.value;
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}
