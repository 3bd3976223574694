/**
 * Put another function in the place of a decorated method. It answers to the same name and carries the same metadata, so
 * that guards, pipes and routes that were declared below it still count.
 */
export function replaceMethod(
  descriptor: TypedPropertyDescriptor<unknown>,
  replacement: (...args: unknown[]) => unknown,
): void {
  const original = descriptor.value as (...args: unknown[]) => unknown;
  for (const key of Reflect.getMetadataKeys(original) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), replacement);
  const { name, length } = original;
  Object.defineProperties(replacement, {
    name: { value: name, configurable: true },
    length: { value: length, configurable: true },
  });
  descriptor.value = replacement;
}
