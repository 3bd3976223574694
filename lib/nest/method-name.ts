/** `ClassName.methodName` of whatever was decorated: a method, or what can be none. */
export function methodName(target: object, method: string | symbol | undefined): string {
  const owner = typeof target === 'function' ? target.name : target.constructor.name;
  return method === undefined ? owner : `${owner}.${String(method)}`;
}
