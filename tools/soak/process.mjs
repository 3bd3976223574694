import { fork } from 'node:child_process';
import { once } from 'node:events';

/** One process of the application (application.mjs), as its parent sees it. */
export class SoakProcess {
  #orders = new Map();
  #lastId = 0;

  /** Resolves once it handles. */
  static async launch({ url, facts, ledger }) {
    const self = new SoakProcess();
    self.child = fork(new URL('./application.mjs', import.meta.url), [url, JSON.stringify(facts)], {
      // The space for young objects has its full size from the start, and keeps it: otherwise V8 gives half of it back in
      // a quiet minute, and the memory of the process says more about the load than about the application.
      execArgv: ['--expose-gc', '--min-semi-space-size=16', '--unhandled-rejections=strict'],
    });
    self.exited = once(self.child, 'exit');
    const ready = new Promise((resolve) => {
      self.child.on('message', ({ ready: isReady, news, done, result }) => {
        if (isReady) resolve(true);
        for (const [key, answer] of news?.answered ?? []) ledger.answered(key, answer);
        for (const key of news?.handled ?? []) ledger.handle(key);
        self.#orders.get(done)?.(result);
        self.#orders.delete(done);
      });
    });
    const isReady = await Promise.race([ready, self.exited.then(() => false)]);
    if (!isReady) throw new Error('A process of the application ended before it was ready.');
    return self;
  }

  /** Resolves with what it answers. */
  tell(what, more = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#orders.set(id, resolve);
      this.exited.then(([code]) => reject(new Error(`It ended with ${code} when told: ${what}`)));
      this.child.send({ do: what, id, ...more });
    });
  }

  get isGone() {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}
