/**
 * The same store, with points before and behind each call, and between its request and its reply: `at` hears of
 * `<port>.<method> called`, `sent` and `answered`. The calls of a reader are those of `reader`.
 */
export function pointed(port, store, at) {
  return new Proxy(store, {
    get: (of, method) => {
      const own = of[method];
      if (typeof own !== 'function') return own;
      return (...args) => {
        at(`${port}.${String(method)} called`);
        const answer = own.apply(of, args);
        if (method === 'openReader') return pointed('reader', answer, at);
        setImmediate(() => at(`${port}.${String(method)} sent`));
        if (typeof answer?.then !== 'function') return answer;
        return answer.then((reply) => {
          at(`${port}.${String(method)} answered`);
          return reply;
        });
      };
    },
  });
}
