/** `ClassName.methodName` of what was decorated; of a class, its name. */
export function methodName(target: object, method: string | symbol | undefined): string {
  const owner = typeof target === 'function' ? target.name : target.constructor.name;
  return method === undefined ? owner : `${owner}.${String(method)}`;
}
