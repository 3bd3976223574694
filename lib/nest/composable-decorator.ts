/**
 * What `applyDecorators` of Nest takes, which wants decorators of classes, of properties or of any method. The `this` is
 * one that nobody has: at a method it never fits, so that what stands beside it is what the compiler checks there, and
 * properties are refused.
 */
export type ComposableDecorator = (
  this: 'applyDecorators',
  target: object,
  method: string | symbol,
) => void;
