// Decorators without a compiler: what TypeScript emits for `@decorator` on a class, a method and a parameter.

export function decorate(target, decorators) {
  for (const decorator of decorators) decorator(target);
}

export function decorateMethod({ prototype }, name, decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  for (const decorator of decorators) decorator(prototype, name, descriptor);
}

export function decorateParameter({ prototype }, method, index, decorator) {
  decorator(prototype, method, index);
}
